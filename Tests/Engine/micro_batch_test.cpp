// Micro-batches: codes and loss are those of the whole batch, and gradients too where batch-norm sees the same statistics.
#include <cfloat>
#include <cmath>

#include "rank_share.h"
#include "training_bench.h"
#include "worse.h"

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
// statistics. The same rows otherwise: each image `copies` times, from number `first` on.
std::vector<Floats> copied_crops(const TrainingBench& bench, uint64_t step, int32_t first = -1) {
  std::vector<Floats> groups;
  for (int32_t g = 0; g < bench.config.group_count; ++g) {
    const int64_t image = int64_t(bench.config.crop_sizes[g]) * bench.config.crop_sizes[g] * 3;
    const Floats different = normals(1000 + 10 * step + uint64_t(g), bench.config.crop_counts[g] * images * image);
    Floats all;
    for (int64_t crop = 0; crop < bench.config.crop_counts[g]; ++crop) {
      for (int64_t b = 0; b < images * copies; ++b) {
        const auto begin = different.begin() + (crop * images + (first < 0 ? b : b / copies + first) % images) * image;
        all.insert(all.end(), begin, begin + image);
      }
    }
    groups.push_back(std::move(all));
  }
  return groups;
}

using Gradients = std::map<std::string, Floats>;

Gradients gradients_of(const TrainingBench& bench) {
  Gradients all;
  swav_tensor t;
  for (int64_t i = 0; swav_network_tensor(bench.network, i, &t) == SWAV_OK; ++i) {
    if (t.kind == SWAV_TENSOR_PARAMETER) all[t.name] = gradient_of(bench.network, bench.trainer, t.name);
  }
  return all;
}

// |a - b| / |b|, the largest over the tensors; the norm of one that is zero but for rounding does not count.
double distance(const Gradients& a, const Gradients& b) {
  double largest = 0;
  for (const auto& [name, values] : b) {
    double difference = 0, square = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      difference += std::pow(double(a.at(name)[i]) - double(values[i]), 2);
      square += std::pow(double(values[i]), 2);
    }
    if (!(square <= 1e-12)) largest = worse(largest, std::sqrt(difference / square));
  }
  return largest;
}

// A cosine behind 20 layers, of which each rounds by an eps, as often up as down.
const double score_error = std::sqrt(20.0) * double(FLT_EPSILON);

}  // namespace

// The images in other orders are the yardstick: the same sums, rounded otherwise. What the largest of four of these moves and
// what the parts move are draws of one error. Rounding at the first layers and at the codes weighs most in all tensors, so a
// draw may have as few as four degrees of freedom: the ratio of two is beyond 7.3 once in a thousand (F(4, 4) is beyond 53).
TEST_CASE("micro-batches of the batch's statistics give its loss, codes and gradients") {
  TrainingBench whole(small_network(), copied_training(0)), other(small_network(), copied_training(0)),
      parts(small_network(), copied_training(images));
  const double temperature = double(whole.config.temperature), epsilon = double(whole.config.codes.epsilon);
  for (uint64_t step = 0; step < 2; ++step) {
    REQUIRE(whole.step_on(copied_crops(whole, step), 0.0) == SWAV_OK);
    REQUIRE(parts.step_on(copied_crops(parts, step), 0.0) == SWAV_OK);
    // A code moves by 2 / epsilon of itself times what its score does, and their entropy by as much of itself. The loss is a
    // mean over the predictions of four different images in two crops each, whose slope in the scores is 2 / temperature at
    // most.
    const double of_codes = 2 / epsilon * score_error;
    CHECK(std::abs(whole.report.code_entropy - parts.report.code_entropy) <= of_codes * std::log(12.0));
    CHECK(std::abs(whole.report.loss - parts.report.loss) <=
          (2 / temperature * score_error + of_codes * whole.report.loss) / std::sqrt(8.0));
    const Gradients expected = gradients_of(whole);
    double yardstick = 0;
    for (int32_t first = 0; first < images; ++first) {
      REQUIRE(other.step_on(copied_crops(other, step, first), 0.0) == SWAV_OK);
      yardstick = std::max(yardstick, distance(gradients_of(other), expected));
    }
    REQUIRE(yardstick > 0);
    REQUIRE(yardstick < 1e-4);
    CHECK(distance(gradients_of(parts), expected) <= 7.3 * yardstick);
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
    for (size_t g = 0; g < crops.size(); ++g) own.push_back(share_of(crops[g], config.crop_counts[g], 6, half, 2));
    REQUIRE(alone.step_on(own, 0.0) == SWAV_OK);
    mean += alone.report.loss / 2;
  }
  // Ten times what a rounding of the scores makes of a loss.
  const double rounding = (2 / double(config.temperature) + 2 / double(config.codes.epsilon) * mean) * score_error;
  CHECK(std::abs(mean - parts.report.loss) > 10 * rounding);
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
