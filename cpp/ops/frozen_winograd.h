// 3x3 convolutions of stride 1 of a frozen network in floats, by Winograd's F(4x4, 3x3) (kernels/winograd_transforms.inl.h):
// batch-norm in the weights and bias, residual and ReLU in the output transform.
//
// Where the transformed weights are small, a task takes a few tiles through all three stages in its cache. Where they are
// large, each stage runs over all tiles, so that the weights come from memory once.
#pragma once

#include "base/function_ref.h"
#include "base/scratch.h"
#include "ops/frozen_map.h"

namespace swav {

class FrozenWinograd {
 public:
  // Whether it is faster than the direct method for `images` maps: a function of the shape only.
  static bool pays(int64_t images, int32_t height, int32_t width, int32_t channels, int32_t filters);

  // Borrowed maps of equal size; no margin is needed. residual may be NULL.
  FrozenWinograd(const FrozenMap* source, int32_t channels, int32_t filters, const FrozenMap* target,
                 const FrozenMap* residual);

  int64_t columns() const { return round_up(filters_, kernels().tile_columns); }
  int64_t packed_bytes() const { return 36 * source_->channels * columns() * 4; }
  // Floats that run needs for itself; 0 where tasks use scratch of their own.
  int64_t workspace() const;
  ScratchSize scratch() const;  // of run's workers

  using Weight = FunctionRef<float(int64_t filter, int32_t r, int32_t s, int64_t channel)>;
  void pack(Weight weight, float* packed) const;

  // bias [columns].
  void run(const float* packed, const float* bias, bool relu, float* workspace) const;

 private:
  // Transformed values of a number of tiles: input [36][tiles][in_stride], result [36][tiles][out_stride].
  struct Buffers {
    float *input, *result;
    int64_t tiles;
  };

  int64_t in_stride() const { return source_->channels + 16; }  // never a multiple of 4 KiB
  int64_t out_stride() const { return columns() + 16; }
  void transform(int64_t tile, int64_t index, const Buffers& to) const;
  void multiply(int64_t point, int64_t first, int64_t last, int64_t column, const float* packed, const Buffers& buffers) const;
  void finish(int64_t tile, int64_t index, const Buffers& from, const float* bias, bool relu) const;
  template <int size, class Pixel>
  void pixels(const FrozenMap& map, int64_t tile, int margin, Pixel** to) const;

  const FrozenMap* source_;
  int32_t channels_, filters_;
  const FrozenMap *target_, *residual_;
  int64_t row_tiles_, image_tiles_, tiles_;
  bool staged_;
};

}  // namespace swav
