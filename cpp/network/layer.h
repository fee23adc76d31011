// One convolution or linear layer with its batch-norm, bound to parameters and to the memory of a plan.
#pragma once

#include <memory>
#include <string>

#include "network/parameters.h"
#include "ops/batch_norm.h"
#include "ops/convolution.h"

namespace swav {

// Which statistics batch-norm uses in a forward pass.
enum class Statistics { batch, running };

// Memory shared by all layers of all passes, valid within one call.
struct Workspace {
  float* products = nullptr;  // packed weights and partial weight gradients
  BlockSums sums, side_sums;  // block moments and gradient sums
};

// The largest need of the layers that were asked, and the scratch of the workers.
struct WorkspaceSize {
  int64_t products = 0, sums = 0;
  ScratchSize scratch;

  void include(const Convolution& convolution);
  void include_sums(int64_t blocks, int64_t channels);
  Workspace take(Arena& arena) const;
};

// Where the time of a layer went since the totals were zeroed.
struct LayerSeconds {
  double forward = 0, backward_data = 0, backward_weights = 0;
};

// Batch-norm of one layer in one pass. Parameters are borrowed; gradients are NULL where nothing is trained.
struct Norm {
  std::string name;  // of the batch-norm in the state dict; set by bind
  BatchNormValues values;
  const float *gamma = nullptr, *beta = nullptr;
  float *d_gamma = nullptr, *d_beta = nullptr;
  float *running_mean = nullptr, *running_variance = nullptr;
  int64_t* tracked = nullptr;

  // gradients: base of the gradient array with the parameters' offsets, or NULL.
  void bind(Parameters& parameters, const std::string& norm_name, float* gradients);
  // The running statistics instead of the batch's, as constants: in the backward no gradient passes through them.
  void use_running();
  // Whether mean and variance are: what update_buffers takes.
  bool is_finite() const;
  void update_buffers();
  Operand activated(ConstValues y) const { return {y, Transform::norm_relu, nullptr, values.scale, values.shift, nullptr}; }
  Operand gradient(ConstValues d, ConstValues y) const { return {d, Transform::gradient, y, values.a, values.b, values.c}; }
};

// A product and the batch-norm behind it.
class Layer {
 public:
  Layer(const ConvolutionLayer& layer, int64_t images, int32_t height, int32_t width, Convolution::Input input, bool direct,
        Storage storage);

  const Convolution& convolution() const { return convolution_; }
  const std::string& name() const { return name_; }
  int64_t rows() const { return convolution_.shape().out_rows(); }
  int64_t out_count() const { return convolution_.shape().out_count(); }

  void bind(Parameters& parameters, float* gradients);
  void take(Arena& arena) { norm.values.take(arena, convolution_.shape().filters); }

  // y = convolution of x, and the coefficients of its batch-norm.
  void forward(const Operand& x, Statistics statistics, Communicator& communicator, const Workspace& workspace);

  // Weight gradient for dy = gradient of y, given by its operand.
  void backward_weights(const Operand& x, const Operand& dy, const Workspace& workspace);

  // dx (+)= the gradient towards x; the epilogue gets blocks of convolution().backward_blocks().
  void backward_data(const Operand& dy, Values dx, bool accumulate, const Workspace& workspace, Epilogue epilogue = {});

  // The same where x = ReLU(batch-norm of before.y): dx becomes the gradient behind that batch-norm, whose coefficients are
  // set.
  void backward_data_through(Layer& before, const Operand& dy, Values dx, Communicator& communicator,
                             const Workspace& workspace);

  // Coefficients of the backward of this batch-norm from sums over `blocks` blocks.
  void backward_norm(const BlockSums& sums, int64_t blocks, Communicator& communicator);

  // In the gradient array; NULL where nothing is trained.
  const float* weight_gradient() const { return d_weight_; }

  Values y;  // [rows][filters], output before batch-norm
  Norm norm;
  LayerSeconds seconds;

 private:
  Convolution convolution_;
  std::string name_, norm_name_;
  const float* weight_ = nullptr;
  float* d_weight_ = nullptr;
};

}  // namespace swav
