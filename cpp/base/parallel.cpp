#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/status.h"
#include "base/thread_stacks.h"

// Swift's clang ships no omp.h; these few are all that is needed.
extern "C" {
int omp_get_thread_num(void);
int omp_get_num_procs(void);
// libomp's; absent in libgomp.
[[gnu::weak]] void kmp_set_blocktime(int milliseconds);
}

// ThreadSanitizer does not see how an OpenMP runtime hands work out and waits for it, as the runtime is not compiled with it.
// What OpenMP promises is told here: what happened before a region happened before its tasks, and these before what follows it.
#if defined(__SANITIZE_THREAD__)
#define SWAV_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SWAV_THREAD_SANITIZER
#endif
#endif
#ifdef SWAV_THREAD_SANITIZER
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#define SWAV_NOT_SANITIZED __attribute__((no_sanitize("thread")))
#else
static void __tsan_acquire(void*) {}
static void __tsan_release(void*) {}
#define SWAV_NOT_SANITIZED
#endif

namespace swav::parallel {
namespace {

std::atomic<int> process_threads{0};  // 0: the default
std::atomic<int> default_count{0};    // 0: not looked at yet
thread_local int caller_threads = 0;  // 0: the process'
thread_local CancellationFlag watched = nullptr;
thread_local FunctionRef<void()> meanwhile;
thread_local bool opens_region = false;  // this thread does, and holds the lock of Regions
thread_local int running = 1;            // threads of its last region; libgomp ends those that a smaller one leaves out

int wanted_threads() { return caller_threads > 0 ? caller_threads : process_threads.load(std::memory_order_relaxed); }

// Looks at the system: some files, some ten microseconds.
ThreadCount decide(int wanted) {
  const ProcessLimits limits = ProcessLimits::of_this_process();
  return wanted > 0 ? chosen_threads(wanted, limits) : default_threads(limits);
}

// The process may exit while a step is under way, and OpenMP's runtime must not be torn down in the middle of a parallel
// region (libomp aborts): the exit waits for the region, which lasts milliseconds, and none is opened after it.
class Regions {
 public:
  static Regions& shared() {
    static Regions* instance = new Regions;
    return *instance;
  }

  // Holds the exit off while it lives; owns_lock() is false when the exit has begun.
  std::unique_lock<std::mutex> enter() {
    std::unique_lock lock(mutex_);
    if (closed_) lock.unlock();
    return lock;
  }

 private:
  Regions() {
    std::atexit([] {
      // OpenMP's runtime ends the process from inside a region where the system refuses it a thread.
      if (opens_region) return;
      std::lock_guard lock(shared().mutex_);
      shared().closed_ = true;
    });
  }

  std::mutex mutex_;
  bool closed_ = false;
};

struct Tasks {
  int64_t count;
  detail::Task task;
  void* context;
  CancellationFlag flag;  // the team's other threads do not see this one's
  // libomp 14 lacks clang 21's entry points for dynamic schedules, and a counter does the same.
  std::atomic<int64_t> next{0};
};

// Worker 0 is the thread that opens the region: of the others none has a `meanwhile`.
[[gnu::noinline]] void work_off(Tasks& tasks, int worker) {
  while (!is_set(tasks.flag)) {
    const int64_t i = tasks.next.fetch_add(1, std::memory_order_relaxed);
    if (i >= tasks.count) return;
    tasks.task(tasks.context, i, worker);
    if (meanwhile) meanwhile();
  }
}

SWAV_NOT_SANITIZED void open_region(Tasks* tasks, int team) {
  __tsan_release(tasks);
#pragma omp parallel num_threads(team) firstprivate(tasks)
  {
    __tsan_acquire(tasks);
    work_off(*tasks, omp_get_thread_num());
    __tsan_release(tasks);
  }
  __tsan_acquire(tasks);
}

}  // namespace

int threads() {
  if (const int wanted = wanted_threads()) {
    static const int most = decide(most_threads).count;  // OpenMP reads its variables once, too
    return std::min(wanted, most);
  }
  int count = default_count.load(std::memory_order_relaxed);
  if (count == 0) default_count.store(count = decide(0).count, std::memory_order_relaxed);
  return count;
}

ThreadCount thread_count() { return decide(wanted_threads()); }

void set_threads(int count) {
  process_threads = std::max(0, count);
  forget_default_threads();
}

int set_caller_threads(int count) { return std::exchange(caller_threads, std::max(0, count)); }

void forget_default_threads() { default_count = 0; }

Meanwhile::Meanwhile(FunctionRef<void()> body) : before_(std::exchange(meanwhile, body)) {}

Meanwhile::~Meanwhile() { meanwhile = before_; }

CancellationFlag watch_cancellation(CancellationFlag flag) { return std::exchange(watched, flag); }

CancellationFlag current_cancellation() { return watched; }

bool is_cancelled() { return is_set(watched); }

bool is_set(CancellationFlag flag) { return flag != nullptr && __atomic_load_n(flag, __ATOMIC_RELAXED) != 0; }

void throw_if_set(CancellationFlag flag) {
  if (is_set(flag)) fail(SWAV_ERROR_CANCELLED, "called off");
}

namespace detail {

void prepare_team() {
  omp_get_num_procs();  // starts libomp
  // libomp's idle threads spin for 200 ms by default, on the cores that the loader needs between two steps.
  if (kmp_set_blocktime) kmp_set_blocktime(1);
}

void for_each(int64_t count, Task task, void* context) {
  throw_if_set(watched);
  int team = int(std::min<int64_t>(threads(), count));
  if (team > running) team = threads_with_stacks(team, running);
  std::unique_lock<std::mutex> region;
  if (team > 1) region = Regions::shared().enter();
  Tasks tasks{count, task, context, watched};
  if (region.owns_lock()) {
    running = team;
    opens_region = true;
    open_region(&tasks, team);
    opens_region = false;
  } else {
    work_off(tasks, 0);
  }
  // Who sees the flag leaves tasks undone, and it may be taken back before this thread looks.
  if (tasks.next.load(std::memory_order_relaxed) < count) fail(SWAV_ERROR_CANCELLED, "called off");
  throw_if_set(watched);
}

}  // namespace detail

void zero(float* values, int64_t count) {
  constexpr int64_t piece = int64_t{1} << 18;
  for_each((count + piece - 1) / piece, [&](int64_t task, int) {
    const int64_t begin = task * piece;
    std::memset(values + begin, 0, size_t(std::min(count, begin + piece) - begin) * sizeof(float));
  });
}

}  // namespace swav::parallel
