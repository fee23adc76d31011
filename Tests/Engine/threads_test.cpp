// Handles under many threads at once: calls see the whole of those before them and nothing of those after. Run under
// ThreadSanitizer as well (make sanitize-thread).
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/parallel.h"
#include "training_bench.h"

using namespace swav::test;

namespace {

constexpr int64_t side = 16, pixel_count = side * side * 3;

// Runs every body on a thread of its own, over and over, until `first` returns. What one throws fails the test.
void beside(const std::function<void()>& first, const std::vector<std::function<void()>>& others) {
  std::atomic<bool> done{false};
  std::vector<std::string> errors(others.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < others.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        do others[i]();
        while (!done);
      } catch (const std::exception& error) {
        errors[i] = error.what();
      }
    });
  }
  first();
  done = true;
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) CHECK(error == "");
}

Floats features_of(swav_network* network, const Floats& images) {
  Floats result(size_t(images.size() / pixel_count * 32));
  REQUIRE(swav_network_embed(network, SWAV_OUTPUT_FEATURES, images.data(), int64_t(images.size()) / pixel_count, side, side,
                             result.data()) == SWAV_OK);
  return result;
}

// On a thread of beside: doctest's REQUIRE is for the main one.
void require(swav_status status) {
  if (status != SWAV_OK) throw std::runtime_error(swav_error_message());
}

}  // namespace

TEST_CASE("many threads may look at a network and its trainer while it trains, and training has the bits that it has alone") {
  TrainingBench alone(small_network(), small_training()), bench(small_network(), small_training());
  const Floats images = normals(1, 3 * pixel_count);
  const int64_t weight = index_of(bench.network, "conv1.weight"), count = tensor_of(bench.network, "conv1.weight").count;
  swav_input_description input;
  require(swav_network_input(bench.network, &input));
  bench.step(0);
  beside(
      [&] {
        for (uint64_t t = 1; t < 6; ++t) bench.step(t);
      },
      {[&] {
         Floats result(3 * 32);
         require(swav_network_embed(bench.network, SWAV_OUTPUT_FEATURES, images.data(), 3, side, side, result.data()));
       },
       [&] {
         Floats values(static_cast<size_t>(count));
         require(swav_network_read_tensor(bench.network, weight, values.data(), count));
         require(swav_trainer_read_gradient(bench.trainer, weight, values.data(), count));
       },
       [&] {
         swav_input_description seen;
         require(swav_network_describe_input(bench.network, &input));
         require(swav_network_input(bench.network, &seen));
       },
       [&] {
         swav_step_times times;
         swav_layer_times layer;
         swav_memory_plan memory;
         swav_network_info info;
         require(swav_trainer_step_times(bench.trainer, &times));
         require(swav_trainer_layer_times(bench.trainer, 0, &layer));
         require(swav_trainer_memory(bench.trainer, &memory));
         require(swav_network_describe(bench.network, &info));
       },
       [&] {
         swav_network* copy = nullptr;
         require(swav_network_copy(bench.network, &copy));
         swav_network_destroy(copy);
       },
       [&] {
         swav_runtime_info info;
         require(swav_set_threads(2));
         require(swav_runtime(&info));
         require(swav_set_threads(0));
       }});
  for (uint64_t t = 0; t < 6; ++t) alone.step(t);
  CHECK(state_of(bench.network) == state_of(alone.network));
}

TEST_CASE("a tensor that some threads write and others read is always one that was written whole") {
  TrainingBench bench(small_network(), small_training());
  const int64_t index = index_of(bench.network, "layer1.0.conv1.weight"),
                count = tensor_of(bench.network, "layer1.0.conv1.weight").count;
  std::atomic<int> torn{0};
  const auto write = [&](float value) {
    const Floats values(size_t(count), value);
    for (int i = 0; i < 200; ++i) require(swav_network_write_tensor(bench.network, index, values.data(), count));
  };
  write(0.5f);
  const auto read = [&] {
    Floats values(static_cast<size_t>(count));
    require(swav_network_read_tensor(bench.network, index, values.data(), count));
    if (values.front() != 0.5f && values.front() != 0.25f) ++torn;
    torn += int(count) - int(std::count(values.begin(), values.end(), values.front()));
  };
  beside([&] { write(0.25f); }, {read, read, [&] { write(0.5f); }});
  CHECK(torn == 0);
}

TEST_CASE("what is embedded after a write has the written weights, whoever embeds at the same time") {
  swav_network_config config = small_network();
  TrainingBench bench(config, small_training()), twin(config, small_training());
  const Floats images = normals(1, 2 * pixel_count);
  std::vector<Floats> biases, expected;
  for (int i = 0; i < 2; ++i) {
    biases.push_back(values_of(twin.network, "layer4.1.bn2.bias"));
    for (float& value : biases.back()) value += float(i);
    set_values(twin.network, "layer4.1.bn2.bias", biases.back());
    expected.push_back(features_of(twin.network, images));
  }
  REQUIRE(expected[0] != expected[1]);
  const int64_t index = index_of(bench.network, "layer4.1.bn2.bias"), count = int64_t(biases[0].size());
  const auto embed = [&] {
    Floats result(2 * 32);
    require(swav_network_embed(bench.network, SWAV_OUTPUT_FEATURES, images.data(), 2, side, side, result.data()));
    return result;
  };
  int missed = 0;
  beside(
      [&] {
        for (int i = 0; i < 60; ++i) {
          require(swav_network_write_tensor(bench.network, index, biases[size_t(i % 2)].data(), count));
          missed += embed() != expected[size_t(i % 2)];
        }
      },
      {[&] { embed(); }, [&] { embed(); }});
  CHECK(missed == 0);
}

TEST_CASE("many threads may decode, crop and embed pictures with one network and one image at once") {
  TrainingBench bench(small_network(), small_training());
  std::vector<uint8_t> samples(40 * 40 * 3), encoded(1 << 14);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = uint8_t(i * 7 % 251);
  size_t size = 0;
  require(swav_image_encode_jpeg(samples.data(), 40, 40, 3, 90, encoded.data(), encoded.size(), &size));
  swav_image* image = nullptr;
  require(swav_image_decode(encoded.data(), size, nullptr, &image));
  const swav_recipe recipe = swav_recipe_default();
  swav_crop_plan plan;
  require(swav_crop_plan_sample(&recipe, 1, 0, 0, 2, 40, 40, &plan));
  Floats wanted(8), crop(static_cast<size_t>(plan.size) * size_t(plan.size) * 3);
  require(swav_crop_execute(image, &plan, &recipe, crop.data()));
  require(swav_network_embed_bytes(bench.network, encoded.data(), size, 16, SWAV_OUTPUT_EMBEDDINGS, wanted.data()));
  std::atomic<int> different{0};
  const auto once = [&] {
    Floats embedding(8), pixels(crop.size());
    require(swav_network_embed_bytes(bench.network, encoded.data(), size, 16, SWAV_OUTPUT_EMBEDDINGS, embedding.data()));
    require(swav_crop_execute(image, &plan, &recipe, pixels.data()));
    different += embedding != wanted || pixels != crop;
  };
  beside(
      [&] {
        for (int i = 0; i < 20; ++i) once();
      },
      {once, once, once});
  CHECK(different == 0);
  swav_image_destroy(image);
}

TEST_CASE("what a region's tasks see and leave is whole, whichever thread runs them") {
  // Plain memory: ThreadSanitizer would tell of a region that hands out or waits for too little.
  std::vector<int64_t> values(1000), sums(1000);
  for (int round = 0; round < 20; ++round) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = int64_t(i) + round;
    swav::parallel::for_each(int64_t(values.size()), [&](int64_t i, int) { sums[size_t(i)] = values[size_t(i)] + 1; });
    swav::parallel::for_each(int64_t(values.size()),
                             [&](int64_t i, int) { values[size_t(i)] = sums[values.size() - 1 - size_t(i)]; });
    CHECK(values.front() == 1000 + round);
    CHECK(values.back() == 1 + round);
  }
}
