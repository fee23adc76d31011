// The training step: facts 16, 21 and 23, the queue in use, same bits on any number of threads, and errors that change nothing.
#include <cfloat>
#include <cmath>
#include <limits>

#include "network_twin.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

swav_trainer_config groups(std::initializer_list<swav_crop_group> list, int32_t batch = 6) {
  swav_trainer_config c = small_training();
  c.group_count = 0;
  c.batch = batch;
  for (const swav_crop_group& g : list) {
    c.crop_counts[c.group_count] = g.count;
    c.crop_sizes[c.group_count++] = g.size;
  }
  return c;
}

int64_t tracked(swav_network* network, const char* name) {
  int64_t count = -1;
  const int64_t index = index_of(network, std::string(name) + ".num_batches_tracked");
  REQUIRE(swav_network_read_tensor(network, index, &count, 1) == SWAV_OK);
  return count;
}

double norm(const float* x, size_t n) {
  double square = 0;
  for (size_t i = 0; i < n; ++i) square += double(x[i]) * double(x[i]);
  return std::sqrt(square);
}

constexpr size_t prototype_count = 12, dim = 8;  // of small_network

}  // namespace

TEST_CASE("batch-norm statistics are per resolution, large crops first, and joint in the head") {
  TrainingBench bench(small_network(), small_training());
  Twin twin(bench.description(), bench.parameters());
  const std::vector<Floats> crops = bench.crops(0);
  const Doubles large = twin.features(crops[0], 12, 16, true);
  const std::map<std::string, TwinMoments> first = twin.moments;
  const Doubles small = twin.features(crops[1], 12, 8, true);
  const std::map<std::string, TwinMoments> second = twin.moments;
  Doubles all = large;
  all.insert(all.end(), small.begin(), small.end());
  twin.embeddings(all, true);
  bench.step(0);
  const auto unbiased = [](const TwinMoments& m, size_t c) { return m.variance[c] * m.count / (m.count - 1); };
  for (const auto& [name, a] : first) {
    const TwinMoments& b = second.at(name);
    const Floats mean = values_of(bench.network, name + ".running_mean"),
                 variance = values_of(bench.network, name + ".running_var");
    for (size_t c = 0; c < mean.size(); ++c) {
      const double expected_mean = 0.9 * 0.1 * a.mean[c] + 0.1 * b.mean[c];
      const double expected_variance = 0.9 * (0.9 + 0.1 * unbiased(a, c)) + 0.1 * unbiased(b, c);
      CHECK_MESSAGE(std::abs(double(mean[c]) - expected_mean) <= 1e-4 * (std::abs(a.mean[c]) + std::sqrt(a.variance[c]) + 1),
                    name);
      CHECK_MESSAGE(std::abs(double(variance[c]) - expected_variance) <= 1e-4 * expected_variance, name);
    }
  }
  const TwinMoments& head = twin.moments.at("projection_head.1");
  CHECK(head.count == 24);
  for (size_t c = 0; c < head.mean.size(); ++c) {
    CHECK(std::abs(double(values_of(bench.network, "projection_head.1.running_mean")[c]) - 0.1 * head.mean[c]) <= 1e-5);
    CHECK(std::abs(double(values_of(bench.network, "projection_head.1.running_var")[c]) - 0.9 - 0.1 * unbiased(head, c)) <=
          1e-5);
  }
}

TEST_CASE("a step counts two batches in the backbone and one in the head") {
  TrainingBench bench(small_network(), small_training());
  for (uint64_t t = 0; t < 3; ++t) bench.step(t);
  CHECK(tracked(bench.network, "bn1") == 6);
  CHECK(tracked(bench.network, "layer4.1.bn2") == 6);
  CHECK(tracked(bench.network, "projection_head.1") == 3);
}

TEST_CASE("adjacent groups of equal size are one pass, bit for bit; equal sizes apart are not") {
  TrainingBench joined(small_network(), groups({{3, 16, 0, 0}, {2, 8, 0, 0}}));
  TrainingBench split(small_network(), groups({{2, 16, 0, 0}, {1, 16, 0, 0}, {2, 8, 0, 0}}));
  TrainingBench apart(small_network(), groups({{2, 16, 0, 0}, {2, 8, 0, 0}, {1, 16, 0, 0}}));
  for (uint64_t t = 0; t < 3; ++t) {
    const std::vector<Floats> crops = joined.crops(t);
    const auto middle = crops[0].begin() + 2 * 6 * 16 * 16 * 3;
    const Floats front(crops[0].begin(), middle), back(middle, crops[0].end());
    REQUIRE(joined.step_on(crops) == SWAV_OK);
    REQUIRE(split.step_on({front, back, crops[1]}) == SWAV_OK);
    REQUIRE(apart.step_on({front, crops[1], back}) == SWAV_OK);
    CHECK(joined.report.loss == split.report.loss);
  }
  CHECK(state_of(joined.network) == state_of(split.network));
  CHECK(tracked(split.network, "bn1") == 6);
  CHECK(tracked(apart.network, "bn1") == 9);
  CHECK(state_of(apart.network) != state_of(split.network));
}

TEST_CASE("frozen prototypes keep their direction, and their first update has norm lr 0.001 sqrt(K)") {
  for (swav_optimizer optimizer : {SWAV_OPTIMIZER_LARC, SWAV_OPTIMIZER_ADAMW}) {
    CAPTURE(int(optimizer));
    swav_trainer_config config = small_training();
    config.optimizer = optimizer;
    config.weight_decay = optimizer == SWAV_OPTIMIZER_LARC ? 1e-6f : 0.1f;
    TrainingBench bench(small_network(), config);
    Floats expected = values_of(bench.network, "prototypes.weight");
    for (size_t k = 0; k < prototype_count; ++k) {
      const double length = norm(&expected[k * dim], dim);
      for (size_t i = 0; i < dim; ++i) expected[k * dim + i] = float(double(expected[k * dim + i]) / length);
    }
    for (uint64_t t = 0; t < 3; ++t) {
      bench.step(t, 0.1, true, false, true);
      const Floats now = values_of(bench.network, "prototypes.weight");
      for (size_t i = 0; i < now.size(); ++i) CHECK(std::abs(now[i] - expected[i]) <= FLT_EPSILON * std::abs(expected[i]));
      const Floats gradient = gradient_of(bench.network, bench.trainer, "conv1.weight");
      CHECK(norm(gradient.data(), gradient.size()) > 0);
    }
    const Floats before = values_of(bench.network, "prototypes.weight");
    bench.step(3, 0.1, true, false, false);
    Floats moved = values_of(bench.network, "prototypes.weight");
    for (size_t i = 0; i < moved.size(); ++i) moved[i] -= before[i];
    if (optimizer == SWAV_OPTIMIZER_LARC) {  // trust |p| / (|g| + wd |p|) makes the step a thousandth of |p| = sqrt(K) times lr
      CHECK(norm(moved.data(), moved.size()) ==
            doctest::Approx(0.1 * 0.001 * std::sqrt(double(prototype_count))).epsilon(1e-3));
    } else {  // Adam's first step: lr for each weight, and lr wd p, where the step counter starts with the first unfrozen one
      for (size_t i = 0; i < moved.size(); ++i) CHECK(std::abs(std::abs(moved[i] + 0.1f * 0.1f * before[i]) - 0.1f) <= 1e-3f);
    }
  }
}

TEST_CASE("prototypes have unit norm at every forward, and not after an update") {
  swav_trainer_config config = small_training();
  config.optimizer = SWAV_OPTIMIZER_SGD;
  TrainingBench bench(small_network(), config);
  for (uint64_t t = 0; t < 2; ++t) {
    bench.step(t, 1.0, false);  // without an update what the forward saw stays
    Floats p = values_of(bench.network, "prototypes.weight");
    for (size_t k = 0; k < prototype_count; ++k) CHECK(std::abs(norm(&p[k * dim], dim) - 1) <= 1e-6);
    bench.step(t, 1.0, true);
    p = values_of(bench.network, "prototypes.weight");
    double largest = 0;
    for (size_t k = 0; k < prototype_count; ++k) largest = std::max(largest, std::abs(norm(&p[k * dim], dim) - 1));
    CHECK(largest > 1e-4);
  }
}

TEST_CASE(
    "the same weights after some steps, bit for bit, on 1, 2, 3 and 5 threads, also when their number changes on the way") {
  swav_trainer_config config = groups({{2, 33, 0, 0}, {2, 20, 0, 0}}, 4);
  config.queue_length = 8;
  const auto run = [&](std::initializer_list<int32_t> threads) {
    TrainingBench bench(small_network(18, SWAV_STEM_IMAGENET), config);
    std::vector<double> losses;
    uint64_t t = 0;
    for (int32_t count : threads) {
      const Threads team(count);
      bench.step(t++);
      losses.push_back(bench.report.loss);
      losses.push_back(bench.report.gradient_norm);
    }
    return std::pair(losses, state_of(bench.network));
  };
  const auto one = run({1, 1, 1, 1});
  CHECK(run({2, 2, 2, 2}) == one);
  CHECK(run({3, 3, 3, 3}) == one);
  CHECK(run({5, 1, 2, 3}) == one);
}

TEST_CASE("Winograd's convolutions, forward and backward, give the same weights, bit for bit, on 1, 2, 3 and 5 threads") {
  const auto run = [](std::initializer_list<int32_t> threads) {
    TrainingBench bench(wide_network(), wide_training());
    CHECK(bench.winograd_layers() >= 6);
    uint64_t t = 0;
    for (int32_t count : threads) {
      const Threads team(count);
      bench.step(t++);
    }
    return std::pair(bench.report.loss, state_of(bench.network));
  };
  const auto one = run({1, 1, 1});
  CHECK(run({2, 2, 2}) == one);
  CHECK(run({5, 1, 3}) == one);
}

TEST_CASE("ResNet-50 gives the same bits on 1 and on 3 threads") {
  const auto run = [](int32_t threads) {
    const Threads team(threads);
    TrainingBench bench(small_network(50), small_training());
    for (uint64_t t = 0; t < 2; ++t) bench.step(t);
    return state_of(bench.network);
  };
  CHECK(run(1) == run(3));
}

TEST_CASE("the queue is used once it is full, changes the codes, and only steps with use_queue fill it") {
  swav_trainer_config config = small_training();
  config.queue_length = 13;  // rounded down to 12, two batches
  TrainingBench with(small_network(), config), without(small_network(), small_training());
  for (uint64_t t = 0; t < 4; ++t) {
    with.step(t, 0.1, true, t > 0);
    without.step(t);
    CHECK(with.report.queue_used == (t >= 3));
    CHECK((with.report.loss == without.report.loss) == (t < 3));
  }
}

TEST_CASE("a step without an update leaves weights, buffers and queue, and gives the gradients of the same step with it") {
  swav_trainer_config config = small_training();
  config.queue_length = 6;
  TrainingBench bench(small_network(), config);
  bench.step(0);
  bench.step(1, 0.1, false);
  const State before = state_of(bench.network);  // prototypes at unit norm
  const double loss = bench.report.loss, gradient_norm = bench.report.gradient_norm;
  const Floats gradient = gradient_of(bench.network, bench.trainer, "layer1.0.conv1.weight");
  bench.step(2, 0.1, false);
  CHECK(state_of(bench.network) == before);
  bench.step(1, 0.1, true);
  CHECK(bench.report.loss == loss);
  CHECK(bench.report.gradient_norm == gradient_norm);
  CHECK(gradient_of(bench.network, bench.trainer, "layer1.0.conv1.weight") == gradient);
  CHECK(state_of(bench.network) != before);
}

TEST_CASE("gradients are read as floats of a parameter, after a step") {
  TrainingBench bench(small_network(), small_training());
  const int64_t weight = index_of(bench.network, "conv1.weight"), mean = index_of(bench.network, "bn1.running_mean");
  const int64_t count = tensor_of(bench.network, "conv1.weight").count;
  Floats gradient(size_t(count), 7.0f);
  const auto read = [&](int64_t index, int64_t numbers) {
    return swav_trainer_read_gradient(bench.trainer, index, gradient.data(), numbers);
  };
  CHECK(read(weight, count) == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()).find("before the first step") != std::string::npos);
  bench.step(0);
  CHECK(read(weight, count - 1) == SWAV_ERROR_ARGUMENT);
  CHECK(read(-1, count) == SWAV_ERROR_ARGUMENT);
  CHECK(read(mean, 8) == SWAV_ERROR_ARGUMENT);
  CHECK(gradient == Floats(size_t(count), 7.0f));
  CHECK(read(weight, count) == SWAV_OK);
  CHECK(norm(gradient.data(), gradient.size()) > 0);
}

TEST_CASE("a trainer keeps its network: either handle may go first") {
  TrainingBench bench(small_network(), small_training());
  swav_network_destroy(bench.network);
  bench.network = nullptr;
  bench.step(0);
  bench.step(1);
  CHECK(bench.report.loss > 0);
}

TEST_CASE(
    "a value that is not finite ends the step naming where it is; nothing is changed and training goes on as if it had not "
    "been") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  swav_trainer_config config = small_training();
  config.queue_length = 6;
  TrainingBench bench(small_network(), config), untroubled(small_network(), config);
  for (uint64_t t = 0; t < 3; ++t) {
    const State before = state_of(bench.network);
    for (const auto& [value, group] :
         {std::pair{nan, size_t(0)}, std::pair{infinity, size_t(1)}, std::pair{-infinity, size_t(0)}}) {
      std::vector<Floats> crops = bench.crops(t);
      crops[group][1234] = value;
      CHECK(bench.step_on(crops) == SWAV_ERROR_NUMERIC);
      CHECK(std::string(swav_error_message()).find("in input image") != std::string::npos);
      CHECK(state_of(bench.network) == before);
      CHECK(bench.report.forward_seconds > 0);  // filled as far as the step came
    }
    bench.step(t);
    untroubled.step(t);
  }
  CHECK(state_of(bench.network) == state_of(untroubled.network));

  Floats weight = values_of(bench.network, "layer2.0.conv2.weight");
  weight[5] = nan;
  set_values(bench.network, "layer2.0.conv2.weight", weight);
  CHECK(bench.step_on(bench.crops(9)) == SWAV_ERROR_NUMERIC);
  CHECK(std::string(swav_error_message()).find("in layer2.0.conv2.weight.") != std::string::npos);
}

TEST_CASE("a step that fails after the objective, with many images and few prototypes, leaves every bit as it was") {
  swav_network_config network = small_network();
  network.prototypes[0] = 2;
  swav_trainer_config config = groups({{2, 8, 0, 0}}, 512);
  config.temperature = 1e-5f;
  TrainingBench bench(network, config);
  // The head's hidden values reach 1e37 and its second weight takes that back: the output is an ordinary one, but the gradient
  // of that weight, some 1e5 / |output| for each image times the hidden values, is beyond a float.
  for (const auto& [name, scale] : {std::pair{"projection_head.1.weight", 1e37f}, {"projection_head.3.weight", 1e-37f}}) {
    Floats values = values_of(bench.network, name);
    for (float& value : values) value *= scale;
    set_values(bench.network, name, values);
  }
  const State before = state_of(bench.network);
  CHECK(bench.step_on(bench.crops(0)) == SWAV_ERROR_NUMERIC);
  CHECK(std::string(swav_error_message()).find("a gradient is not finite") == 0);
  CHECK(bench.report.loss != 0);  // the objective was computed
  CHECK(state_of(bench.network) == before);
}

TEST_CASE("the report's figures are in their ranges") {
  TrainingBench bench(small_network(), small_training());
  bench.step(0);
  const swav_step_report& r = bench.report;
  // Fact 10: untrained, the loss is about ln K + 1 / (2 D tau^2); here 2.48 + 6.25 at most, and above the codes' entropy.
  CHECK(r.loss > r.code_entropy * std::log(12.0));
  CHECK(r.loss < std::log(12.0) + 6.25);
  CHECK(r.code_entropy > 0);
  CHECK(r.code_entropy <= 1);
  CHECK(r.score_spread > 0);
  CHECK(r.score_spread <= 1);
  CHECK(r.epsilon == double(0.05f));
  CHECK(std::abs(r.similarity) <= 1);
  CHECK(r.prototypes_used >= 1);
  CHECK(r.prototypes_used <= 12);
  CHECK(r.gradient_norm > 0);
}

TEST_CASE("the memory plan is the sum of its parts and grows with the batch") {
  swav_memory_plan small, large;
  swav_trainer_config config = small_training();
  config.queue_length = 24;
  {
    TrainingBench bench(small_network(), config);
    REQUIRE(swav_trainer_memory(bench.trainer, &small) == SWAV_OK);
  }
  config.batch = 12;
  TrainingBench bench(small_network(), config);
  REQUIRE(swav_trainer_memory(bench.trainer, &large) == SWAV_OK);
  for (const swav_memory_plan& p : {small, large}) {
    CHECK(p.total == p.parameters + p.gradients + p.optimizer + p.activations + p.workspace + p.queue + p.scratch);
    CHECK(p.scratch > 0);
    CHECK(p.parameters == p.gradients);
    CHECK(p.optimizer == p.gradients);
    CHECK(p.queue == 2 * 24 * 8 * 4);
  }
  CHECK(large.activations > 1.9 * double(small.activations));
}

TEST_CASE("settings of the trainer out of range are refused, naming the setting, the value and what is allowed") {
  swav_network_config network_config = small_network();
  swav_network* network = nullptr;
  REQUIRE(swav_network_create(&network_config, 1, &network) == SWAV_OK);
  const auto message = [&](auto change) {
    swav_trainer_config c = small_training();
    change(c);
    swav_trainer* trainer = nullptr;
    CHECK(swav_trainer_create(network, &c, &trainer) == SWAV_ERROR_ARGUMENT);
    CHECK(trainer == nullptr);
    return std::string(swav_error_message());
  };
  CHECK(message([](auto& c) { c.group_count = 0; }) == "group_count is 0; 1 to 8 is allowed");
  CHECK(message([](auto& c) { c.group_count = 1, c.crop_counts[0] = 1; }) ==
        "crops are 1; swapped prediction needs at least 2");
  CHECK(message([](auto& c) { c.crop_sizes[1] = 7; }) == "images are 7 x 7 pixels; 8 to 16384 is allowed");
  CHECK(message([](auto& c) { c.batch = 0; }) == "batch is 0; 1 to 65536 is allowed");
  CHECK(message([](auto& c) { c.assign[1] = 4; }).find("4") != std::string::npos);
  for (int32_t count : {0, -1, 9, 1 << 30}) {  // refused before the array behind it is read
    CHECK(message([&](auto& c) { c.assign_count = count; }) ==
          "assign_count is " + std::to_string(count) + "; 1 to 8 is allowed");
    CHECK(message([&](auto& c) { c.group_count = count; }) ==
          "group_count is " + std::to_string(count) + "; 1 to 8 is allowed");
  }
  CHECK(message([](auto& c) { c.temperature = 0; }).find("temperature") != std::string::npos);
  CHECK(message([](auto& c) { c.codes.epsilon = -1; }).find("epsilon") != std::string::npos);
  CHECK(message([](auto& c) { c.momentum = 1.5f; }).find("momentum") != std::string::npos);
  swav_network_destroy(network);
}
