// Calling off: where the flag is looked at, and that a call that was called off leaves all state as it was.
#include <atomic>
#include <chrono>
#include <thread>

#include "base/parallel.h"
#include "base/status.h"
#include "classifier_bench.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

// The flag of this thread, until the end of the scope.
struct Watched {
  volatile int32_t flag = 0;
  Watched() { swav_watch_cancellation(&flag); }
  ~Watched() { swav_watch_cancellation(nullptr); }
};

// From any thread.
void set(volatile int32_t& flag) { __atomic_store_n(&flag, 1, __ATOMIC_RELAXED); }

swav_trainer_config training() {
  swav_trainer_config c = small_training();
  c.queue_length = 12;
  return c;
}

template <class F>
swav_status status_of(F&& body) {
  try {
    body();
    return SWAV_OK;
  } catch (const Error& error) {
    return error.status();
  }
}

}  // namespace

TEST_CASE("tasks that have not begun when the flag is set are left out") {
  for (int32_t threads : {1, 2, 3}) {
    CAPTURE(threads);
    REQUIRE(swav_set_threads(threads) == SWAV_OK);
    Watched watched;
    std::atomic<int64_t> done{0};
    const swav_status status = status_of([&] {
      parallel::run_interruptibly_on_engine([&] {
        parallel::for_each(100000, [&](int64_t, int) {
          if (done.fetch_add(1) == 99) set(watched.flag);
        });
      });
    });
    CHECK(status == SWAV_ERROR_CANCELLED);
    // Each thread may have one under way, and have looked just before.
    CHECK(done >= 100);
    CHECK(done <= 100 + threads);
    // What is not to be stopped half way is not, neither as a whole nor inside of a job that is.
    done = 0;
    CHECK(status_of([&] { parallel::run_on_engine([&] { parallel::for_each(1000, [&](int64_t, int) { ++done; }); }); }) ==
          SWAV_OK);
    CHECK(done == 1000);
  }
  swav_set_threads(0);
}

TEST_CASE("a flag that is set and taken back leaves no work undone without saying so") {
  const Threads team(2);
  Watched watched;
  std::atomic<bool> over{false};
  std::thread other([&] {
    for (int32_t value = 1; !over; value ^= 1) __atomic_store_n(&watched.flag, value, __ATOMIC_RELAXED);
  });
  int wrong = 0;
  for (int run = 0; run < 2000; ++run) {
    std::atomic<int64_t> done{0};
    const swav_status status = status_of(
        [&] { parallel::run_interruptibly_on_engine([&] { parallel::for_each(64, [&](int64_t, int) { ++done; }); }); });
    wrong += status == SWAV_OK ? done != 64 : status != SWAV_ERROR_CANCELLED;
  }
  over = true;
  other.join();
  CHECK(wrong == 0);
}

TEST_CASE("a part that is done whole or not at all does not look at the flag") {
  Watched watched;
  std::atomic<int64_t> done{0};
  const swav_status status = status_of([&] {
    parallel::run_interruptibly_on_engine([&] {
      set(watched.flag);
      {
        const parallel::Uninterrupted whole;
        parallel::for_each(1000, [&](int64_t, int) { ++done; });
        CHECK(!parallel::is_cancelled());
      }
      CHECK(parallel::is_cancelled());
      parallel::for_each(1000, [&](int64_t, int) { ++done; });
    });
  });
  CHECK(status == SWAV_ERROR_CANCELLED);
  CHECK(done == 1000);
}

TEST_CASE("a flag is looked at by calls of the thread that watches it only, and the one before comes back") {
  volatile int32_t set = 1, unset = 0;
  CHECK((swav_watch_cancellation(&set) == nullptr));
  CHECK(swav_is_cancelled());
  TrainingBench* bench = nullptr;
  std::thread([&] {
    CHECK(!swav_is_cancelled());
    bench = new TrainingBench(small_network(), training());
    bench->step(0);
  }).join();
  CHECK(bench->step_on(bench->crops(1)) == SWAV_ERROR_CANCELLED);
  CHECK(std::string(swav_error_message()) == "called off");
  CHECK((swav_watch_cancellation(&unset) == &set));
  CHECK(!swav_is_cancelled());
  bench->step(1);
  CHECK((swav_watch_cancellation(nullptr) == &unset));
  delete bench;
}

// Makes a step that is called off later and later, until that comes too late: the first time before it begins. After each
// `before` has to hold again; how often it was called off.
template <class State, class Step>
int call_off(const State& state, const Step& step) {
  int called_off = 0;
  for (int64_t wait = 0; wait < 10000000; wait = wait * 5 / 4 + 20) {
    const auto before = state();
    Watched watched;
    std::thread other;
    if (wait == 0) {
      set(watched.flag);
    } else {
      other = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::microseconds(wait));
        set(watched.flag);
      });
    }
    const swav_status status = step();
    if (other.joinable()) other.join();
    if (status == SWAV_OK) return called_off;
    REQUIRE(status == SWAV_ERROR_CANCELLED);
    ++called_off;
    CHECK(state() == before);
  }
  FAIL("it never came to its end");
  return called_off;
}

TEST_CASE("a step that is called off at any moment leaves all state as it was") {
  for (const int32_t micro_batch : {0, 2}) {
    CAPTURE(micro_batch);
    swav_trainer_config config = training();
    config.micro_batch = micro_batch;
    TrainingBench bench(small_network(), config), untroubled(small_network(), config);
    for (uint64_t t = 0; t < 3; ++t) {
      bench.step(t);
      untroubled.step(t);
    }
    CHECK(call_off([&] { return state_of(bench.network); }, [&] { return bench.step_on(bench.crops(3)); }) >= 1);
    untroubled.step(3);
    // Optimiser and queue as well: they show in what comes after.
    for (uint64_t t = 4; t < 6; ++t) {
      bench.step(t);
      untroubled.step(t);
    }
    CHECK(state_of(bench.network) == state_of(untroubled.network));
  }
}

TEST_CASE("a step of a classifier that is called off at any moment leaves all state as it was") {
  const swav_network_config network_config = small_network();
  ClassifierBench bench(&network_config, small_classifier()), untroubled(&network_config, small_classifier());
  bench.step(0);
  untroubled.step(0);
  const auto state = [&] { return std::make_pair(state_of(bench.network), bench.weights()); };
  CHECK(call_off(state, [&] { return bench.step_on(bench.values(1), bench.labels(1), 0.05, 0.1); }) >= 1);
  untroubled.step(1);
  bench.step(2);
  untroubled.step(2);
  CHECK(state_of(bench.network) == state_of(untroubled.network));
  CHECK(bench.weights() == untroubled.weights());
}

TEST_CASE("a step in a group is not called off: others would wait") {
  const swav_network_config network_config = small_network();
  const swav_trainer_config config = small_training();
  swav_network* network = nullptr;
  swav_trainer* trainer = nullptr;
  REQUIRE(swav_network_create(&network_config, 1, &network) == SWAV_OK);
  swav_group_config group = swav_group_config_default();
  group.parts = 2;
  REQUIRE_MESSAGE(swav_trainer_create_in_group(network, &config, nullptr, &group, &trainer) == SWAV_OK, swav_error_message());
  const TrainingBench shapes(network_config, config);
  const std::vector<Floats> crops = shapes.crops(0);
  const float* pointers[] = {crops[0].data(), crops[1].data()};
  const swav_step_input input{pointers, 0.1, false, false, true};
  swav_step_report report;
  Watched watched;
  set(watched.flag);
  CHECK_MESSAGE(swav_trainer_step(trainer, &input, &report) == SWAV_OK, swav_error_message());
  swav_trainer_destroy(trainer);
  swav_network_destroy(network);
}

TEST_CASE("a call that waits for its turn is called off as well") {
  Watched watched;
  std::atomic<bool> is_running{false}, may_end{false};
  std::thread other([&] {
    parallel::run_on_engine([&] {
      is_running = true;
      while (!may_end) std::this_thread::yield();
    });
  });
  while (!is_running) std::this_thread::yield();
  std::thread setter([&] { set(watched.flag); });
  bool ran = false;
  const swav_status status = status_of([&] { parallel::run_interruptibly_on_engine([&] { ran = true; }); });
  CHECK(status == SWAV_ERROR_CANCELLED);
  CHECK(!ran);
  may_end = true;
  setter.join();
  other.join();
}

TEST_CASE("whatever computes for long is called off: features, calibration, kNN, logistic regression, codes, loss") {
  TrainingBench bench(small_network(), training());
  const Floats images = normals(1, 4 * 16 * 16 * 3);
  Floats result(4 * 64), codes(4 * 4), weights(2 * 5), scores(4 * 4), gradient(4 * 4);
  const std::vector<int32_t> labels{0, 1, 0, 1}, assign{0, 1};
  std::vector<int32_t> predictions(4);
  double loss = 0;
  float epsilon = 0;
  const swav_codes_config config = swav_codes_config_default();
  volatile int32_t flag = 0;
  const auto all = [&](swav_status expected) {
    CHECK(swav_network_embed(bench.network, SWAV_OUTPUT_FEATURES, images.data(), 4, 16, 16, result.data()) == expected);
    CHECK(swav_network_calibrate(bench.network, images.data(), 4, 16, 16) == expected);
    CHECK(swav_network_recalibrate_batch(bench.network, images.data(), 4, 16, 16) == expected);
    CHECK(swav_knn(result.data(), labels.data(), 4, result.data(), 4, 4, 2, nullptr, predictions.data()) == expected);
    CHECK(swav_linear_fit(result.data(), labels.data(), 4, 4, 2, nullptr, weights.data()) == expected);
    CHECK(swav_linear_predict(weights.data(), 4, 2, result.data(), 4, predictions.data()) == expected);
    CHECK(swav_codes(scores.data(), 4, 4, 4, &config, codes.data(), &epsilon) == expected);
    CHECK(swav_swapped_loss(scores.data(), 2, 2, 4, codes.data(), assign.data(), 2, 0.1f, &loss, gradient.data()) == expected);
  };
  REQUIRE(swav_network_recalibrate_begin(bench.network) == SWAV_OK);
  swav_watch_cancellation(&flag);
  all(SWAV_OK);
  set(flag);
  all(SWAV_ERROR_CANCELLED);
  swav_watch_cancellation(nullptr);
  all(SWAV_OK);
}
