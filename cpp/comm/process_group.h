// A group of processes behind the functions of a swav_communicator: MPI's (mpi.h) or a host's own.
//
// Sums are made of gathering: every rank adds the contributions up in the order of the ranks, so that a sum has the same bits
// whatever the transport and whatever way its messages take. Of a long array each rank adds up one slice: it gets that slice of
// all (exchange), and gathers the sums. That moves as many bytes as a ring does, 2 (R - 1) / R of the array a rank. A fast
// group leaves sums to the transport, whose order may depend on the number of ranks, their hosts and the length.
#pragma once

#include <optional>
#include <vector>

#include "comm/communicator.h"
#include "comm/gradual_sum.h"
#include "comm/transport.h"
#include "swav.h"

namespace swav {

class ProcessGroup final : public Communicator {
 public:
  // The functions and what they need outlive the group. `parts`: arrays of a rank in sum_parts, at most; `bucket`: of a gradual
  // sum. Throws SWAV_ERROR_ARGUMENT for a rank, a size or functions that are none.
  ProcessGroup(const swav_communicator& functions, bool fast, int parts = 1, int64_t bucket = GradualSum::usual_bucket);

  int rank() const override { return functions_.rank; }
  int size() const override { return functions_.size; }
  void sum(float* values, int64_t count) override;
  void sum(double* values, int64_t count) override;
  void sum_parts(FunctionRef<float*(int)> array, int parts, int64_t count) override;
  void sum_parts(FunctionRef<double*(int)> array, int parts, int64_t count) override;
  void max(float* values, int64_t count) override;
  void gather(const void* mine, int64_t bytes, void* all) override;
  void broadcast(void* values, int64_t bytes, int root) override;
  void barrier() override;
  bool fast() const override { return fast_; }
  GradualSum* gradual() override { return gradual_ ? &*gradual_ : nullptr; }

 private:
  template <class T>
  void sum_all(FunctionRef<T*(int)> array, int parts, int64_t count);
  template <class T>
  void sum_piece(FunctionRef<T*(int)> array, int parts, int64_t begin, int64_t count);
  void exchange(const void* parts, int64_t bytes, void* received);
  void check(swav_status status) const { require_moved(functions_, status); }

  swav_communicator functions_;
  bool fast_;
  std::optional<GradualSum> gradual_;
  int64_t piece_bytes_ = 0;
  std::vector<double> sent_, received_;  // taken once: a step allocates nothing
};

// The ranks in bands of `width` neighbours (rank / width), the last band perhaps smaller; width >= 1. Gathers over the group
// and takes what its own band gave. The group outlives it.
class Neighbours final : public Communicator {
 public:
  Neighbours(Communicator& group, int width);

  int rank() const override { return group_.rank() - first_; }
  int size() const override { return size_; }
  bool alone() const override { return group_.alone(); }
  void sum(float* values, int64_t count) override;
  void sum(double* values, int64_t count) override;
  void max(float* values, int64_t count) override;
  void gather(const void* mine, int64_t bytes, void* all) override;
  void broadcast(void* values, int64_t bytes, int root) override;
  void barrier() override { group_.barrier(); }

 private:
  template <class T, class F>
  void combine(T* values, int64_t count, F two);
  char* all(int64_t bytes);

  Communicator& group_;
  int first_, size_;
  std::vector<char> all_;
};

}  // namespace swav
