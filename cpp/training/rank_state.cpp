#include "training/rank_state.h"

#include <cstring>

namespace swav {
namespace {

// Calls copy(place in the whole, place in the part, floats) for what a part holds: of each batch of the whole, rows
// [part * batch, (part + 1) * batch).
template <class F>
void for_stretches(const StateArray& array, int parts, int part, F&& copy) {
  const int64_t crops = array.shape[0], batches = array.shape[1] / array.batch, stretch = array.batch * array.shape[2];
  for (int64_t i = 0; i < crops * batches; ++i) copy((i * parts + part) * stretch, i * stretch, stretch);
}

}  // namespace

std::vector<int64_t> whole_shape(const StateArray& array, int parts) {
  std::vector<int64_t> shape = array.shape;
  if (array.batch > 0) shape[1] *= parts;
  return shape;
}

std::vector<float> gather_whole(const std::vector<StateArray>& own, Communicator& processes) {
  const StateArray& array = own[0];
  const int64_t count = array.shape[0] * array.shape[1] * array.shape[2];
  const int here = int(own.size()), parts = here * processes.size();
  std::vector<float> mine(size_t(count * here)), all(size_t(count * parts)), whole(all.size());
  for (int part = 0; part < here; ++part)
    std::memcpy(mine.data() + part * count, own[size_t(part)].values, size_t(count) * sizeof(float));
  processes.gather(mine.data(), int64_t(mine.size() * sizeof(float)), all.data());
  for (int part = 0; part < parts; ++part) {
    for_stretches(array, parts, part, [&](int64_t to, int64_t from, int64_t floats) {
      std::memcpy(whole.data() + to, all.data() + part * count + from, size_t(floats) * sizeof(float));
    });
  }
  return whole;
}

void take_part(const std::vector<float>& whole, const StateArray& array, int parts, int part) {
  if (array.batch == 0) {
    if (!whole.empty()) std::memcpy(array.values, whole.data(), whole.size() * sizeof(float));
    return;
  }
  for_stretches(array, parts, part, [&](int64_t from, int64_t to, int64_t floats) {
    std::memcpy(array.values + to, whole.data() + from, size_t(floats) * sizeof(float));
  });
}

}  // namespace swav
