// Products of maps of a few pixels, where many windows reach beyond the map: a 3x3 convolution of 2x2 pixels meets padding in
// 20 of 36 places. Here a tap is multiplied for the pixels alone whose window finds the map there, so the rows of a product are
// the same pixel of many images instead of neighbouring pixels.
#pragma once

#include <vector>

#include "ops/product.h"
#include "ops/row_blocks.h"

namespace swav {

class SmallMap {
 public:
  // The gather of a forward product or of a phase of a backward one.
  explicit SmallMap(const Gather& gather);

  // Whether it is faster than gather_product: a function of the gather and the instruction set.
  bool pays() const;

  // Rows of the target that an epilogue of product() gets.
  RowBlocks blocks() const { return {gather_.rows(), block_images_ * pixels_}; }

  // Packed weights take packed_weight_count(gather) floats.
  void pack(const WeightLayout& layout, const float* weights, float* packed) const;
  // As gather_product, of packed weights.
  void product(const Operand& source, const float* packed, float* target, bool accumulate, Epilogue epilogue) const;

  // Scratch of the workers for product and weight_gradient; packing takes as much as pack_weights does.
  ScratchSize product_scratch() const;
  ScratchSize gradient_scratch() const;

  // As weight_gradient.
  int64_t gradient_workspace() const;
  void weight_gradient(const WeightLayout& layout, const Operand& source, const Operand& d_target, float* workspace,
                       float* gradient) const;

 private:
  // A pixel of the product's grid at a tap: the pixels of an image's source and target that meet there.
  struct Place {
    int32_t source, target;
    int32_t grid;  // the pixel's number
    bool first;    // no earlier tap reaches this pixel
  };
  // The weight gradient is cut into blocks of channels and columns, and the images into ranges.
  struct GradientBlocking {
    int64_t channels, channel_blocks, columns, column_blocks, ranges;
  };

  void multiply_tap(const Operand& source, const float* packed, float* target, bool accumulate, int64_t image0, int64_t images,
                    int64_t depth0, int64_t column0, int64_t column1, float* panel) const;
  GradientBlocking gradient_blocking() const;

  Gather gather_;
  int64_t pixels_;                          // of the grid
  int64_t source_pixels_, target_pixels_;   // of an image
  std::vector<std::vector<Place>> places_;  // of each tap
  std::vector<int32_t> unreached_;          // target pixels that no tap reaches
  uint32_t used_ = 0;                       // taps that reach some pixel, a bit each
  double share_ = 0;                        // multiplications against those of gather_product
  int64_t block_images_, block_depth_ = 0;
};

}  // namespace swav
