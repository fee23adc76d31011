#include "base/arena.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "base/memory.h"
#include "base/poison.h"
#include "base/status.h"

namespace swav {
namespace {

constexpr int64_t alignment = 64;
constexpr int64_t huge_page = int64_t{2} << 20;
constexpr int64_t gap = poisons ? alignment : 0;  // behind each piece

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// The arenas of this process that hold memory.
class LiveArenas {
 public:
  static LiveArenas& shared() {
    static LiveArenas* arenas = [] {
      pthread_atfork([] { shared().mutex_.lock(); }, [] { shared().mutex_.unlock(); }, [] { shared().mutex_.unlock(); });
      return new LiveArenas;  // arenas may die after static objects
    }();
    return *arenas;
  }

  void add(char* memory, int64_t bytes) {
    const std::lock_guard lock(mutex_);
    blocks_[memory] = bytes;
  }
  void remove(char* memory) {
    const std::lock_guard lock(mutex_);
    blocks_.erase(memory);
  }

  int64_t untouched_bytes() {
    const std::lock_guard lock(mutex_);
    const int64_t page = sysconf(_SC_PAGESIZE);
    constexpr int64_t pages_a_look = 16384;
    std::vector<unsigned char> present(static_cast<size_t>(pages_a_look));
    int64_t absent = 0;
    for (const auto& [memory, bytes] : blocks_) {
      for (int64_t at = 0; at < bytes; at += pages_a_look * page) {
        const int64_t length = std::min(bytes - at, pages_a_look * page), pages = length / page;
        if (mincore(memory + at, size_t(length), present.data()) != 0) continue;
        absent += std::count_if(present.begin(), present.begin() + pages, [](unsigned char p) { return (p & 1) == 0; });
      }
    }
    return absent * page;
  }

 private:
  std::mutex mutex_;
  std::map<char*, int64_t> blocks_;
};

}  // namespace

const bool Arena::poisons_gaps = poisons;

Arena::~Arena() {
  if (!owned_) return;
  LiveArenas::shared().remove(memory_);
  unpoison(memory_, capacity_);
  munmap(memory_, size_t(capacity_));
}

void* Arena::take_bytes(int64_t bytes) {
  const int64_t offset = next_;
  used_ += round_up(bytes, alignment);
  next_ += round_up(bytes, alignment) + (owned_ || memory_ == nullptr ? gap : 0);
  if (memory_ == nullptr) return nullptr;
  if (next_ > capacity_) fail(SWAV_ERROR_INTERNAL, "arena: the plan took more memory than it had counted");
  if (owned_) unpoison(memory_ + offset, bytes);
  return memory_ + offset;
}

void Arena::allocate(const char* what) {
  constexpr const char* advice = "smaller batches, smaller images or a narrower network need less";
  require_memory(used_, what, advice);
  const int64_t bytes = round_up(next_ + 1, huge_page);
  void* memory = mmap(nullptr, size_t(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    fail(SWAV_ERROR_MEMORY, "%s needs %s of memory, which the system refuses; %s", what, gib_text(bytes).c_str(), advice);
  }
  madvise(memory, size_t(bytes), MADV_HUGEPAGE);  // fewer page faults and TLB misses; only a hint
  memory_ = static_cast<char*>(memory);
  capacity_ = bytes;
  owned_ = true;
  used_ = next_ = 0;
  poison(memory_, capacity_);
  LiveArenas::shared().add(memory_, capacity_);
}

int64_t Arena::untouched_bytes() { return LiveArenas::shared().untouched_bytes(); }

void Arena::watch_forks() { LiveArenas::shared(); }

}  // namespace swav
