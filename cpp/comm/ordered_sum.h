// Sums of arrays in one order, whatever the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/parallel.h"

namespace swav {

// values[i] = sum over 0 <= part < parts, in order, of array(part)[i], for begin <= i < end, in the calling thread; values may
// be array(0).
template <class T, class F>
void add_in_order(F&& array, int parts, T* values, int64_t begin, int64_t end) {
  const T* first = array(0);
  for (int64_t i = begin; i < end; ++i) values[i] = first[i];
  for (int p = 1; p < parts; ++p) {
    const T* part = array(p);
    for (int64_t i = begin; i < end; ++i) values[i] += part[i];
  }
}

// The same for i < count, by the team.
template <class T, class F>
void add_in_order(F&& array, int parts, T* values, int64_t count) {
  constexpr int64_t numbers_a_task = 32768;
  const auto add = [&](int64_t begin, int64_t end) { add_in_order(array, parts, values, begin, end); };
  if (count <= numbers_a_task) return add(0, count);
  parallel::for_each((count + numbers_a_task - 1) / numbers_a_task,
                     [&](int64_t task, int) { add(task * numbers_a_task, std::min(count, (task + 1) * numbers_a_task)); });
}

}  // namespace swav
