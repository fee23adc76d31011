// Micro-batches: codes and loss are those of the whole batch, and gradients too where batch-norm sees the same statistics.
#include <cmath>

#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

constexpr int32_t images = 4, copies = 3;

swav_trainer_config copied_training(int32_t micro_batch) {
  swav_trainer_config c = small_training();
  c.batch = images * copies;
  c.micro_batch = micro_batch;
  return c;
}

// Crops of a batch that is `images` images again and again: whatever stretch of so many is looked at has the batch's
// statistics.
std::vector<Floats> copied_crops(const TrainingBench& bench, uint64_t step) {
  std::vector<Floats> groups;
  for (int32_t g = 0; g < bench.config.group_count; ++g) {
    const size_t image = size_t(bench.config.crop_sizes[g]) * size_t(bench.config.crop_sizes[g]) * 3;
    const Floats different =
        normals(1000 + 10 * step + uint64_t(g), int64_t(bench.config.crop_counts[g]) * images * int64_t(image));
    Floats all;
    for (int32_t crop = 0; crop < bench.config.crop_counts[g]; ++crop) {
      const auto begin = different.begin() + std::ptrdiff_t(size_t(crop) * images * image);
      for (int32_t copy = 0; copy < copies; ++copy) all.insert(all.end(), begin, begin + std::ptrdiff_t(images * image));
    }
    groups.push_back(std::move(all));
  }
  return groups;
}

double norm(const Floats& x) {
  double square = 0;
  for (const float v : x) square += double(v) * double(v);
  return std::sqrt(square);
}

}  // namespace

TEST_CASE("micro-batches of the batch's statistics give its loss, codes and gradients") {
  TrainingBench whole(small_network(), copied_training(0)), parts(small_network(), copied_training(images));
  for (uint64_t step = 0; step < 2; ++step) {
    REQUIRE(whole.step_on(copied_crops(whole, step), 0.0) == SWAV_OK);
    REQUIRE(parts.step_on(copied_crops(parts, step), 0.0) == SWAV_OK);
    CHECK(std::abs(whole.report.loss - parts.report.loss) <= 1e-5 * whole.report.loss);
    CHECK(std::abs(whole.report.code_entropy - parts.report.code_entropy) <= 1e-4);
    swav_tensor t;
    for (int64_t i = 0; swav_network_tensor(whole.network, i, &t) == SWAV_OK; ++i) {
      if (t.kind != SWAV_TENSOR_PARAMETER) continue;
      const Floats expected = gradient_of(whole.network, whole.trainer, t.name);
      Floats difference = gradient_of(parts.network, parts.trainer, t.name);
      for (size_t k = 0; k < difference.size(); ++k) difference[k] -= expected[k];
      // Sums of other lengths through some twenty layers, of which each multiplies the rounding of the one before by a few.
      CHECK_MESSAGE(norm(difference) <= 1e-3 * norm(expected) + 1e-9, t.name);
    }
  }
}

TEST_CASE("codes of micro-batches are those of all their images: the loss of each alone is another") {
  swav_trainer_config config = small_training();
  config.micro_batch = 3;
  TrainingBench parts(small_network(), config);
  parts.step(0, 0.0);
  const std::vector<Floats> crops = parts.crops(0);
  config.batch = 3;
  config.micro_batch = 0;
  double mean = 0;
  for (int32_t half = 0; half < 2; ++half) {
    TrainingBench alone(small_network(), config);
    std::vector<Floats> own;
    for (size_t g = 0; g < crops.size(); ++g) {
      const size_t image = size_t(config.crop_sizes[g]) * size_t(config.crop_sizes[g]) * 3;
      Floats part;
      for (int32_t crop = 0; crop < config.crop_counts[g]; ++crop) {
        const auto begin = crops[g].begin() + std::ptrdiff_t((size_t(crop) * 6 + size_t(half) * 3) * image);
        part.insert(part.end(), begin, begin + std::ptrdiff_t(3 * image));
      }
      own.push_back(std::move(part));
    }
    REQUIRE(alone.step_on(own, 0.0) == SWAV_OK);
    mean += alone.report.loss / 2;
  }
  CHECK(std::abs(mean - parts.report.loss) > 1e-3);
}

TEST_CASE("micro-batches with a queue give the same weights, bit for bit, on 1 and 3 threads") {
  swav_trainer_config config = small_training();
  config.micro_batch = 2;
  config.queue_length = 12;
  const auto run = [&](int32_t threads) {
    const Threads team(threads);
    TrainingBench bench(small_network(), config);
    for (uint64_t t = 0; t < 4; ++t) bench.step(t);
    CHECK(bench.report.queue_used);
    return std::pair(bench.report.loss, state_of(bench.network));
  };
  CHECK(run(1) == run(3));
}

TEST_CASE("micro-batches need less memory, and divide the batch") {
  const auto planned = [](int32_t micro_batch) {
    TrainingBench bench(small_network(), copied_training(micro_batch));
    swav_memory_plan plan;
    REQUIRE(swav_trainer_memory(bench.trainer, &plan) == SWAV_OK);
    return plan;
  };
  const swav_memory_plan all = planned(0), part = planned(2);
  CHECK(planned(12).total == all.total);
  // Of a sixth of the batch: the activations are a sixth, and the scores of the whole batch lie beside them.
  CHECK(part.activations < all.activations / 3);
  swav_network_config network_config = small_network();
  swav_network* network = nullptr;
  REQUIRE(swav_network_create(&network_config, 1, &network) == SWAV_OK);
  for (const int32_t wrong : {5, 24, -1}) {
    const swav_trainer_config config = copied_training(wrong);
    swav_trainer* trainer = nullptr;
    CHECK(swav_trainer_create(network, &config, &trainer) == SWAV_ERROR_ARGUMENT);
    CHECK(std::string(swav_error_message()) ==
          "micro_batch is " + std::to_string(wrong) + "; a divisor of the batch, 12, is needed");
  }
  swav_network_destroy(network);
}
