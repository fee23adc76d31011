// Where the time of the last step went.
#include "base/status.h"
#include "training/trainer.h"

namespace swav {

void Trainer::reset_times() {
  times_ = {};
  for (Pass& pass : passes_) pass.backbone.reset_times();
}

swav_step_times Trainer::step_times() const {
  swav_step_times times = times_;
  for (const Pass& pass : passes_) {
    times.data += pass.backbone.data_seconds();
    times.normalization += pass.backbone.normalization_seconds();
    pass.backbone.for_each_layer([&](const Layer& layer) {
      times.convolution_forward += layer.seconds.forward;
      times.convolution_backward += layer.seconds.backward_data;
      times.convolution_gradients += layer.seconds.backward_weights;
    });
  }
  return times;
}

swav_layer_times Trainer::layer_times(int32_t index) const {
  swav_layer_times times{};
  int32_t at = 0;
  for (const Pass& pass : passes_) {
    pass.backbone.for_each_layer([&](const Layer& layer) {
      if (at++ != index) return;
      const ConvolutionShape& s = layer.convolution().shape();
      times = {layer.name().c_str(),
               layer.convolution().algorithm(),
               s.images,
               s.height,
               s.width,
               s.channels,
               s.filters,
               s.kernel,
               s.stride,
               s.multiplications(),
               layer.seconds.forward,
               layer.seconds.backward_data,
               layer.seconds.backward_weights};
    });
  }
  SWAV_REQUIRE(times.name != nullptr, "layer %d of %d", index, at);
  return times;
}

}  // namespace swav
