// Steps that fail: where the first value is that is not finite, and the step as a file that makes it again.
#include <cmath>
#include <cstring>
#include <string>

#include "temporary_folder.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

swav_status save_step(TrainingBench& bench, const std::vector<Floats>& crops, const std::string& path) {
  std::vector<const float*> pointers;
  for (const Floats& group : crops) pointers.push_back(group.data());
  const swav_step_input input{pointers.data(), 0.1, false, true, true};
  return swav_trainer_save_step(bench.trainer, &input, path.c_str(), "a note");
}

// Bits of what a report says beside times.
std::string bits_of(const swav_step_report& report) {
  const double figures[] = {
      report.loss,       report.gradient_norm,      report.code_entropy,   report.score_spread,     report.epsilon,
      report.similarity, report.prediction_entropy, report.sinkhorn_error, double(report.queue_age)};
  return std::string(reinterpret_cast<const char*>(figures), sizeof figures);
}

swav_trainer_config training_with_queue() {
  swav_trainer_config config = small_training();
  config.queue_length = 12;
  return config;
}

}  // namespace

TEST_CASE("a step of a file is the step, to the bit, and leaves the same state") {
  const TemporaryFolder folder;
  const std::string path = folder / "step";
  TrainingBench bench(small_network(), training_with_queue());
  // The last two without the queue, which grows old meanwhile.
  for (uint64_t t = 0; t < 4; ++t) bench.step(t, 0.1, true, t < 2);
  REQUIRE_MESSAGE(save_step(bench, bench.crops(4), path) == SWAV_OK, swav_error_message());
  bench.step(4);
  TrainingBench other(small_network(), training_with_queue(), 9);
  swav_step_report report;
  REQUIRE_MESSAGE(swav_trainer_replay(other.trainer, path.c_str(), &report) == SWAV_OK, swav_error_message());
  CHECK(bits_of(report) == bits_of(bench.report));
  CHECK(state_of(other.network) == state_of(bench.network));
  char note[16];
  size_t size;
  CHECK(swav_checkpoint_note(path.c_str(), note, sizeof note, &size) == SWAV_OK);
  CHECK(std::string(note) == "a note");
}

TEST_CASE("a step that fails forward fails alike from its file, with weights that are not finite too") {
  const TemporaryFolder folder;
  const std::string path = folder / "step";
  TrainingBench bench(small_network(), small_training());
  bench.step(0);
  Floats weight = values_of(bench.network, "layer2.0.conv1.weight");
  weight[5] = std::nanf("");
  set_values(bench.network, "layer2.0.conv1.weight", weight);
  const std::vector<Floats> crops = bench.crops(1);
  REQUIRE(bench.step_on(crops) == SWAV_ERROR_NUMERIC);
  const std::string message = swav_error_message();
  CHECK(message.find("the first value that is not is in layer2.0.conv1.weight") != std::string::npos);
  REQUIRE_MESSAGE(save_step(bench, crops, path) == SWAV_OK, swav_error_message());
  CHECK(swav_trainer_save(bench.trainer, (folder / "checkpoint").c_str(), nullptr) == SWAV_ERROR_NUMERIC);
  TrainingBench other(small_network(), small_training(), 2);
  swav_step_report report;
  CHECK(swav_trainer_replay(other.trainer, path.c_str(), &report) == SWAV_ERROR_NUMERIC);
  CHECK(swav_error_message() == message);
}

TEST_CASE("a gradient that is not finite is named with the layer where the backward pass lost it") {
  // Projections that are nearly 0 have gradients of 1 / their norm; with large inputs those of the last weights overflow, and
  // what goes further back through them is small again.
  swav_trainer_config config = small_training();
  config.temperature = 1e-6f;
  TrainingBench bench(small_network(), config);
  Floats scale = values_of(bench.network, "projection_head.1.weight");
  for (float& value : scale) value = 1e26f;
  set_values(bench.network, "projection_head.1.weight", scale);
  Floats last = values_of(bench.network, "projection_head.3.weight");
  for (float& value : last) value *= 1e-38f;
  set_values(bench.network, "projection_head.3.weight", last);
  Floats bias = values_of(bench.network, "projection_head.3.bias");
  for (float& value : bias) value = 0;
  set_values(bench.network, "projection_head.3.bias", bias);
  REQUIRE(bench.step_on(bench.crops(0)) == SWAV_ERROR_NUMERIC);
  const std::string message = swav_error_message();
  CHECK_MESSAGE(message.find("a gradient is not finite; the first value that is not is in the gradient of "
                             "projection_head.3.weight") == 0,
                message);
}

TEST_CASE("files that hold no step are refused, and leave the trainer as it was") {
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint";
  TrainingBench bench(small_network(), small_training());
  bench.step(0);
  REQUIRE(swav_trainer_save(bench.trainer, path.c_str(), nullptr) == SWAV_OK);
  const State before = state_of(bench.network);
  swav_step_report report;
  CHECK(swav_trainer_replay(bench.trainer, path.c_str(), &report) == SWAV_ERROR_FORMAT);
  CHECK(std::string(swav_error_message()).find("holds no step") != std::string::npos);
  // A step is no checkpoint: nobody goes on from one by mistake.
  REQUIRE(save_step(bench, bench.crops(1), path) == SWAV_OK);
  CHECK(swav_trainer_load(bench.trainer, path.c_str(), nullptr) == SWAV_ERROR_FORMAT);
  // Other crops than the trainer's.
  swav_trainer_config config = small_training();
  config.crop_counts[1] = 3;
  TrainingBench other(small_network(), config);
  const State of_other = state_of(other.network);
  CHECK(swav_trainer_replay(other.trainer, path.c_str(), &report) == SWAV_ERROR_FORMAT);
  CHECK(state_of(other.network) == of_other);
  CHECK(state_of(bench.network) == before);
}

TEST_CASE("pixels whose variance no float says end the step, and running statistics stay as they were") {
  TrainingBench bench(small_network(), small_training());
  bench.step(0);
  const State before = state_of(bench.network);
  std::vector<Floats> crops = bench.crops(1);
  crops[0][5] = 1e22f;
  CHECK(bench.step_on(crops) == SWAV_ERROR_NUMERIC);
  const std::string message = swav_error_message();
  CHECK_MESSAGE(message.find("is in the mean or variance of the batch before bn1.") != std::string::npos, message);
  CHECK(state_of(bench.network) == before);
  bench.step(1);
}

TEST_CASE("a pixel that is not finite is named in any micro-batch") {
  swav_trainer_config config = small_training();
  config.micro_batch = 2;
  for (const size_t image : {0, 2, 5}) {
    TrainingBench bench(small_network(), config);
    std::vector<Floats> crops = bench.crops(0);
    crops[0][image * 16 * 16 * 3] = std::nanf("");
    CHECK(bench.step_on(crops) == SWAV_ERROR_NUMERIC);
    const std::string message = swav_error_message();
    CHECK_MESSAGE(message.find("an embedding is not finite; the first value that is not is in input image.") == 0, message);
  }
}
