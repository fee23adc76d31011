#include "base/arena.h"

#include <sys/mman.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "base/status.h"

#if defined(__has_feature)
#define SWAV_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SWAV_ADDRESS_SANITIZER 1
#else
#define SWAV_ADDRESS_SANITIZER 0
#endif
#if SWAV_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace swav {
namespace {

#if SWAV_ADDRESS_SANITIZER
constexpr bool poisons = true;
void poison(const void* memory, int64_t bytes) { __asan_poison_memory_region(memory, size_t(bytes)); }
void unpoison(const void* memory, int64_t bytes) { __asan_unpoison_memory_region(memory, size_t(bytes)); }
#else
constexpr bool poisons = false;
void poison(const void*, int64_t) {}
void unpoison(const void*, int64_t) {}
#endif

constexpr int64_t alignment = 64;
constexpr int64_t huge_page = int64_t{2} << 20;
constexpr int64_t gap = poisons ? alignment : 0;  // behind each piece

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

struct Free {
  void operator()(float* p) const { std::free(p); }
};

struct Buffer {
  std::unique_ptr<float, Free> memory;
  int64_t capacity = 0;
};

}  // namespace

const bool Arena::poisons_gaps = poisons;

Arena::~Arena() {
  if (!owned_) return;
  unpoison(memory_, capacity_);
  munmap(memory_, size_t(capacity_));
}

void* Arena::take_bytes(int64_t bytes) {
  const int64_t offset = used_;
  used_ += round_up(bytes, alignment) + (owned_ || memory_ == nullptr ? gap : 0);
  if (memory_ == nullptr) return nullptr;
  if (used_ > capacity_) fail(SWAV_ERROR_INTERNAL, "arena: the plan took more memory than it had counted");
  if (owned_) unpoison(memory_ + offset, bytes);
  return memory_ + offset;
}

void Arena::allocate() {
  capacity_ = round_up(used_ + 1, huge_page);
  void* memory = mmap(nullptr, size_t(capacity_), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    const double gib = double(capacity_) / double(int64_t{1} << 30);
    capacity_ = 0;
    fail(SWAV_ERROR_MEMORY, "cannot allocate %.2f GiB; a smaller batch, fewer or smaller crops need less", gib);
  }
  madvise(memory, size_t(capacity_), MADV_HUGEPAGE);  // fewer page faults and TLB misses; only a hint
  memory_ = static_cast<char*>(memory);
  owned_ = true;
  used_ = 0;
  poison(memory_, capacity_);
}

float* scratch(Scratch slot, int64_t count) {
  thread_local Buffer buffers[int(Scratch::last)];
  Buffer& buffer = buffers[int(slot)];
  if (buffer.capacity < count) {
    // Kernels write to dozens of places of a large one at a time, more pages than the CPU's table of addresses holds.
    const int64_t wanted = count * int64_t(sizeof(float)), page = wanted >= huge_page / 2 ? huge_page : 4096;
    const int64_t bytes = round_up(wanted, page);
    buffer.memory.reset(static_cast<float*>(std::aligned_alloc(size_t(page), size_t(bytes))));
    if (!buffer.memory) {
      buffer.capacity = 0;
      throw std::bad_alloc();
    }
    if (page == huge_page) madvise(buffer.memory.get(), size_t(bytes), MADV_HUGEPAGE);
    buffer.capacity = bytes / int64_t(sizeof(float));
  }
  unpoison(buffer.memory.get(), count * int64_t(sizeof(float)));
  poison(buffer.memory.get() + count, (buffer.capacity - count) * int64_t(sizeof(float)));
  return buffer.memory.get();
}

}  // namespace swav
