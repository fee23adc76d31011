// Products of maps of a few pixels, where many windows reach beyond the map: a 3x3 convolution of 2x2 pixels meets padding in
// 20 of 36 places. Here a tap is multiplied for the pixels alone whose window finds the map there, so the rows of a product are
// the same pixel of many images instead of neighbouring pixels.
//
// Maps of bfloat16 are multiplied as floats: operands are rounded to bfloat16 as they are packed, and results, once, when all
// taps have been added up.
#pragma once

#include <vector>

#include "ops/product.h"
#include "ops/row_blocks.h"

namespace swav {

class SmallMap {
 public:
  // The gather of a forward product or of a phase of a backward one; storage: of both maps.
  explicit SmallMap(const Gather& gather, Storage storage = Storage::float32);

  // Whether it is faster than gather_product, or than any body of TileProduct in the order of vectors: a function of the
  // gather, the storage and the instruction set.
  bool pays() const;

  // Rows of the target that an epilogue of product() gets.
  RowBlocks blocks() const { return {gather_.rows(), block_images_ * pixels_}; }

  // Packed weights take packed_weight_count(gather) floats.
  void pack(const WeightLayout& layout, const float* weights, float* packed) const;
  // As gather_product, of packed weights.
  void product(const Operand& source, const float* packed, Values target, bool accumulate, Epilogue epilogue) const;

  // Scratch of the workers for product and weight_gradient; packing takes as much as pack_weights does.
  ScratchSize product_scratch() const;
  ScratchSize gradient_scratch() const;

  // As weight_gradient.
  int64_t gradient_workspace() const;
  void weight_gradient(const WeightLayout& layout, const Operand& source, const Operand& d_target, float* workspace,
                       float* gradient) const;

 private:
  // A pixel of the product's grid at a tap, and the pixel of an image's source that it meets there.
  struct Place {
    int32_t source;
    int32_t grid;  // the pixel's number
    bool first;    // no earlier tap reaches this pixel
  };
  // Sums of a block: pixel p of image i at at + i * image + offsets[p], from column0 on.
  struct Sums {
    float* at;
    int64_t image;
    const int64_t* offsets;
  };
  struct Block {
    int64_t image0, images, column0, column1;
  };
  // The weight gradient is cut into blocks of channels and columns, and the images into ranges.
  struct GradientBlocking {
    int64_t channels, channel_blocks, columns, column_blocks, ranges;
  };

  bool half() const { return storage_ == Storage::bfloat16; }
  template <class T>
  void multiply_tap(const Operand& source, const T* data, const float* packed, const Sums& sums, bool accumulate,
                    const Block& block, int64_t depth0, float* panel) const;
  void multiply(const Operand& source, const float* packed, const Sums& sums, bool accumulate, const Block& block,
                float* panel) const;
  void round_sums(const float* sums, bfloat16* target, bool accumulate, const Block& block) const;
  template <class T>
  void add_gradient(const Operand& source, const Operand& d_target, const T* data, const T* d_data, float* workspace) const;
  GradientBlocking gradient_blocking() const;

  Gather gather_;
  Storage storage_;
  int64_t pixels_;                          // of the grid
  int64_t source_pixels_, target_pixels_;   // of an image
  std::vector<std::vector<Place>> places_;  // of each tap
  std::vector<int32_t> unreached_;          // pixels of the grid that no tap reaches
  std::vector<int64_t> target_offsets_;     // of a pixel of the grid among an image's target, in numbers
  std::vector<int64_t> sums_offsets_;       // the same among an image's sums of a piece, for maps of bfloat16
  uint32_t used_ = 0;                       // taps that reach some pixel, a bit each
  double share_ = 0;                        // multiplications against those of gather_product
  int64_t block_images_, block_depth_ = 0;
  int64_t image_blocks_, piece_columns_, pieces_;
};

}  // namespace swav
