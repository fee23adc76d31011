// Gaussian blur as Pillow does it: three box passes an axis, with a fractional radius (Gwosdek et al., "Theoretical foundations
// of Gaussian convolution by extended box filtering", SSVM 2011), edge samples repeated, rounded to samples after each pass.
#pragma once

#include <cstdint>
#include <vector>

#include "image/image.h"

namespace swav::image {

// One pass: output = (ww * sum of in[x-r..x+r] + fw * (in[x-r-1] + in[x+r+1]) + half) >> 24, weights in 24-bit fixed point.
struct BoxPass {
  int radius;
  uint32_t inner;  // ww
  uint32_t outer;  // fw
};

// The pass whose threefold application has standard deviation sigma.
BoxPass box_pass(float sigma);

struct BlurScratch {
  std::vector<uint64_t> sums;
  Buffer rows;
};

// In place on dense pixels of `channels` samples. sigma 0 leaves them as they are.
template <class T>
void gaussian_blur(T* pixels, int width, int height, int channels, float sigma, BlurScratch& scratch);

}  // namespace swav::image
