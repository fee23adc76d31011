#include "comm/process_group.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/status.h"
#include "comm/ordered_sum.h"

namespace swav {
namespace {

// What is exchanged at a time; with what is received twice as much is held. Less where long arrays, the gradients, are summed
// gradually.
constexpr int64_t piece_bytes = int64_t{16} << 20, short_piece_bytes = int64_t{1} << 20;
// Shorter arrays are gathered whole: one message instead of two, and few bytes.
constexpr int64_t gathered_bytes = 16384;

}  // namespace

ProcessGroup::ProcessGroup(const swav_communicator& functions, bool fast, int parts, int64_t bucket)
    : functions_(functions), fast_(fast && functions.sum != nullptr) {
  SWAV_REQUIRE(functions.size >= 1, "communicator.size is %d; 1 or more is allowed", functions.size);
  SWAV_REQUIRE(functions.rank >= 0 && functions.rank < functions.size, "communicator.rank is %d of %d; 0 to %d is allowed",
               functions.rank, functions.size, functions.size - 1);
  SWAV_REQUIRE(functions.gather && functions.broadcast && functions.barrier,
               "communicator: gather, broadcast or barrier is NULL; only sum, exchange, message, begin and advance may be");
  SWAV_REQUIRE((functions.begin == nullptr) == (functions.advance == nullptr),
               "communicator: one of begin and advance is NULL; both or none may be");
  if (functions.size == 1) return;
  if (functions.begin && !fast_ && parts == 1) gradual_.emplace(functions, bucket);
  const size_t total = size_t(functions.size) * size_t(parts);
  // Gathering needs room for the short arrays of all; exchanging for a piece and its sums.
  piece_bytes_ = gradual_ ? short_piece_bytes : piece_bytes;
  sent_.resize(std::max(size_t(piece_bytes_) / sizeof(double) + total + 1, size_t(parts) * gathered_bytes / sizeof(double)));
  received_.resize(std::max(sent_.size(), total * gathered_bytes / sizeof(double)));
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

// [begin, begin + count) of each array.
template <class T>
void ProcessGroup::sum_piece(FunctionRef<T*(int)> array, int parts, int64_t begin, int64_t count) {
  const int ranks = size(), total = ranks * parts;
  T *const sent = reinterpret_cast<T*>(sent_.data()), *const received = reinterpret_cast<T*>(received_.data());
  T* const values = array(0) + begin;
  if (count * int64_t(sizeof(T)) <= gathered_bytes) {
    for (int p = 0; p < parts; ++p) std::memcpy(sent + p * count, array(p) + begin, size_t(count) * sizeof(T));
    gather(sent, parts * count * int64_t(sizeof(T)), received);
    return add_in_order([&](int p) { return received + p * count; }, total, values, count);
  }
  // Each rank gets its slice of every array.
  const int64_t slice = (count + ranks - 1) / ranks, bytes = slice * int64_t(sizeof(T));
  const auto add_slices = [&] { add_in_order([&](int p) { return received + p * slice; }, total, sent, slice); };
  // An array that slices divide goes from where it lies to where it lies.
  if (parts == 1 && slice * ranks == count) {
    exchange(values, bytes, received);
    add_slices();
    return gather(sent, bytes, values);
  }
  for (int64_t r = 0; r < ranks; ++r) {
    const int64_t from = std::min(count, r * slice), some = std::min(slice, count - from);
    for (int p = 0; p < parts; ++p) {
      T* to = sent + (r * parts + p) * slice;
      std::memcpy(to, array(p) + begin + from, size_t(some) * sizeof(T));
      std::fill(to + some, to + slice, T(0));
    }
  }
  exchange(sent, parts * bytes, received);
  add_slices();
  gather(sent, bytes, received);
  std::memcpy(values, received, size_t(count) * sizeof(T));
}

template <class T>
void ProcessGroup::sum_all(FunctionRef<T*(int)> array, int parts, int64_t count) {
  if (count == 0) return;
  if (size() == 1 || fast_) {
    if (parts > 1) add_in_order(array, parts, array(0), count);
    if (size() == 1) return;
    return check(functions_.sum(functions_.context, array(0), count, sizeof(T) == sizeof(double)));
  }
  const int64_t piece = piece_bytes_ / int64_t(sizeof(T)) / parts / size() * size();
  for (int64_t begin = 0; begin < count; begin += piece) sum_piece(array, parts, begin, std::min(piece, count - begin));
}

void ProcessGroup::sum(float* values, int64_t count) {
  const auto array = [&](int) { return values; };
  sum_all(FunctionRef<float*(int)>(array), 1, count);
}
void ProcessGroup::sum(double* values, int64_t count) {
  const auto array = [&](int) { return values; };
  sum_all(FunctionRef<double*(int)>(array), 1, count);
}
void ProcessGroup::sum_parts(FunctionRef<float*(int)> array, int parts, int64_t count) { sum_all(array, parts, count); }
void ProcessGroup::sum_parts(FunctionRef<double*(int)> array, int parts, int64_t count) { sum_all(array, parts, count); }

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
