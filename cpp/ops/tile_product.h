// The products of a convolution on maps of bfloat16, with sums in float32 (kernels/tiles.h): what product.h is for floats.
//
// A product takes its whole depth in one go, so that a result is rounded once. A row of the depth is, for each tap, the tap's
// channels, rounded up to an even number where two numbers make a word; what lies behind the last tap, up to a step of the
// tiles, is zero in both operands. Operands are rounded to bfloat16 as they are packed, after batch-norm; weights likewise.
//
// Bodies in the order of vectors cut the work alike, whatever their tiles: so their results have the same bits.
#pragma once

#include <vector>

#include "kernels/tiles.h"
#include "ops/product.h"
#include "ops/row_blocks.h"

namespace swav {

class TileProduct {
 public:
  // The gather of a forward product, or of a phase of a backward one, and where its weights lie.
  TileProduct(const Gather& gather, const WeightLayout& layout, const TileKernels& body);

  // Rows of a dense target that an epilogue of product() gets.
  RowBlocks blocks() const { return {gather_.rows(), block_rows_}; }

  // Floats of the workspace: of packed weights, and of weight_gradient.
  int64_t packed_count() const;
  int64_t gradient_workspace() const;
  // Scratch of the workers.
  ScratchSize product_scratch() const;
  ScratchSize gradient_scratch() const;

  // Master weights -> packed [panel][words][columns of a tile] words. Parallel.
  void pack(const float* weights, float* packed) const;

  // target (+)= the product; maps are bfloat16. An epilogue needs a dense target.
  void product(const Operand& source, const float* packed, Values target, bool accumulate, Epilogue epilogue) const;

  // As weight_gradient of product.h, on maps of bfloat16; of a forward gather.
  void weight_gradient(const Operand& source, const Operand& d_target, float* workspace, float* gradient) const;

 private:
  // What a task of weight_gradient works on: panels [p0, p1) of the source's channels, columns [n0, n1), rows up to `end`.
  struct GradientTask {
    int64_t p0, p1, n0, n1, begin, end;
    float *x, *dy, *staging, *results;
  };

  int64_t width() const { return body_->tile.columns; }
  bool widened() const { return body_->numbers == 1; }
  bool in_vector_order() const { return body_->tile.words == 1; }
  int64_t tap_words() const { return ceil_div(gather_.channels, body_->numbers); }
  // Whether a tap spans neighbours of a pixel.
  bool spans() const { return gather_.channels > gather_.pixel; }
  void set_blocking();
  void set_gradient_blocking();
  // `count` weights of a depth each, for n columns, from word `to` on; behind the last row there is NULL.
  void pack_weights(const float* const* rows, int64_t count, int64_t n, float* to) const;
  void pack_by_column(const float* weights, float* packed) const;
  void pack_by_channel(const float* weights, float* packed) const;
  void pack_rows(const Operand& source, int64_t row0, int64_t count, float* panel) const;
  // Where rows [row0, row0 + count) of the product go.
  void target_rows(bfloat16* target, int64_t row0, int64_t count, bfloat16** rows) const;
  // Rows of channels [c0, c1) at a tap, transposed: to [channel][words of row pairs].
  void pack_transposed(const Operand& source, Tap tap, int64_t row, int64_t count, int64_t words, int64_t c0, int64_t c1,
                       float* staging, float* to) const;
  int64_t gradient_rows() const;  // packed at a time
  // Calls body(panel, tap, first channel, one behind the last) for the panels of a task that lie in one tap.
  template <class Body>
  void for_taps(const GradientTask& task, Body body) const;
  // Adds the products of rows [row, row + count) to a task's results.
  void add_words(const GradientTask& task, const Operand& source, const Operand& d_target, int64_t row, int64_t count) const;
  void add_widened(const GradientTask& task, const Operand& source, const Operand& d_target, int64_t row, int64_t count) const;

  Gather gather_;
  WeightLayout layout_;
  const TileKernels* body_;
  std::vector<int32_t> offset_;  // of a depth among a column's weights, where those lie together
  int64_t words_ = 0;            // of a row, with what fills up a step
  int64_t block_rows_ = 0, row_blocks_ = 0, piece_columns_ = 0, column_pieces_ = 0;
  WeightGradientBlocking gradient_{};
};

}  // namespace swav
