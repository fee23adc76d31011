// Trainers with a queue, their checkpoints, and what a refused one is told: what the tests of checkpoints share.
#pragma once

#include <string>

#include "temporary_folder.h"
#include "training_bench.h"

namespace swav::test {

inline swav_trainer_config with_queue(swav_optimizer optimizer = SWAV_OPTIMIZER_LARC) {
  swav_trainer_config c = small_training();
  c.optimizer = optimizer;
  c.queue_length = 12;
  c.weight_decay = 1e-3f;
  return c;
}

// Steps [begin, end): the prototypes are frozen in the first two, the queue fills from the second on.
inline void run(TrainingBench& bench, uint64_t begin, uint64_t end) {
  for (uint64_t t = begin; t < end; ++t) bench.step(t, 0.01 + 0.01 * double(t), true, t >= 1, t < 2);
}

// A trainer that has made two steps, and the file that says so.
struct Saved {
  TemporaryFolder folder;
  std::string path = folder / "checkpoint";
  State state;
  State next;  // after one more step

  explicit Saved(const std::string& note = "") {
    TrainingBench bench(small_network(), with_queue());
    run(bench, 0, 3);
    REQUIRE_MESSAGE(swav_trainer_save(bench.trainer, path.c_str(), note.c_str()) == SWAV_OK, swav_error_message());
    state = state_of(bench.network);
    run(bench, 3, 4);
    next = state_of(bench.network);
  }
};

inline int64_t header_end(const std::string& bytes) {
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | uint8_t(bytes[size_t(i)]);
  return 8 + int64_t(length);
}

inline std::string load_message(TrainingBench& bench, const std::string& path, swav_status expected) {
  const State before = state_of(bench.network);
  const swav_status status = swav_trainer_load(bench.trainer, path.c_str(), nullptr);
  CHECK(status == expected);
  CHECK(state_of(bench.network) == before);
  const std::string message = swav_error_message();
  CHECK(message.find(path) != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

}  // namespace swav::test
