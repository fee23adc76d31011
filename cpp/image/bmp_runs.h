// Run-length coding of BMP (RLE8 and RLE4): rows of indices, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>

namespace swav::image {

class BmpRuns {
 public:
  // `pair`: two pixels in a byte.
  BmpRuns(const uint8_t* bytes, size_t size, int width, bool pair)
      : at_(bytes), end_(bytes + size), width_(width), pair_(pair) {}

  // The next row, [width]. Pixels that are jumped over, and those behind an early end of the picture, have index 0; those
  // beyond the end of a row are dropped. Throws SWAV_ERROR_FORMAT where the data ends before the picture does.
  void read_row(uint8_t* row);

 private:
  int byte();
  void put(uint8_t* row, int value);
  void put_pixels(uint8_t* row, int count);

  const uint8_t* at_;
  const uint8_t* end_;
  int width_;
  bool pair_;
  int x_ = 0;
  int rows_to_pass_ = 0;
  bool ended_ = false;
};

}  // namespace swav::image
