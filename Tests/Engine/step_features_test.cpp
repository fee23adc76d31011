// What can be read of a step: the features of its crops.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>

#include "network_twin.h"
#include "training_bench.h"
#include "worse.h"

using namespace swav;
using namespace swav::test;

TEST_CASE("the features of a step are those of its first crop, those of a network in double within a few roundings a layer") {
  for (int32_t micro_batch : {0, 3}) {
    CAPTURE(micro_batch);
    swav_trainer_config config = small_training();
    config.micro_batch = micro_batch;
    TrainingBench bench(small_network(), config);
    const int64_t images = micro_batch > 0 ? micro_batch : config.batch, count = images * bench.description().feature_dim;
    Floats features(size_t(count), 7.0f);
    const auto read = [&](int64_t numbers) { return swav_trainer_read_features(bench.trainer, features.data(), numbers); };
    CHECK(read(count) == SWAV_ERROR_ARGUMENT);
    CHECK(std::string(swav_error_message()).find("before a step, or after one that failed") != std::string::npos);
    // Statistics of batch-norm are over both crops of the resolution, of the images that go through the network at once.
    const Floats all = bench.crops(0)[0];
    const int64_t pixels = 16 * 16 * 3;
    Floats seen(all.begin(), all.begin() + images * pixels);
    seen.insert(seen.end(), all.begin() + config.batch * pixels, all.begin() + (config.batch + images) * pixels);
    const Doubles expected = Twin(bench.description(), bench.parameters()).features(seen, 2 * images, 16, true);
    bench.step(0);
    CHECK(read(count - 1) == SWAV_ERROR_ARGUMENT);
    CHECK(features == Floats(size_t(count), 7.0f));
    REQUIRE(read(count) == SWAV_OK);
    double largest = 0, error = 0;
    for (size_t i = 0; i < features.size(); ++i) {
      largest = std::max(largest, expected[i]);
      error = worse(error, std::abs(double(features[i]) - expected[i]));
    }
    // 20 layers of two roundings each, the sum and its normalisation; a normalised value of the last maps, of 2 x 2 pixels, is
    // at most the root of their rows.
    CHECK(error <= 20 * 2 * std::sqrt(2.0 * double(images) * 4) * FLT_EPSILON * largest);
  }
}
