#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "base/status.h"

// Swift's clang ships no omp.h; these few are all that is needed.
extern "C" {
int omp_get_thread_num(void);
// libomp's; absent in libgomp.
[[gnu::weak]] void kmp_set_blocktime(int milliseconds);
}

namespace swav::parallel {
namespace {

int cores_of_this_process() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return int(std::max(1u, std::thread::hardware_concurrency()));
}

std::atomic<int> team_size{0};

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
      std::lock_guard lock(shared().mutex_);
      shared().closed_ = true;
    });
  }

  std::mutex mutex_;
  bool closed_ = false;
};

thread_local bool on_engine_thread = false;
thread_local CancellationFlag watched = nullptr;

// Set by other threads and by signal handlers.
bool is_set(CancellationFlag flag) { return flag != nullptr && __atomic_load_n(flag, __ATOMIC_RELAXED) != 0; }

void throw_if_set(CancellationFlag flag) {
  if (is_set(flag)) fail(SWAV_ERROR_CANCELLED, "called off");
}

// A queue of jobs and the thread that carries them out. Never destroyed: at process exit a job may still be running.
class EngineThread {
 public:
  static EngineThread& shared() {
    static EngineThread* instance = new EngineThread;
    return *instance;
  }

  void run(detail::Job job, void* context, CancellationFlag flag) {
    if (on_engine_thread) return job(context);
    throw_if_set(flag);
    Request request{job, context, flag, nullptr, false};
    std::unique_lock lock(mutex_);
    requests_.push_back(&request);
    arrived_.notify_one();
    wait(lock, request);
    if (request.error) std::rethrow_exception(request.error);
  }

 private:
  struct Request {
    detail::Job job;
    void* context;
    CancellationFlag flag;
    std::exception_ptr error;
    bool done;
  };

  // A request that has a flag looks at it meanwhile: the jobs before it may be long, and it leaves the queue when it is set.
  void wait(std::unique_lock<std::mutex>& lock, Request& request) {
    if (request.flag == nullptr) return finished_.wait(lock, [&] { return request.done; });
    while (!finished_.wait_for(lock, std::chrono::milliseconds(50), [&] { return request.done; })) {
      const auto place = std::find(requests_.begin(), requests_.end(), &request);
      if (place == requests_.end() || !is_set(request.flag)) continue;  // under way: the job itself looks at it
      requests_.erase(place);
      throw_if_set(request.flag);
    }
  }

  EngineThread() {
    std::thread([this] { serve(); }).detach();
  }

  void serve() {
    on_engine_thread = true;
    // libomp's idle threads spin for 200 ms by default, on the cores that the loader needs between two steps.
    if (kmp_set_blocktime) kmp_set_blocktime(1);
    std::unique_lock lock(mutex_);
    for (;;) {
      arrived_.wait(lock, [&] { return !requests_.empty(); });
      Request* request = requests_.front();
      requests_.pop_front();
      lock.unlock();
      watched = request->flag;
      try {
        request->job(request->context);
      } catch (...) {
        request->error = std::current_exception();
      }
      watched = nullptr;
      lock.lock();
      request->done = true;
      finished_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable arrived_, finished_;
  std::deque<Request*> requests_;
};

}  // namespace

int threads() {
  const int count = team_size.load(std::memory_order_relaxed);
  return count > 0 ? count : cores_of_this_process();
}

CancellationFlag watch_cancellation(CancellationFlag flag) { return std::exchange(watched, flag); }

CancellationFlag current_cancellation() { return watched; }

bool is_cancelled() { return is_set(watched); }

void set_threads(int count) { team_size.store(std::max(0, count), std::memory_order_relaxed); }

namespace detail {

void for_each(int64_t count, Task task, void* context) {
  const int team = int(std::min<int64_t>(threads(), count));
  const CancellationFlag flag = watched;  // the team's other threads do not see this one's
  throw_if_set(flag);
  std::unique_lock<std::mutex> region;
  if (team > 1) region = Regions::shared().enter();
  if (!region.owns_lock()) {
    for (int64_t i = 0; i < count && !is_set(flag); ++i) task(context, i, 0);
    return throw_if_set(flag);
  }
  // libomp 14 lacks clang 21's entry points for dynamic schedules, and a counter does the same.
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(team)
  {
    const int worker = omp_get_thread_num();
    for (int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < count && !is_set(flag);
         i = next.fetch_add(1, std::memory_order_relaxed)) {
      task(context, i, worker);
    }
  }
  throw_if_set(flag);
}

void run_on_engine(Job job, void* context, CancellationFlag flag) { EngineThread::shared().run(job, context, flag); }

}  // namespace detail
}  // namespace swav::parallel
