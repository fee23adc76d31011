// The sum of a long array that becomes ready from its end to its beginning, as gradients do in a backward pass: what is ready
// travels while the rest is computed.
//
// In buckets, each summed as ProcessGroup sums a piece: every rank gets its slice of all, adds the slices up in the order of
// the ranks, and gathers the sums of the others. So the bits are those of a sum in one call. Some buckets are under way at a
// time, and nothing moves but within calls: MPI moves bytes while a thread is inside of it, as it is for batch-norm's sums as
// well.
#pragma once

#include <array>
#include <chrono>
#include <exception>
#include <vector>

#include "swav.h"

namespace swav {

class GradualSum {
 public:
  static constexpr int64_t usual_bucket = int64_t{1} << 20;

  // The functions have begin and advance; they and what they need outlive the sum. `bucket`: numbers of one, about.
  GradualSum(const swav_communicator& functions, int64_t bucket);

  // The array is the sum's until finish. All that follows is collective, and calls belong together in this order; ranks may be
  // at different calls of ready. What throws ends the group's use, and values of it may still be under way then.
  void begin(float* values, int64_t count);
  // values[from..count) will not change any more.
  void ready(int64_t from);
  // What is under way moves on: to be called now and then while the ranks compute. Looks every so often; what fails is thrown
  // by the next call of the others. Calls no parallel::for_each.
  void glance() noexcept;
  // No value will change any more: waits for all buckets. Returns how many values at the beginning, fewer than there are ranks,
  // are not summed: the caller sums those.
  int64_t finish();

 private:
  enum class Stage { exchanging, gathering, done };
  struct Bucket {
    int64_t begin = 0, slice = 0;
    Stage stage = Stage::done;
  };
  static constexpr int64_t most_under_way = 4;

  bool has_room() const { return started_ - ended_ < most_under_way; }
  void start(int64_t count);
  void start_ready();
  // `spread`: sums are made by the team.
  void advance(bool wait, bool spread = true);
  void move_on(int64_t place, bool wait, bool spread);
  bool arrived(int32_t tag, bool wait);
  float* received(int64_t place) { return received_.data() + place * bucket_; }
  float* sums(int64_t place) { return sums_.data() + place * (bucket_ / functions_.size); }

  swav_communicator functions_;
  int64_t bucket_;  // a multiple of the ranks
  float* values_ = nullptr;
  int64_t left_ = 0;                 // values[0..left_) have not been started
  int64_t ready_ = 0;                // values[ready_..) may be
  int64_t started_ = 0, ended_ = 0;  // buckets, of which each has the place of its number
  std::array<Bucket, most_under_way> buckets_;
  bool advancing_ = false;
  std::chrono::steady_clock::time_point looked_{};
  std::exception_ptr failure_;
  std::vector<float> received_, sums_;  // taken once: a step allocates nothing
};

}  // namespace swav
