#include "training/rank_state.h"

#include <cstring>

namespace swav {
namespace {

// Calls copy(place in the whole, place in the part of rank r, floats) for what the rank holds: of each batch of the whole, rows
// [r * batch, (r + 1) * batch).
template <class F>
void for_stretches(const StateArray& array, int ranks, int r, F&& copy) {
  const int64_t crops = array.shape[0], batches = array.shape[1] / array.batch, stretch = array.batch * array.shape[2];
  for (int64_t i = 0; i < crops * batches; ++i) copy((i * ranks + r) * stretch, i * stretch, stretch);
}

}  // namespace

std::vector<int64_t> whole_shape(const StateArray& array, int ranks) {
  std::vector<int64_t> shape = array.shape;
  if (array.batch > 0) shape[1] *= ranks;
  return shape;
}

std::vector<float> gather_whole(const StateArray& array, Communicator& group) {
  const int64_t count = array.shape[0] * array.shape[1] * array.shape[2];
  std::vector<float> parts(size_t(count * group.size())), whole(parts.size());
  group.gather(array.values, count * int64_t(sizeof(float)), parts.data());
  for (int r = 0; r < group.size(); ++r) {
    for_stretches(array, group.size(), r, [&](int64_t to, int64_t from, int64_t floats) {
      std::memcpy(whole.data() + to, parts.data() + r * count + from, size_t(floats) * sizeof(float));
    });
  }
  return whole;
}

void take_part(const std::vector<float>& whole, const StateArray& array, const Communicator& group) {
  if (array.batch == 0) {
    if (!whole.empty()) std::memcpy(array.values, whole.data(), whole.size() * sizeof(float));
    return;
  }
  for_stretches(array, group.size(), group.rank(), [&](int64_t from, int64_t to, int64_t floats) {
    std::memcpy(array.values + to, whole.data() + from, size_t(floats) * sizeof(float));
  });
}

}  // namespace swav
