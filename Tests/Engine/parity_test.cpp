// Parity of pretraining with PyTorch over ten steps; parity_cases.h says how it is measured. Under mpirun the ranks train
// together, each with its part of the batch, and every one of them looks at the result.
#include "parity_cases.h"
#include "rank_share.h"

using namespace swav::test::parity;

namespace {

// Whether some convolution of the trainer is Winograd's.
bool uses_winograd(swav_trainer* trainer) {
  swav_layer_times layer;
  for (int32_t i = 0; swav_trainer_layer_times(trainer, i, &layer) == SWAV_OK; ++i) {
    if (layer.algorithm == std::string("winograd")) return true;
  }
  return false;
}

// The trainer of this process: alone, or one of the ranks that a launcher started.
Trainer make_trainer(swav_network* network, const swav_trainer_config& settings, const swav_communicator& ranks) {
  swav_trainer* trainer = nullptr;
  if (ranks.size == 1) {
    require(swav_trainer_create(network, &settings, &trainer));
  } else {
    const swav_group_config group = swav_group_config_default();
    require(swav_trainer_create_in_group(network, &settings, &ranks, &group, &trainer));
  }
  return Trainer(trainer);
}

void check_gradients(const Case& c, swav_network* network, swav_trainer* trainer) {
  const double median = median_relative_error(c.gradients);
  size_t seen = 0;
  for (const Placed& tensor : tensors_of(network)) {
    if (tensor.kind != SWAV_TENSOR_PARAMETER) continue;
    const Golden& golden = find(c.gradients, tensor.name);
    CAPTURE(golden.name);
    Floats gradient(size_t(tensor.count));
    require(swav_trainer_read_gradient(trainer, tensor.index, gradient.data(), tensor.count));
    CHECK(projection_error(c, golden, gradient.data(), tensor.count) <= tolerance(c, golden, median));
    ++seen;
  }
  CHECK(seen == c.gradients.size());
}

void check_case(const std::string& name) {
  const Case c = read_case(name);
  const Network network = network_of(c);
  swav_communicator ranks{};
  ranks.size = 1;
  if (swav_mpi_ranks() > 1) require(swav_mpi_open(&ranks));
  const swav_trainer_config settings = trainer_config(c);
  const Trainer trainer = make_trainer(network.get(), settings, ranks);

  double mean_square = 0;
  for (const Golden& loss : c.losses) mean_square += loss.error * loss.error / double(c.losses.size());
  REQUIRE(c.losses.size() == 10);
  // The part of a rank may be too small for it to pay.
  if (ranks.size == 1) CHECK(uses_winograd(trainer.get()) == !c.direct());
  for (int step = 0; step < 10; ++step) {
    std::vector<Floats> groups;
    std::vector<const float*> pointers;
    for (int32_t g = 0; g < settings.group_count; ++g)
      groups.push_back(
          swav::test::share_of(crops(c, step, size_t(g)), settings.crop_counts[g], settings.batch, ranks.rank, ranks.size));
    for (const Floats& group : groups) pointers.push_back(group.data());
    const swav_step_input input{pointers.data(), c["learning_rate"], step < c["freeze_steps"], true, true};
    swav_step_report report;
    require(swav_trainer_step(trainer.get(), &input, &report));
    CAPTURE(step);
    const Golden& golden = c.losses[size_t(step)];
    CHECK(std::abs(report.loss - golden.norm) <= 3 * c.rounding() * std::max(golden.error, std::sqrt(mean_square)));
    CHECK(report.queue_used == (settings.queue_length >= settings.batch && step >= settings.queue_length / settings.batch));
    if (step == 0) check_gradients(c, network.get(), trainer.get());
  }
  CHECK(check_tensors(c, network.get()) == c.tensors.size());
}

// Tolerance: three times the error of PyTorch under autocast, which rounds where this does, and before batch-norm as well.
// Twice the error of float32 is a floor, or it would not be bfloat16 that is computed.
void check_bfloat_features(const std::string& name) {
  const Case c = read_case(name);
  const Network network = network_of(c);
  const Floats images = crops(c, 0, 0);
  const int64_t count = int64_t(c.features.size()), side = int64_t(c.settings.at("crop_sizes")[0]);
  REQUIRE(count == int64_t(c["batch"]));
  swav_network_info info;
  require(swav_network_describe(network.get(), &info));
  Floats rounded(size_t(count * info.feature_dim)), plain(rounded);
  require(swav_network_embed_bfloat16(network.get(), SWAV_OUTPUT_FEATURES, images.data(), count, int32_t(side), int32_t(side),
                                      rounded.data()));
  require(swav_network_embed(network.get(), SWAV_OUTPUT_FEATURES, images.data(), count, int32_t(side), int32_t(side),
                             plain.data()));
  const double median = median_relative_error(c.features);
  double of_rounded = 0, of_plain = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Golden& golden = c.features[size_t(i)];
    CAPTURE(golden.name);
    const double error = projection_error(c, golden, rounded.data() + i * info.feature_dim, info.feature_dim);
    CHECK(error <= tolerance(c, golden, median));
    of_rounded += error, of_plain += projection_error(c, golden, plain.data() + i * info.feature_dim, info.feature_dim);
  }
  CHECK(of_rounded > 2 * of_plain);
}

}  // namespace

TEST_CASE("ResNet-18 equals PyTorch over ten steps: LARC from zero-norm tensors on, freezing, a queue, two resolutions") {
  check_case("resnet18_larc");
}

TEST_CASE("ResNet-50 equals PyTorch over ten steps: LARC with decay, freezing, a queue, two resolutions") {
  check_case("resnet50_larc");
}

TEST_CASE("the small stem equals PyTorch over ten steps: AdamW, two sets of prototypes, relative epsilon") {
  check_case("small_stem_adamw");
}

TEST_CASE("a network wide enough for Winograd's convolutions, the default, equals PyTorch over ten steps") {
  check_case("wide_winograd");
}

TEST_CASE("features in bfloat16 are as near to PyTorch's float64 as those of its bfloat16: ResNet-18") {
  check_bfloat_features("bfloat_resnet18");
}

TEST_CASE("features in bfloat16 are as near to PyTorch's float64 as those of its bfloat16: ResNet-50 with the small stem") {
  check_bfloat_features("bfloat_resnet50");
}

// Tolerance: three times what PyTorch in float32 is off from float64, with the engine's casts in both: the root mean square of
// several runs, as make_bfloat_fixtures.py says.
TEST_CASE("ten steps in bfloat16 equal PyTorch's with the same casts: ResNet-18, ResNet-50, the small stem") {
  for (const char* name : {"bfloat_steps18_casts", "bfloat_steps50_casts", "bfloat_steps_small_stem_casts"}) {
    CAPTURE(std::string(name));
    check_case(name);
  }
}

// Tolerance: three times what PyTorch's autocast is off from float64.
TEST_CASE(
    "ten steps in bfloat16 are as near to PyTorch's float64 as those of its autocast: ResNet-18, ResNet-50, the small stem") {
  for (const char* name : {"bfloat_steps18_autocast", "bfloat_steps50_autocast", "bfloat_steps_small_stem_autocast"}) {
    CAPTURE(std::string(name));
    check_case(name);
  }
}

TEST_CASE("codes equal PyTorch's in float64 within 1e-5, given the same scores") {
  std::ifstream file(SWAV_FIXTURES "/parity/codes.txt");
  int cases = 0;
  for (std::string line, word; std::getline(file, line); ++cases) {
    std::istringstream words(line);
    int64_t index, rows, prototypes, keep;
    swav_codes_config config = swav_codes_config_default();
    words >> word >> index >> rows >> prototypes >> keep >> config.epsilon >> config.relative;
    Random random(1, Purpose::test, scores, uint64_t(index));
    Floats s(size_t(rows * prototypes)), codes(size_t(keep * prototypes));
    for (float& value : s) value = float(next(random) * 0.5);
    require(swav_codes(s.data(), rows, prototypes, keep, &config, codes.data(), nullptr));
    for (const float code : codes) {
      double expected = NAN;
      words >> expected;
      CHECK(std::abs(double(code) - expected) < 1e-5);
    }
  }
  CHECK(cases == 3);
}
