// Samples of a TIFF as stored -> 1 to 4 channels of 8 or 16 bits, as convert_row takes them.
#pragma once

#include <cstdint>
#include <vector>

#include "image/tiff_reader.h"

namespace swav::image {

class TiffPixels {
 public:
  // `alpha`: whether opacity is delivered, where there is one.
  TiffPixels(TIFF* tiff, const TiffLayout& layout, bool alpha);

  int channels() const { return channels_; }
  int bits() const { return bits_; }

  // `count` pixels from number `first` of rows on: one of all samples, or of separate planes one each. The result lives until
  // the next call.
  const void* arrange(const uint8_t* const* rows, int64_t first, int count);

 private:
  template <class T>
  void spread(const uint8_t* row, int64_t first, int64_t count, int step, T* samples) const;
  template <class T>
  const void* arranged(const uint8_t* const* rows, int64_t first, int count);
  template <class T>
  void pick(const T* samples, int count, T* out) const;

  const TiffLayout& layout_;
  bool alpha_;
  int channels_, bits_;
  std::vector<uint8_t> colors_;  // of a palette, [256][3]
  Buffer samples_, out_;
};

}  // namespace swav::image
