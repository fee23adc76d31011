#include "image/bmp_runs.h"

#include <cstring>

#include "base/status.h"

namespace swav::image {

int BmpRuns::byte() {
  if (at_ == end_) fail(SWAV_ERROR_FORMAT, "BMP: the data ends early, within run-length codes");
  return *at_++;
}

void BmpRuns::put(uint8_t* row, int value) {
  if (x_ < width_) row[x_++] = uint8_t(value);
}

// Pixels as they are, padded to an even number of bytes.
void BmpRuns::put_pixels(uint8_t* row, int count) {
  const int bytes = pair_ ? (count + 1) / 2 : count;
  for (int i = 0; i < bytes; ++i) {
    const int value = byte();
    put(row, pair_ ? value >> 4 : value);
    if (pair_ && 2 * i + 1 < count) put(row, value & 15);
  }
  // The padding of the last pixels may be missing.
  if (bytes % 2 == 1 && at_ != end_) ++at_;
}

void BmpRuns::read_row(uint8_t* row) {
  std::memset(row, 0, size_t(width_));
  if (ended_) return;
  if (rows_to_pass_ > 0 && --rows_to_pass_ > 0) return;
  enum : int { end_of_row = 0, end_of_picture = 1, jump = 2 };
  for (;;) {
    // The codes that end the last row and the picture may be missing behind its last pixel.
    if (at_ == end_ && x_ == width_) {
      x_ = 0;
      return;
    }
    const int count = byte(), value = byte();
    if (count > 0) {
      for (int i = 0; i < count; ++i) put(row, !pair_ ? value : i % 2 == 0 ? value >> 4 : value & 15);
    } else if (value == end_of_row) {
      x_ = 0;
      return;
    } else if (value == end_of_picture) {
      ended_ = true;
      return;
    } else if (value == jump) {
      const int right = byte(), rows = byte();
      x_ = x_ + right < width_ ? x_ + right : width_;
      rows_to_pass_ = rows;
      if (rows > 0) return;
    } else {
      put_pixels(row, value);
    }
  }
}

}  // namespace swav::image
