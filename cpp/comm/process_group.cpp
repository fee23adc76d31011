#include "comm/process_group.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "base/parallel.h"
#include "base/status.h"

namespace swav {
namespace {

// What is exchanged at a time; with what is received and gathered three times as much is held.
constexpr int64_t piece_bytes = int64_t{4} << 20;
// Shorter arrays are gathered whole: one message instead of two, and few bytes.
constexpr int64_t gathered_bytes = 16384;
constexpr int64_t numbers_a_task = 32768;

// values[i] = sum over ranks, in order, of parts[rank * stride + i].
template <class T>
void add_in_order(const T* parts, int64_t stride, int ranks, T* values, int64_t count) {
  const auto add = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) values[i] = parts[i];
    for (int r = 1; r < ranks; ++r) {
      const T* part = parts + r * stride;
      for (int64_t i = begin; i < end; ++i) values[i] += part[i];
    }
  };
  if (count <= numbers_a_task) return add(0, count);
  parallel::for_each((count + numbers_a_task - 1) / numbers_a_task,
                     [&](int64_t task, int) { add(task * numbers_a_task, std::min(count, (task + 1) * numbers_a_task)); });
}

// As std::max, but a NaN stays one, whichever side it is on.
float larger(float a, float b) { return std::isnan(a) || a > b ? a : b; }

}  // namespace

ProcessGroup::ProcessGroup(const swav_communicator& functions, bool fast)
    : functions_(functions), fast_(fast && functions.sum != nullptr) {
  SWAV_REQUIRE(functions.size >= 1, "communicator.size is %d; 1 or more is allowed", functions.size);
  SWAV_REQUIRE(functions.rank >= 0 && functions.rank < functions.size, "communicator.rank is %d of %d; 0 to %d is allowed",
               functions.rank, functions.size, functions.size - 1);
  SWAV_REQUIRE(functions.gather && functions.broadcast && functions.barrier,
               "communicator: gather, broadcast or barrier is NULL; only sum, exchange and message may be");
  const size_t count = functions.size == 1 ? 0 : size_t(piece_bytes) / sizeof(double) + size_t(functions.size) + 1;
  sent_.resize(count);
  // Gathering needs room for all ranks' short arrays; exchanging for a piece and its sums.
  received_.resize(functions.size == 1 ? 0 : std::max(2 * count, size_t(functions.size) * gathered_bytes / sizeof(double)));
}

void ProcessGroup::check(swav_status status) const {
  if (status == SWAV_OK) return;
  const char* text = functions_.message ? functions_.message(functions_.context) : nullptr;
  throw Error(status, text && *text ? text : "the communicator failed");
}

void ProcessGroup::gather(const void* mine, int64_t bytes, void* all) {
  check(functions_.gather(functions_.context, mine, bytes, all));
}

void ProcessGroup::broadcast(void* values, int64_t bytes, int root) {
  check(functions_.broadcast(functions_.context, values, bytes, root));
}

void ProcessGroup::barrier() { check(functions_.barrier(functions_.context)); }

// Without a function for it: gathers everything and takes its own part of each rank's.
void ProcessGroup::exchange(const void* parts, int64_t bytes, void* received) {
  if (functions_.exchange) return check(functions_.exchange(functions_.context, parts, bytes, received));
  std::vector<char> all(size_t(bytes) * size_t(size()) * size_t(size()));
  gather(parts, bytes * size(), all.data());
  for (int r = 0; r < size(); ++r) {
    std::memcpy(static_cast<char*>(received) + r * bytes, all.data() + (int64_t(r) * size() + rank()) * bytes, size_t(bytes));
  }
}

template <class T>
void ProcessGroup::sum_piece(T* values, int64_t count) {
  const int ranks = size();
  T* const received = reinterpret_cast<T*>(received_.data());
  if (count * int64_t(sizeof(T)) <= gathered_bytes) {
    gather(values, count * int64_t(sizeof(T)), received);
    return add_in_order(received, count, ranks, values, count);
  }
  const int64_t slice = (count + ranks - 1) / ranks, bytes = slice * int64_t(sizeof(T));
  T* const sent = reinterpret_cast<T*>(sent_.data());
  std::memcpy(sent, values, size_t(count) * sizeof(T));
  std::fill(sent + count, sent + slice * ranks, T(0));
  exchange(sent, bytes, received);
  add_in_order(received, slice, ranks, sent, slice);
  gather(sent, bytes, received);
  std::memcpy(values, received, size_t(count) * sizeof(T));
}

template <class T>
void ProcessGroup::sum_all(T* values, int64_t count) {
  if (size() == 1 || count == 0) return;
  if (fast_) {
    return check(functions_.sum(functions_.context, values, count, sizeof(T) == sizeof(double)));
  }
  const int64_t piece = piece_bytes / int64_t(sizeof(T));
  for (int64_t begin = 0; begin < count; begin += piece) sum_piece(values + begin, std::min(piece, count - begin));
}

void ProcessGroup::sum(float* values, int64_t count) { sum_all(values, count); }
void ProcessGroup::sum(double* values, int64_t count) { sum_all(values, count); }

void ProcessGroup::max(float* values, int64_t count) {
  if (size() == 1) return;
  const int64_t piece = gathered_bytes / int64_t(sizeof(float));
  float* const received = reinterpret_cast<float*>(received_.data());
  for (int64_t begin = 0; begin < count; begin += piece) {
    const int64_t some = std::min(piece, count - begin);
    gather(values + begin, some * int64_t(sizeof(float)), received);
    for (int r = 0; r < size(); ++r) {
      for (int64_t i = 0; i < some; ++i) values[begin + i] = larger(values[begin + i], received[r * some + i]);
    }
  }
}

Neighbours::Neighbours(Communicator& group, int width)
    : group_(group), first_(group.rank() / width * width), size_(std::min(width, group.size() - first_)) {}

char* Neighbours::all(int64_t bytes) {
  if (int64_t(all_.size()) < bytes * group_.size()) all_.resize(size_t(bytes * group_.size()));
  return all_.data();
}

template <class T, class F>
void Neighbours::combine(T* values, int64_t count, F two) {
  const int64_t bytes = count * int64_t(sizeof(T));
  const T* parts = reinterpret_cast<const T*>(all(bytes)) + first_ * count;
  group_.gather(values, bytes, all(bytes));
  for (int64_t i = 0; i < count; ++i) {
    values[i] = parts[i];
    for (int r = 1; r < size_; ++r) values[i] = two(values[i], parts[r * count + i]);
  }
}

void Neighbours::sum(float* values, int64_t count) { combine(values, count, std::plus<float>()); }
void Neighbours::sum(double* values, int64_t count) { combine(values, count, std::plus<double>()); }
void Neighbours::max(float* values, int64_t count) { combine(values, count, larger); }

void Neighbours::gather(const void* mine, int64_t bytes, void* to) {
  group_.gather(mine, bytes, all(bytes));
  std::memcpy(to, all_.data() + first_ * bytes, size_t(size_ * bytes));
}

void Neighbours::broadcast(void* values, int64_t bytes, int root) {
  group_.gather(values, bytes, all(bytes));
  std::memcpy(values, all_.data() + (first_ + root) * bytes, size_t(bytes));
}

}  // namespace swav
