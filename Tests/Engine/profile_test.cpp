// Where the time of a step went: that the parts are there and no more than the whole. Their values are for benchmarks.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "training_bench.h"

using namespace swav;
using namespace swav::test;

TEST_CASE("the times of a step are parts of it, and those of its layers add up to its convolutions") {
  TrainingBench bench(small_network(), small_training());
  swav_step_times times;
  REQUIRE(swav_trainer_step_times(bench.trainer, &times) == SWAV_OK);
  CHECK(times.step == 0);
  for (int step = 0; step < 2; ++step) {  // each step counts for itself
    const std::vector<Floats> crops = bench.crops(step);
    const float* pointers[] = {crops[0].data(), crops[1].data()};
    const swav_step_input input{pointers, 0.1, false, true, true};
    REQUIRE(swav_trainer_step(bench.trainer, &input, &bench.report) == SWAV_OK);
    REQUIRE(swav_trainer_step_times(bench.trainer, &times) == SWAV_OK);
    const double convolutions = times.convolution_forward + times.convolution_backward + times.convolution_gradients;
    const double parts = convolutions + times.data + times.normalization + times.head + times.objective + times.update;
    CHECK(times.step > 0);
    CHECK(parts <= times.step);
    for (double part : {times.convolution_forward, times.convolution_backward, times.convolution_gradients, times.normalization,
                        times.head, times.objective, times.update}) {
      CHECK(part > 0);
    }
    double forward = 0, backward = 0, gradients = 0;
    swav_layer_times layer;
    int32_t count = 0, first = 0;
    for (; swav_trainer_layer_times(bench.trainer, count, &layer) == SWAV_OK; ++count) {
      forward += layer.forward, backward += layer.backward_data, gradients += layer.backward_weights;
      CHECK((layer.backward_data == 0) == (std::string(layer.name) == "conv1"));
      first += std::string(layer.name) == "conv1";
      if (std::string(layer.name) == "layer2.0.downsample.0" && layer.height == 16) {
        CHECK(layer.multiplications == layer.images * 8 * 8 * layer.channels * layer.filters);
        CHECK(layer.kernel == 1);
        CHECK(layer.stride == 2);
      }
    }
    CHECK(first == 2);             // two resolutions
    CHECK(count == 2 * (17 + 3));  // of a ResNet-18
    CHECK(forward == doctest::Approx(times.convolution_forward));
    CHECK(backward == doctest::Approx(times.convolution_backward));
    CHECK(gradients == doctest::Approx(times.convolution_gradients));
    CHECK(std::string(swav_error_message()) == "layer 40 of 40");
  }
}

TEST_CASE("the peak is measured with the kernels in use") {
  double peak = 0;
  REQUIRE(swav_measure_peak(&peak) == SWAV_OK);
  CHECK(peak > 0);
  CHECK(std::isfinite(peak));
}

TEST_CASE("multiply_adds sums its chains: each converges to 1 from where it began") {
  for (Isa isa : every_isa) {
    if (!runs(isa)) continue;
    const Kernels& kernel = kernels(isa);
    // x <- x / 2 + 1 / 2 halves the distance to 1 each round.
    CHECK(kernel.multiply_adds(64) == float(2 * kernel.tile_rows * kernel.lanes));
  }
}
