#include "base/scratch.h"

#include <sys/mman.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "base/parallel.h"
#include "base/poison.h"
#include "base/status.h"

namespace swav {
namespace {

constexpr int64_t huge_page = int64_t{2} << 20, page = 4096;

// Kernels write to dozens of places of a large one at a time, more pages than the CPU's table of addresses holds.
int64_t alignment_of(int64_t bytes) { return bytes >= huge_page / 2 ? huge_page : page; }

int64_t rounded_bytes(int64_t floats) {
  const int64_t bytes = floats * int64_t(sizeof(float)), unit = alignment_of(bytes);
  return (bytes + unit - 1) / unit * unit;
}

struct Free {
  void operator()(float* p) const { std::free(p); }
};

struct Buffer {
  std::unique_ptr<float, Free> memory;
  int64_t bytes = 0;

  // False when there is no memory.
  bool grow(int64_t wanted) {
    if (bytes >= wanted) return true;
    bytes = 0;
    memory.reset();
    memory.reset(static_cast<float*>(std::aligned_alloc(size_t(alignment_of(wanted)), size_t(wanted))));
    if (!memory) return false;
    if (alignment_of(wanted) == huge_page) madvise(memory.get(), size_t(wanted), MADV_HUGEPAGE);
    bytes = wanted;
    return true;
  }
};

}  // namespace

int64_t ScratchSize::bytes() const {
  int64_t total = 0;
  for (int64_t count : floats) total += rounded_bytes(count);
  return total;
}

struct TeamScratch::Store {
  struct Row {
    Buffer buffers[ScratchSize::slots];
  };
  std::vector<Row> rows;  // of each worker
};

TeamScratch::Store& TeamScratch::store() {
  thread_local Store store;
  return store;
}

TeamScratch::TeamScratch(const ScratchSize& size) : TeamScratch(size, parallel::threads()) {}

TeamScratch::TeamScratch(const ScratchSize& size, int workers) : store_(&store()) {
  if (int(store_->rows.size()) < workers) store_->rows.resize(size_t(workers));
  for (int worker = 0; worker < workers; ++worker) {
    for (int slot = 0; slot < ScratchSize::slots; ++slot) {
      if (store_->rows[size_t(worker)].buffers[slot].grow(rounded_bytes(size.floats[slot]))) continue;
      fail(SWAV_ERROR_MEMORY, "cannot allocate %.1f MiB of scratch for each of %d threads; fewer threads need less",
           double(size.bytes()) / double(1 << 20), workers);
    }
  }
}

void TeamScratch::open_again() {
  if (!poisons) return;
  for (Store::Row& row : store().rows) {
    for (Buffer& buffer : row.buffers) unpoison(buffer.memory.get(), buffer.bytes);
  }
}

float* TeamScratch::get(int worker, Scratch slot, int64_t count) const {
  const Buffer& buffer = store_->rows[size_t(worker)].buffers[int(slot)];
  const int64_t bytes = count * int64_t(sizeof(float));
  if (bytes > buffer.bytes) fail(SWAV_ERROR_INTERNAL, "scratch: a task took more than its operation had asked for");
  unpoison(buffer.memory.get(), bytes);
  poison(buffer.memory.get() + count, buffer.bytes - bytes);
  return buffer.memory.get();
}

}  // namespace swav
