// A convolution with its two backward products. Activations NHWC, weights in torchvision's order
// [filters][channels][kernel][kernel].
#pragma once

#include <optional>
#include <vector>

#include "ops/product.h"
#include "ops/row_blocks.h"
#include "ops/small_map.h"
#include "ops/tile_product.h"
#include "ops/winograd.h"

namespace swav {

struct ConvolutionShape {
  int64_t images = 0;
  int32_t height = 1, width = 1, channels = 0;
  int32_t filters = 0, kernel = 1, stride = 1, padding = 0;

  int32_t out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int32_t out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
  int64_t in_count() const { return images * height * width * channels; }
  int64_t out_rows() const { return images * out_height() * out_width(); }
  int64_t out_count() const { return out_rows() * filters; }
  int64_t multiplications() const { return out_count() * channels * kernel * kernel; }
};

class Convolution {
 public:
  // An image convolution has few channels: its input is first copied into a frame of zeros (pad_image), so that one tap can
  // span a whole row of the window, neighbours included. It has no backward towards the data.
  enum class Input { activation, image };

  // direct: without Winograd, whatever the shape. storage: of all maps; those of bfloat16 are multiplied by `body`, but where
  // Winograd in float32 pays: beside vectors, not beside the tiles of AMX.
  explicit Convolution(const ConvolutionShape& shape, Input input = Input::activation, bool direct = false,
                       Storage storage = Storage::float32, const TileKernels& body = tiles());

  const ConvolutionShape& shape() const { return shape_; }

  // Floats of the workspace for packed weights and for partial weight gradients, over all three products.
  int64_t workspace() const;
  // Scratch of the workers, over all three products.
  ScratchSize scratch() const;
  // Numbers of the framed copy of an image input.
  int64_t framed_count() const;

  // image [images][height][width][channels] -> frame [images][height + 2p][width + 2p][channels].
  void pad_image(const float* image, Values frame) const;

  // y [images][out_height][out_width][filters].
  void forward(const Operand& x, const float* weights, float* workspace, Values y, Epilogue epilogue) const;

  // dx (+)= gradient towards x. The epilogue sees complete row blocks of dx; for strides they are visited in a pass of its own.
  void backward_data(const Operand& dy, const float* weights, float* workspace, Values dx, bool accumulate,
                     Epilogue epilogue) const;

  // d_weights += gradient towards the weights.
  void backward_weights(const Operand& x, const Operand& dy, float* workspace, float* d_weights) const;

  // Blocks that an epilogue of forward or backward_data gets.
  RowBlocks forward_blocks() const;
  RowBlocks backward_blocks() const;

  // "direct", "winograd", "small-map": direct without the taps that meet padding, or "tiles": direct, multiplied in bfloat16.
  const char* algorithm() const { return winograd_ ? "winograd" : tiles_ ? "tiles" : small_ ? "small-map" : "direct"; }

 private:
  struct Phase {
    Gather gather;
    WeightLayout layout;
    std::optional<SmallMap> small;
    std::optional<TileProduct> tiles;
  };

  // The shape that Winograd's products see: forward, or backward towards the data.
  WinogradShape tiled(bool backward) const;
  void add_phases();
  bool dense_backward() const { return phases_.size() == 1 && phases_[0].gather.dense(); }

  ConvolutionShape shape_;
  bool winograd_ = false;
  Gather forward_;
  WeightLayout forward_layout_;
  std::optional<SmallMap> small_;
  std::optional<TileProduct> tiles_;
  std::vector<Phase> phases_;  // of the backward towards the data
};

}  // namespace swav
