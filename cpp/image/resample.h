// Antialiased bilinear resizing with Pillow's arithmetic: the triangle filter widens with the reduction, and a horizontal and a
// vertical pass each round to samples. 8-bit samples use weights in 22-bit fixed point, 16-bit samples in double. The
// horizontal pass comes first, unless the height shrinks by more than twice as many pixels as the width: Pillow's rule since
// version 13; earlier ones always begin horizontally, which differs by at most one level.
#pragma once

#include <cstdint>
#include <vector>

#include "image/image.h"

namespace swav::image {

// Weights of the output samples `first` .. `first + count - 1` when the interval [begin, begin + in) of the input, 0 <= begin <
// 1, becomes `out` samples. Output i is the sum over k < length[i] of weight[i * stride + k] * input[lowest + start[i] + k].
struct Filter {
  int lowest = 0, needed = 0;  // inputs lowest .. lowest + needed - 1 are used
  int stride = 0;
  std::vector<int> start, length;
  std::vector<double> weight;
  std::vector<int32_t> fixed;  // weight * 2^22, rounded

  void prepare(double begin, double in, int out, int first, int count);
};

// Scratch memory of one thread for resize.
struct ResizeScratch {
  Filter horizontal, vertical;
  Buffer rows;
  std::vector<int32_t> sums;
};

struct ResizeShape {
  int width, height;
  int resized_width, resized_height;
  int offset_x, offset_y;
  int size;
  int channels;  // 1 or 3

  bool vertical_first() const {
    return height > resized_height && int64_t(height) - resized_height > 2 * (int64_t(width) - resized_width);
  }
};

// Resizes `source` (width x height pixels, rows `stride` samples apart) to resized_width x resized_height and writes the window
// of size x size pixels at (offset_x, offset_y) of the result densely to `output`. Only what the window needs is computed.
// A pass whose length does not change is skipped, as in Pillow. T is uint8_t or uint16_t.
template <class T>
void resize(const T* source, int64_t stride, const ResizeShape& shape, ResizeScratch& scratch, T* output);

}  // namespace swav::image
