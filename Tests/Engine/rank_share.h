// The images of a batch that are one rank's.
#pragma once

#include <cstdint>
#include <vector>

namespace swav::test {

// Of crops [count][batch][side][side][3]: number `rank` of `ranks` equal parts of each crop's images.
inline std::vector<float> share_of(const std::vector<float>& crops, int64_t count, int64_t batch, int64_t rank, int64_t ranks) {
  const int64_t image = int64_t(crops.size()) / (count * batch), own = batch / ranks;
  std::vector<float> part;
  for (int64_t v = 0; v < count; ++v) {
    const auto begin = crops.begin() + (v * batch + rank * own) * image;
    part.insert(part.end(), begin, begin + own * image);
  }
  return part;
}

}  // namespace swav::test
