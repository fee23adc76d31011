// No allocation in a step: every one of the process through operator new is counted.
#include <atomic>
#include <cstdlib>
#include <new>

#include "training_bench.h"

using namespace swav;
using namespace swav::test;

static std::atomic<int64_t> allocations{0};
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void* operator new(size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const auto unit = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

TEST_CASE("a step allocates nothing") {
  swav_trainer_config config = small_training();
  const int32_t counts[] = {2, 1, 2}, sizes[] = {16, 16, 8};
  config.group_count = 3;
  for (int g = 0; g < 3; ++g) config.crop_counts[g] = counts[g], config.crop_sizes[g] = sizes[g];
  config.queue_length = 6;
  for (const int kind : {0, 1, 2}) {
    CAPTURE(kind);
    config.micro_batch = kind == 1 ? 3 : 0;
    config.bfloat16 = kind == 2;
    TrainingBench bench(small_network(), config);
    const std::vector<Floats> crops = bench.crops(0);
    const float* pointers[] = {crops[0].data(), crops[1].data(), crops[2].data()};
    const swav_step_input input{pointers, 0.1, false, true, true};
    for (int t = 0; t < 3; ++t)
      REQUIRE(swav_trainer_step(bench.trainer, &input, &bench.report) == SWAV_OK);  // scratch grows once
    swav_status statuses[3];
    const int64_t before = allocations;
    for (swav_status& status : statuses) status = swav_trainer_step(bench.trainer, &input, &bench.report);
    CHECK(allocations == before);
    for (const swav_status status : statuses) CHECK(status == SWAV_OK);
  }
}
