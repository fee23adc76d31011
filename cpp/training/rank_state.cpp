#include "training/rank_state.h"

#include <algorithm>
#include <cstring>

#include "comm/on_root.h"

namespace swav {
namespace {

// What a part holds: of each batch of the whole, rows [part * batch, (part + 1) * batch), which are a stretch of so many
// floats; and how many stretches.
int64_t stretch_floats(const StateArray& array) { return array.batch * array.shape[2]; }
int64_t stretches(const StateArray& array) { return array.shape[0] * (array.shape[1] / array.batch); }

}  // namespace

std::vector<int64_t> whole_shape(const StateArray& array, int parts) {
  std::vector<int64_t> shape = array.shape;
  if (array.batch > 0) shape[1] *= parts;
  return shape;
}

std::vector<float> gather_whole(const std::vector<StateArray>& own, Communicator& processes, int64_t piece_floats) {
  const StateArray& array = own[0];
  const int64_t stretch = stretch_floats(array), count = stretches(array), here = int64_t(own.size());
  const int64_t parts = here * processes.size();
  const int64_t most = std::clamp<int64_t>(piece_floats / (stretch * parts), 1, count);  // stretches of a part that go at once
  std::vector<float> mine, all, whole;
  on_all(processes, [&] {
    mine.resize(size_t(here * most * stretch));
    all.resize(size_t(parts * most * stretch));
    if (processes.rank() == 0) whole.resize(size_t(parts * count * stretch));
  });
  for (int64_t begin = 0; begin < count; begin += most) {
    const int64_t some = std::min(most, count - begin), floats = some * stretch;
    for (int64_t part = 0; part < here; ++part)
      std::copy_n(own[size_t(part)].values + begin * stretch, floats, mine.data() + part * floats);
    processes.gather(mine.data(), here * floats * int64_t(sizeof(float)), all.data());
    if (whole.empty()) continue;
    for (int64_t part = 0; part < parts; ++part) {
      for (int64_t i = 0; i < some; ++i)
        std::copy_n(all.data() + part * floats + i * stretch, stretch, whole.data() + ((begin + i) * parts + part) * stretch);
    }
  }
  return whole;
}

void take_part(const std::vector<float>& whole, const StateArray& array, int parts, int part) {
  if (array.batch == 0) {
    if (!whole.empty()) std::memcpy(array.values, whole.data(), whole.size() * sizeof(float));
    return;
  }
  const int64_t stretch = stretch_floats(array);
  for (int64_t i = 0; i < stretches(array); ++i)
    std::copy_n(whole.data() + (i * parts + part) * stretch, stretch, array.values + i * stretch);
}

}  // namespace swav
