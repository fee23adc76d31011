// Training in bfloat16: same bits on any number of threads and after a resume, memory, and what a checkpoint and an overflow
// say. What it computes is compared with PyTorch in parity_test.cpp.
#include <cmath>

#include "checkpoint_bench.h"
#include "network_twin.h"
#include "ops/pool.h"
#include "ops/residual.h"

using namespace swav;
using namespace swav::test;

namespace {

swav_trainer_config rounded(swav_trainer_config config) {
  config.bfloat16 = true;
  return config;
}

State trained(const swav_network_config& network, const swav_trainer_config& config, int32_t threads) {
  const Threads team(threads);
  TrainingBench bench(network, config);
  for (uint64_t t = 0; t < 3; ++t) bench.step(t);
  return state_of(bench.network);
}

// Coefficients of a batch-norm.
struct Coefficients {
  Floats mean, scale, shift;
  BatchNormValues v;
  Coefficients(uint64_t seed, int64_t n) : mean(normals(seed, n)), scale(normals(seed + 1, n)), shift(normals(seed + 2, n)) {
    v.channels = n, v.mean = mean.data(), v.scale = scale.data(), v.shift = shift.data();
  }
};

struct Sums {
  Floats first, second;
  explicit Sums(int64_t count) : first(size_t(count)), second(size_t(count)) {}
  BlockSums borrowed() { return {first.data(), second.data()}; }
  bool operator==(const Sums&) const = default;
};

}  // namespace

TEST_CASE("training in bfloat16 gives the same weights, bit for bit, on 1, 2 and 3 threads") {
  for (const auto& [depth, stem] : {std::pair{18, SWAV_STEM_SMALL}, {50, SWAV_STEM_IMAGENET}}) {
    CAPTURE(depth);
    const State one = trained(small_network(depth, stem), rounded(small_training()), 1);
    CHECK(one != trained(small_network(depth, stem), small_training(), 1));
    for (int32_t threads : {2, 3}) CHECK(trained(small_network(depth, stem), rounded(small_training()), threads) == one);
  }
  CHECK(trained(wide_network(), rounded(wide_training()), 3) == trained(wide_network(), rounded(wide_training()), 1));
}

TEST_CASE("training in bfloat16 that is resumed has the weights of training without a break, bit for bit") {
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint";
  const swav_trainer_config config = rounded(with_queue());
  TrainingBench straight(small_network(50), config), resumed(small_network(50), config, 99);
  run(straight, 0, 3);
  REQUIRE_MESSAGE(swav_trainer_save(straight.trainer, path.c_str(), nullptr) == SWAV_OK, swav_error_message());
  run(straight, 3, 6);
  resumed.step(50);
  swav_checkpoint_info info;
  REQUIRE_MESSAGE(swav_trainer_load(resumed.trainer, path.c_str(), &info) == SWAV_OK, swav_error_message());
  CHECK(std::string(info.warning).empty());
  run(resumed, 3, 6);
  CHECK(resumed.report.loss == straight.report.loss);
  CHECK(state_of(resumed.network) == state_of(straight.network));
}

TEST_CASE("a checkpoint belongs to float32 or to bfloat16, and says which") {
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint";
  TrainingBench plain(small_network(), small_training()), half(small_network(), rounded(small_training()));
  REQUIRE(swav_trainer_save(half.trainer, path.c_str(), nullptr) == SWAV_OK);
  CHECK(load_message(plain, path, SWAV_ERROR_FORMAT).find("bfloat16: file has 1, this run has 0") != std::string::npos);
  REQUIRE(swav_trainer_save(plain.trainer, path.c_str(), nullptr) == SWAV_OK);
  CHECK(load_message(half, path, SWAV_ERROR_FORMAT).find("bfloat16: file has 0, this run has 1") != std::string::npos);
}

TEST_CASE("activations in bfloat16 take less memory, and the plan stays the sum of its parts") {
  swav_memory_plan plain, half;
  TrainingBench floats_bench(small_network(50, SWAV_STEM_IMAGENET), small_training());
  TrainingBench halves_bench(small_network(50, SWAV_STEM_IMAGENET), rounded(small_training()));
  REQUIRE(swav_trainer_memory(floats_bench.trainer, &plain) == SWAV_OK);
  REQUIRE(swav_trainer_memory(halves_bench.trainer, &half) == SWAV_OK);
  // Batch-norm's values, features and the head, and places of the maximum, stay as they are.
  CHECK(half.activations < plain.activations);
  CHECK(half.total ==
        half.parameters + half.gradients + half.optimizer + half.activations + half.workspace + half.queue + half.scratch);
  CHECK(half.parameters == plain.parameters);
  CHECK(half.gradients == plain.gradients);
  CHECK(half.optimizer == plain.optimizer);
}

TEST_CASE("what is not finite in a step of bfloat16 is named as in float32, and nothing changes") {
  std::string of_floats;
  for (bool bfloat16 : {false, true}) {
    CAPTURE(bfloat16);
    swav_trainer_config config = small_training();
    config.bfloat16 = bfloat16;
    TrainingBench bench(small_network(), config);
    bench.step(0);
    // Finite, and their sums are not.
    Floats weight = values_of(bench.network, "layer3.0.conv1.weight");
    for (float& w : weight) w = w > 0 ? 3e38f : -3e38f;
    set_values(bench.network, "layer3.0.conv1.weight", weight);
    const State before = state_of(bench.network);
    CHECK(bench.step_on(bench.crops(1)) == SWAV_ERROR_NUMERIC);
    CHECK(std::string(swav_error_message()).find("the first value that is not is in layer3.0.conv1") != std::string::npos);
    CHECK(state_of(bench.network) == before);
    std::vector<Floats> crops = bench.crops(1);
    crops[1][5] = std::numeric_limits<float>::quiet_NaN();
    CHECK(bench.step_on(crops) == SWAV_ERROR_NUMERIC);
    const std::string message = swav_error_message();
    CHECK(message.find("the first value that is not is in ") != std::string::npos);
    if (!bfloat16) of_floats = message;
    CHECK(message == of_floats);
    CHECK(state_of(bench.network) == before);
  }
}

// The passes round each result once: to the bit what the passes over floats give for the same numbers, rounded. Those are
// compared with loops in double in batch_norm_test.cpp and pool_test.cpp.
TEST_CASE("residual sums in bfloat16, forward and backward, are those in float32, rounded once") {
  const int64_t rows = 150, n = 37, count = rows * n;
  const Coefficients main(1, n), other(11, n);
  const std::vector<bfloat16> y = rounded(normals(21, count)), side = rounded(normals(22, count)),
                              d = rounded(normals(23, count));
  const Floats y_floats = widened(y), side_floats = widened(side);
  for (bool projected : {false, true}) {
    const ResidualLink half_link{y.data(), &main.v, side.data(), projected ? &other.v : nullptr};
    const ResidualLink link{y_floats.data(), &main.v, side_floats.data(), projected ? &other.v : nullptr};
    std::vector<bfloat16> half_sum(static_cast<size_t>(count)), half_d = d;
    Floats sum(static_cast<size_t>(count)), d_floats = widened(d);
    residual_forward(&half_link, 1, rows, half_sum.data());
    residual_forward(&link, 1, rows, sum.data());
    CHECK(widened(half_sum) == widened(rounded(sum)));
    const int64_t blocks = (rows + pass_block_rows(n) - 1) / pass_block_rows(n) * n;
    Sums a(blocks), b(blocks), a_side(blocks), b_side(blocks);
    const Floats rounded_sum = widened(half_sum);
    ResidualGradient half_gradient{half_sum.data(), y.data(), &main.v, a.borrowed(), nullptr, nullptr, {}};
    ResidualGradient gradient{rounded_sum.data(), y_floats.data(), &main.v, b.borrowed(), nullptr, nullptr, {}};
    if (projected) {
      half_gradient.projected = side.data(), gradient.projected = side_floats.data();
      half_gradient.projected_norm = gradient.projected_norm = &other.v;
      half_gradient.projected_sums = a_side.borrowed(), gradient.projected_sums = b_side.borrowed();
    }
    residual_backward(half_d.data(), half_gradient, rows);
    residual_backward(d_floats.data(), gradient, rows);
    CHECK(widened(half_d) == d_floats);
    CHECK(a == b);
    CHECK(a_side == b_side);
  }
}

TEST_CASE("moments and the backward of ReLU in bfloat16 are those in float32 of the same numbers") {
  const int64_t rows = 31, n = 45, count = rows * n;
  const Coefficients c(1, n);
  const std::vector<bfloat16> y = rounded(normals(2, count)), d = rounded(normals(3, count));
  const Floats y_floats = widened(y);
  Sums a(n), b(n);
  block_moments(y.data(), n, rows, n, a.first.data(), a.second.data());
  block_moments(y_floats.data(), n, rows, n, b.first.data(), b.second.data());
  CHECK(a == b);
  std::vector<bfloat16> half = d;
  Floats whole = widened(d);
  relu_backward(half.data(), y.data(), n, rows, n, c.v.scale, c.v.shift, c.v.mean, a.first.data(), a.second.data());
  relu_backward(whole.data(), y_floats.data(), n, rows, n, c.v.scale, c.v.shift, c.v.mean, b.first.data(), b.second.data());
  CHECK(widened(half) == whole);
  CHECK(a == b);
}

TEST_CASE("pooling in bfloat16, forward and backward, is that in float32, rounded once") {
  const PoolShape s{2, 9, 7, 21};
  const int64_t count = s.images * s.height * s.width * s.channels;
  const Coefficients c(1, s.channels);
  const std::vector<bfloat16> y = rounded(normals(2, count)), d = rounded(normals(3, s.out_count()));
  const Floats y_floats = widened(y), d_floats = widened(d);
  std::vector<bfloat16> out(size_t(s.out_count())), dz(static_cast<size_t>(count));
  Floats out_floats(size_t(s.out_count())), dz_floats(static_cast<size_t>(count));
  std::vector<uint8_t> index(size_t(s.out_count())), index_floats(size_t(s.out_count()));
  Sums a(max_pool_blocks(s) * s.channels), b(max_pool_blocks(s) * s.channels);
  max_pool_forward(s, y.data(), c.v, out.data(), index.data());
  max_pool_forward(s, y_floats.data(), c.v, out_floats.data(), index_floats.data());
  CHECK(widened(out) == widened(rounded(out_floats)));
  CHECK(index == index_floats);
  max_pool_backward(s, d.data(), index.data(), y.data(), c.v, dz.data(), a.borrowed());
  max_pool_backward(s, d_floats.data(), index.data(), y_floats.data(), c.v, dz_floats.data(), b.borrowed());
  CHECK(widened(dz) == widened(rounded(dz_floats)));

  const int64_t pixels = 6, channels = 35;
  const std::vector<bfloat16> x = rounded(normals(4, 3 * pixels * channels));
  const Floats x_floats = widened(x), d_features = normals(5, 3 * channels);
  Floats features(3 * channels), expected(3 * channels), dx_floats(x.size());
  std::vector<bfloat16> dx(x.size());
  average_pool_forward(x.data(), 3, pixels, channels, features.data());
  average_pool_forward(x_floats.data(), 3, pixels, channels, expected.data());
  CHECK(features == expected);
  average_pool_backward(d_features.data(), 3, pixels, channels, dx.data());
  average_pool_backward(d_features.data(), 3, pixels, channels, dx_floats.data());
  CHECK(widened(dx) == widened(rounded(dx_floats)));
}
