// The format of checkpoints: who wrote one, older formats, and what in a file no run could have written.
#include <cmath>
#include <cstring>

#include "base/cpu.h"
#include "checkpoint_bench.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"
#include "stored_files.h"

using namespace swav;
using namespace swav::test;

TEST_CASE("a checkpoint restores the input description, says who wrote it, and warns where bits will differ") {
  const Saved saved;
  TrainingBench bench(small_network(), with_queue(), 5);
  const swav_input_description other{40, {0.1f, 0.2f, 0.3f, 0}, {0.4f, 0.5f, 0.6f, 0}};
  REQUIRE(swav_network_describe_input(bench.network, &other) == SWAV_OK);
  swav_checkpoint_info info;
  REQUIRE(swav_trainer_load(bench.trainer, saved.path.c_str(), &info) == SWAV_OK);
  swav_input_description input;
  REQUIRE(swav_network_input(bench.network, &input) == SWAV_OK);
  CHECK(input.size == 224);
  CHECK(input.mean[0] == 0.485f);
  CHECK(info.format == 3);
  CHECK(info.version == SWAV_VERSION);
  CHECK(std::string(info.isa) == name(current_isa()));
  CHECK(std::string(info.used) == used_features().text());
  CHECK(std::string(info.warning) == "");

  const std::string bytes = read_bytes(saved.path), altered = saved.folder / "altered";
  const auto with = [&](const std::string& from, const std::string& to) {
    REQUIRE(from.size() == to.size());
    std::string copy = bytes;
    REQUIRE(copy.find(from) != std::string::npos);
    copy.replace(copy.find(from), from.size(), to);
    write_bytes(altered, copy);
  };
  const std::string isa = name(current_isa()), foreign = std::string(isa.size(), 'z');
  with("isa\\\":\\\"" + isa, "isa\\\":\\\"" + foreign);
  REQUIRE_MESSAGE(swav_trainer_load(bench.trainer, altered.c_str(), &info) == SWAV_OK, swav_error_message());
  CHECK(std::string(info.warning) == "the checkpoint was written with the instruction set " + foreign +
                                         " and training goes on with " + isa +
                                         ": the weights will differ in their last bits from those of a run without a break");
  with("\\\"engine\\\":100,", "\\\"engine\\\":999,");
  REQUIRE_MESSAGE(swav_trainer_load(bench.trainer, altered.c_str(), &info) == SWAV_OK, swav_error_message());
  CHECK(info.version == 999);
  CHECK(std::string(info.warning).find("was written by version 0.9.99 and training goes on with 0.1.0: ") != std::string::npos);
  with("\\\"format\\\":3,\\\"isa", "\\\"format\\\":4,\\\"isa");
  CHECK(load_message(bench, altered, SWAV_ERROR_UNSUPPORTED) ==
        altered + " was written by a later version: it has format 4, 3 is the newest known here");
}

TEST_CASE("checkpoints of format 1 load: training goes on from them as from what is then written") {
  const TemporaryFolder folder;
  swav_network_config network = small_network();
  network.base_width = 2;
  network.hidden = network.dim = 4;
  network.prototypes[0] = 6;
  swav_trainer_config training = with_queue();
  training.batch = 4;
  training.queue_length = 8;
  const auto goes_on = [&](const std::string& name) {
    const std::string path = std::string(SWAV_FIXTURES) + "/checkpoints/" + name, again = folder / "again";
    TrainingBench bench(network, training, 7), resumed(network, training, 8);
    swav_checkpoint_info info;
    REQUIRE_MESSAGE(swav_trainer_load(bench.trainer, path.c_str(), &info) == SWAV_OK, swav_error_message());
    CHECK(info.format == 1);
    CHECK(info.version == 0);
    CHECK(std::string(info.isa) == "");
    CHECK(std::string(info.used) == "");
    CHECK(std::string(info.warning) == "");
    swav_input_description input;
    REQUIRE(swav_network_input(bench.network, &input) == SWAV_OK);
    CHECK(input.size == 40);
    CHECK(input.std[1] == 0.5f);
    const TensorFile file(path);
    for (const auto& [tensor, bytes] : state_of(bench.network)) {
      const StoredTensor* stored = file.find(tensor);
      REQUIRE(stored != nullptr);
      std::vector<uint8_t> expected(bytes.size());
      InputFile(path).read(stored->offset, expected.data(), int64_t(expected.size()));
      CHECK_MESSAGE(bytes == expected, tensor);
    }
    char note[32];
    size_t size = 0;
    REQUIRE(swav_checkpoint_note(path.c_str(), note, sizeof note, &size) == SWAV_OK);
    CHECK(std::string(note) == "{\"step\": 3}");
    // Momentum, steps and queue as well: what is written now and read again goes on with the same bits.
    REQUIRE(swav_trainer_save(bench.trainer, again.c_str(), "") == SWAV_OK);
    REQUIRE(swav_trainer_load(resumed.trainer, again.c_str(), &info) == SWAV_OK);
    CHECK(info.format == 3);
    run(bench, 3, 5);
    run(resumed, 3, 5);
    CHECK(state_of(bench.network) == state_of(resumed.network));
    CHECK(bench.report.queue_used == (training.queue_length > 0));
  };
  goes_on("larc_queue_format1");
  network.base_width = 1;
  network.stem = SWAV_STEM_IMAGENET;
  network.head_count = 2;
  network.prototypes[1] = 5;
  training.optimizer = SWAV_OPTIMIZER_ADAMW;
  training.queue_length = 0;
  goes_on("adamw_format1");
  // A setting that did not exist then counts as what was done then.
  training.direct = true;
  TrainingBench direct(network, training);
  CHECK(load_message(direct, std::string(SWAV_FIXTURES) + "/checkpoints/adamw_format1", SWAV_ERROR_FORMAT)
            .find("belongs to other settings: direct: file has 0, this run has 1") != std::string::npos);
  training.direct = false;
  network.plain_head = true;
  TrainingBench plain(network, training);
  CHECK(load_message(plain, std::string(SWAV_FIXTURES) + "/checkpoints/adamw_format1", SWAV_ERROR_FORMAT)
            .find("belongs to other settings: plain_head: file has 0, this run has 1") != std::string::npos);
}

TEST_CASE("a checkpoint with a byte too many, an impossible count of steps, a NaN or a tensor of another run is refused") {
  TemporaryFolder folder;
  const std::string path = folder / "checkpoint", altered = folder / "altered";
  TrainingBench bench(small_network(), with_queue(SWAV_OPTIMIZER_ADAMW));
  run(bench, 0, 3);
  REQUIRE(swav_trainer_save(bench.trainer, path.c_str(), "") == SWAV_OK);
  const std::string bytes = read_bytes(path);
  write_bytes(altered, bytes + "x");
  CHECK(load_message(bench, altered, SWAV_ERROR_FORMAT) ==
        altered + " is longer than its header says: 1 bytes follow the last tensor");
  size_t size = 0;
  CHECK(swav_checkpoint_note(altered.c_str(), nullptr, 0, &size) == SWAV_ERROR_FORMAT);

  const TensorFile file(path);
  const auto with = [&](const std::string& tensor, size_t number, auto value) {
    REQUIRE(file.find(tensor) != nullptr);
    std::string copy = bytes;
    std::memcpy(copy.data() + size_t(file.find(tensor)->offset) + number * sizeof value, &value, sizeof value);
    write_bytes(altered, copy);
  };
  const auto message = [&](swav_status status) { return load_message(bench, altered, status).substr(altered.size()); };
  const float nan = std::nanf("");
  with("optimizer.steps", 5, int64_t(-1));
  CHECK(message(SWAV_ERROR_FORMAT) == " is damaged: optimizer.steps holds a number that is no count of steps");
  with("optimizer.steps", 0, int64_t(1) << 60);
  CHECK(message(SWAV_ERROR_FORMAT) == " is damaged: optimizer.steps holds a number that is no count of steps");
  with("objective.queue.inserted", 0, int64_t(-1));
  CHECK(message(SWAV_ERROR_FORMAT) == " is damaged: objective.queue.inserted holds a number that is no count of steps");
  with("objective.queue", 8 * 3 + 1, nan);
  CHECK(message(SWAV_ERROR_NUMERIC) == ": objective.queue[0, 3, 1] is not a number");
  with("optimizer.state1.bn1.bias", 2, INFINITY);
  CHECK(message(SWAV_ERROR_NUMERIC) == ": optimizer.state1.bn1.bias[2] is infinite");
  with("optimizer.state2.bn1.bias", 1, -1.0f);
  CHECK(message(SWAV_ERROR_NUMERIC) == ": optimizer.state2.bn1.bias[1] is negative, and ought to be a mean of squares");
  with("bn1.running_var", 1, -1.0f);
  CHECK(message(SWAV_ERROR_NUMERIC) == ": bn1.running_var[1] is negative, and ought to be a mean of squares");

  // One tensor more than the run has.
  std::vector<TensorSource> sources;
  std::vector<std::string> data;
  for (const StoredTensor& stored : file.tensors()) {
    data.push_back(bytes.substr(size_t(stored.offset), size_t(stored.count() * size_of(stored.type))));
  }
  for (size_t i = 0; i < data.size(); ++i) {
    sources.push_back({file.tensors()[i].name, file.tensors()[i].type, file.tensors()[i].shape, data[i].data()});
  }
  sources.push_back({"optimizer.state3.bn1.bias", DataType::f32, {1}, data[0].data()});
  write_safetensors(altered, sources, file.metadata());
  CHECK(message(SWAV_ERROR_FORMAT) == " holds a tensor that no run of these settings has: optimizer.state3.bn1.bias");
  sources.pop_back();
  write_safetensors(altered, sources, file.metadata());
  CHECK(swav_trainer_load(bench.trainer, altered.c_str(), nullptr) == SWAV_OK);
}

TEST_CASE("a checkpoint of format 2, which does not say how long the queue has waited, is gone on from") {
  const Saved saved;
  const std::string path = saved.folder / "format2";
  const TensorFile file(saved.path);
  std::vector<FileTensor> tensors;
  const std::string bytes = read_bytes(saved.path);
  for (const StoredTensor& t : file.tensors()) {
    if (t.name == "objective.queue.idle") continue;
    tensors.push_back(
        {t.name, t.type, t.shape, bytes.substr(size_t(t.offset), size_t(t.count() * (t.type == DataType::i64 ? 8 : 4)))});
  }
  REQUIRE(tensors.size() + 1 == file.tensors().size());
  std::map<std::string, std::string> metadata = file.metadata();
  std::string& training = metadata.at("swav_training");
  training.replace(training.find("\"format\":3"), 10, "\"format\":2");
  write_file(path, tensors, metadata);
  TrainingBench bench(small_network(), with_queue(), 5);
  swav_checkpoint_info info;
  REQUIRE_MESSAGE(swav_trainer_load(bench.trainer, path.c_str(), &info) == SWAV_OK, swav_error_message());
  CHECK(info.format == 2);
  run(bench, 3, 4);
  CHECK(state_of(bench.network) == saved.next);
}
