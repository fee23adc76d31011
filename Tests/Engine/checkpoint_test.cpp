// Checkpoints: training goes on bit for bit; a damaged, foreign or unwritable file is an error that changes nothing.
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>

#include "checkpoint_bench.h"

using namespace swav;
using namespace swav::test;

TEST_CASE("training resumed from a checkpoint has the weights of training without a break, bit for bit, for every optimiser") {
  const TemporaryFolder folder;
  for (swav_optimizer optimizer : {SWAV_OPTIMIZER_LARC, SWAV_OPTIMIZER_SGD, SWAV_OPTIMIZER_ADAMW}) {
    for (uint64_t at :
         {uint64_t(1), uint64_t(4)}) {  // while the prototypes are frozen and the queue is empty, and when it is in use
      CAPTURE(int(optimizer));
      CAPTURE(at);
      const std::string path = folder / "checkpoint", end = folder / "end", resumed_end = folder / "resumed";
      TrainingBench straight(small_network(), with_queue(optimizer));
      run(straight, 0, at);
      REQUIRE_MESSAGE(swav_trainer_save(straight.trainer, path.c_str(), nullptr) == SWAV_OK, swav_error_message());
      run(straight, at, 6);

      TrainingBench resumed(small_network(), with_queue(optimizer), 99);  // another initialisation, and a past of its own
      resumed.step(50);
      REQUIRE_MESSAGE(swav_trainer_load(resumed.trainer, path.c_str(), nullptr) == SWAV_OK, swav_error_message());
      run(resumed, at, 6);
      CHECK(resumed.report.loss == straight.report.loss);
      CHECK(resumed.report.queue_used);
      CHECK(state_of(resumed.network) == state_of(straight.network));
      // Momentum, step counters and queue as well: the next checkpoints are equal files.
      REQUIRE(swav_trainer_save(straight.trainer, end.c_str(), "x") == SWAV_OK);
      REQUIRE(swav_trainer_save(resumed.trainer, resumed_end.c_str(), "x") == SWAV_OK);
      CHECK(read_bytes(end) == read_bytes(resumed_end));
    }
  }
}

TEST_CASE("training by Winograd's convolutions that is resumed has the weights of training without a break, bit for bit") {
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint";
  swav_trainer_config config = wide_training();
  config.queue_length = 16;
  TrainingBench straight(wide_network(), config), resumed(wide_network(), config, 99);
  CHECK(straight.winograd_layers() >= 6);
  run(straight, 0, 2);
  REQUIRE_MESSAGE(swav_trainer_save(straight.trainer, path.c_str(), nullptr) == SWAV_OK, swav_error_message());
  run(straight, 2, 4);
  resumed.step(50);
  REQUIRE_MESSAGE(swav_trainer_load(resumed.trainer, path.c_str(), nullptr) == SWAV_OK, swav_error_message());
  run(resumed, 2, 4);
  CHECK(resumed.report.loss == straight.report.loss);
  CHECK(state_of(resumed.network) == state_of(straight.network));
}

TEST_CASE("a checkpoint keeps its note and opens as a network, with what the input has to look like") {
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint", note = "{\"epoch\": 3, \"text\": \"\\u00e4 \n tab\t\"}";
  TrainingBench bench(small_network(), with_queue());
  const swav_input_description input{40, {0.1f, 0.2f, 0.3f, 0}, {0.4f, 0.5f, 0.6f, 0}};
  REQUIRE(swav_network_describe_input(bench.network, &input) == SWAV_OK);
  bench.step(0);
  REQUIRE(swav_trainer_save(bench.trainer, path.c_str(), note.c_str()) == SWAV_OK);
  char buffer[128];
  size_t size = 0;
  REQUIRE(swav_checkpoint_note(path.c_str(), buffer, sizeof buffer, &size) == SWAV_OK);
  CHECK(std::string(buffer) == note);
  CHECK(size == note.size());
  size = 0;
  CHECK(swav_checkpoint_note(path.c_str(), nullptr, 0, &size) == SWAV_ERROR_LIMIT);
  CHECK(size == note.size());
  CHECK(swav_checkpoint_note(path.c_str(), buffer, note.size(), &size) == SWAV_ERROR_LIMIT);  // no room for the zero

  swav_network* opened = nullptr;
  swav_load_report report;
  REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened, &report) == SWAV_OK, swav_error_message());
  CHECK(state_of(opened) == state_of(bench.network));
  CHECK(report.missing == 0);
  CHECK(report.unexpected == 0);
  swav_input_description found;
  REQUIRE(swav_network_input(opened, &found) == SWAV_OK);
  CHECK(found.size == 40);
  CHECK(found.mean[2] == 0.3f);
  CHECK(found.std[0] == 0.4f);
  swav_network_destroy(opened);
}

TEST_CASE("a checkpoint cut anywhere is refused and nothing is changed") {
  const Saved saved;
  const std::string bytes = read_bytes(saved.path), cut = saved.folder / "cut";
  TrainingBench bench(small_network(), with_queue(), 5);
  std::vector<int64_t> lengths = {
      0, 1, 7, 8, 9, header_end(bytes) - 1, header_end(bytes), header_end(bytes) + 1, int64_t(bytes.size()) - 1};
  for (int64_t i = 1; i < 24; ++i) lengths.push_back(int64_t(bytes.size()) * i / 24 + i);
  for (int64_t length : lengths) {
    CAPTURE(length);
    write_bytes(cut, bytes.substr(0, size_t(length)));
    load_message(bench, cut, SWAV_ERROR_FORMAT);
    size_t size = 0;
    CHECK(swav_checkpoint_note(cut.c_str(), nullptr, 0, &size) == SWAV_ERROR_FORMAT);
    swav_network* network = nullptr;
    CHECK(swav_network_open(cut.c_str(), nullptr, &network, nullptr) == SWAV_ERROR_FORMAT);
  }
}

TEST_CASE(
    "a flipped bit of the header is refused, or it is one of a description and what is loaded is exactly what was saved") {
  const Saved saved;
  const std::string bytes = read_bytes(saved.path), damaged = saved.folder / "damaged";
  const int64_t end = header_end(bytes);
  TrainingBench bench(small_network(), with_queue(), 5);
  const State before = state_of(bench.network);
  int refused = 0, tried = 0;
  for (int64_t at = 0; at < end; at += at < 16 ? 1 : end / 150) {
    std::string copy = bytes;
    copy[size_t(at)] = char(copy[size_t(at)] ^ (1 << (at % 8)));
    write_bytes(damaged, copy);
    CAPTURE(at);
    CAPTURE(bytes.substr(size_t(std::max<int64_t>(8, at - 20)), 40));
    ++tried;
    if (swav_trainer_load(bench.trainer, damaged.c_str(), nullptr) != SWAV_OK) {
      ++refused;
      CHECK(state_of(bench.network) == before);
      continue;
    }
    TrainingBench other(small_network(), with_queue(), 6);
    REQUIRE(swav_trainer_load(other.trainer, damaged.c_str(), nullptr) == SWAV_OK);
    CHECK(state_of(other.network) == saved.state);
    run(other, 3, 4);
    CHECK(state_of(other.network) == saved.next);
    // `bench` holds the saved state now; it gets another one back.
    TrainingBench fresh(small_network(), with_queue(), 5);
    const std::string path = saved.folder / "fresh";
    REQUIRE(swav_trainer_save(fresh.trainer, path.c_str(), "") == SWAV_OK);
    REQUIRE(swav_trainer_load(bench.trainer, path.c_str(), nullptr) == SWAV_OK);
  }
  CHECK(refused > tried * 9 / 10);
}

TEST_CASE("a checkpoint of other settings is refused with the list of differences") {
  const Saved saved;
  const auto message = [&](auto change) {
    swav_network_config network = small_network();
    swav_trainer_config training = with_queue();
    change(network, training);
    TrainingBench bench(network, training);
    const std::string text = load_message(bench, saved.path, SWAV_ERROR_FORMAT), part = " belongs to other settings: ";
    REQUIRE(text.find(part) != std::string::npos);
    return text.substr(text.find(part) + part.size());
  };
  CHECK(message([](auto& n, auto&) { n.depth = 34; }) == "architecture: file has resnet18b4, this run has resnet34b4");
  CHECK(message([](auto& n, auto&) { n.prototypes[0] = 13; }) == "prototypes0: file has 12, this run has 13");
  CHECK(message([](auto&, auto& t) { t.batch = 4; }) == "batch: file has 6, this run has 4");
  CHECK(message([](auto&, auto& t) { t.queue_length = 0; }) == "queue_length: file has 12, this run has 0");
  CHECK(message([](auto&, auto& t) { t.temperature = 0.2f; }) == "temperature: file has 0.1, this run has 0.2");
  // Settings that only one of the two has.
  CHECK(message([](auto&, auto& t) { t.assign_count = 1; }) == "assign1: file has 1, this run has none");
  CHECK(message([](auto& n, auto&) { n.head_count = 2, n.prototypes[1] = 12; }) ==
        "prototypes1: file has none, this run has 12");
  CHECK(message([](auto&, auto& t) { t.optimizer = SWAV_OPTIMIZER_ADAMW, t.momentum = 0; }) ==
        "momentum: file has 0.9, this run has 0; optimizer: file has 0, this run has 2");
}

TEST_CASE("a missing file, a folder and a file of weights alone are refused, each for its reason") {
  const TemporaryFolder folder;
  TrainingBench bench(small_network(), with_queue());
  CHECK(load_message(bench, folder / "absent", SWAV_ERROR_IO) ==
        "cannot open " + (folder / "absent") + ": No such file or directory");
  CHECK(load_message(bench, folder.path(), SWAV_ERROR_IO).find("not a regular file") != std::string::npos);
  const std::string weights = folder / "weights.safetensors";
  REQUIRE(swav_network_save(bench.network, weights.c_str()) == SWAV_OK);
  CHECK(load_message(bench, weights, SWAV_ERROR_FORMAT) ==
        weights + " is no checkpoint: it holds weights without a training state");
  size_t size = 0;
  CHECK(swav_checkpoint_note(weights.c_str(), nullptr, 0, &size) == SWAV_ERROR_FORMAT);
  const std::string nowhere = folder / "absent/checkpoint";
  CHECK(swav_trainer_save(bench.trainer, nowhere.c_str(), "") == SWAV_ERROR_IO);
  CHECK(std::string(swav_error_message()).find(nowhere) != std::string::npos);
}

TEST_CASE("a disk that fills up while a checkpoint is written leaves the one before as it was, and no file beside it") {
  const Saved saved("before");
  const std::string before = read_bytes(saved.path);
  TrainingBench bench(small_network(), with_queue(), 5);
  // A limit on the size of files stands in for the full disk: writing past it fails as it would there.
  rlimit old;
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (size_t room : {size_t(0), size_t(4), size_t(5000), before.size() / 2, before.size() - 64}) {
    const rlimit limit{room, old.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const swav_status status = swav_trainer_save(bench.trainer, saved.path.c_str(), "after"),
                      weights = swav_network_save(bench.network, saved.path.c_str());
    REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK(status == SWAV_ERROR_IO);
    if (room < before.size() / 3) CHECK(weights == SWAV_ERROR_IO);  // weights alone are a third of a checkpoint
    if (weights == SWAV_OK) {
      write_bytes(saved.path, before);
      continue;
    }
    CHECK(std::string(swav_error_message()).find("cannot write " + saved.path) != std::string::npos);
    CHECK(read_bytes(saved.path) == before);
    CHECK(std::distance(std::filesystem::directory_iterator(saved.folder.path()), {}) == 1);
  }
  std::signal(SIGXFSZ, handler);
  REQUIRE(swav_trainer_save(bench.trainer, saved.path.c_str(), "after") == SWAV_OK);
  CHECK(read_bytes(saved.path) != before);
}

TEST_CASE("what is not finite is not saved, and the file that is there stays") {
  const TemporaryFolder folder;
  const std::string checkpoint = folder / "checkpoint", weights = folder / "weights";
  TrainingBench bench(small_network(), small_training());
  bench.step(0);
  REQUIRE(swav_trainer_save(bench.trainer, checkpoint.c_str(), "good") == SWAV_OK);
  REQUIRE(swav_network_save(bench.network, weights.c_str()) == SWAV_OK);
  const std::string before[] = {read_bytes(checkpoint), read_bytes(weights)};
  for (const char* name : {"layer1.0.conv1.weight", "bn1.running_mean", "prototypes.weight"}) {
    CAPTURE(name);
    const Floats good = values_of(bench.network, name);
    Floats bad = good;
    bad[2] = std::numeric_limits<float>::infinity();
    set_values(bench.network, name, bad);
    CHECK(swav_trainer_save(bench.trainer, checkpoint.c_str(), "bad") == SWAV_ERROR_NUMERIC);
    CHECK(std::string(swav_error_message()).find(std::string(name) + " holds inf at index 2") == 0);
    CHECK(swav_network_save(bench.network, weights.c_str()) == SWAV_ERROR_NUMERIC);
    set_values(bench.network, name, good);
    CHECK(read_bytes(checkpoint) == before[0]);
    CHECK(read_bytes(weights) == before[1]);
  }
  CHECK(swav_trainer_save(bench.trainer, checkpoint.c_str(), "good") == SWAV_OK);
}
