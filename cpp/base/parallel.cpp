#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

// Swift's clang ships no omp.h; these few are all that is needed.
extern "C" {
int omp_get_thread_num(void);
}

namespace swav::parallel {
namespace {

int cores_of_this_process() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return int(std::max(1u, std::thread::hardware_concurrency()));
}

std::atomic<int> team_size{0};

thread_local bool on_engine_thread = false;

// A queue of jobs and the thread that carries them out. Never destroyed: at process exit a job may still be running.
class EngineThread {
 public:
  static EngineThread& shared() {
    static EngineThread* instance = new EngineThread;
    return *instance;
  }

  void run(detail::Job job, void* context) {
    if (on_engine_thread) return job(context);
    Request request{job, context, nullptr, false};
    std::unique_lock lock(mutex_);
    requests_.push_back(&request);
    arrived_.notify_one();
    finished_.wait(lock, [&] { return request.done; });
    if (request.error) std::rethrow_exception(request.error);
  }

 private:
  struct Request {
    detail::Job job;
    void* context;
    std::exception_ptr error;
    bool done;
  };

  EngineThread() {
    std::thread([this] { serve(); }).detach();
  }

  void serve() {
    on_engine_thread = true;
    std::unique_lock lock(mutex_);
    for (;;) {
      arrived_.wait(lock, [&] { return !requests_.empty(); });
      Request* request = requests_.front();
      requests_.pop_front();
      lock.unlock();
      try {
        request->job(request->context);
      } catch (...) {
        request->error = std::current_exception();
      }
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

void set_threads(int count) { team_size.store(std::max(0, count), std::memory_order_relaxed); }

namespace detail {

void for_each(int64_t count, Task task, void* context) {
  const int team = int(std::min<int64_t>(threads(), count));
  if (team <= 1) {
    for (int64_t i = 0; i < count; ++i) task(context, i, 0);
    return;
  }
  // libomp 14 lacks clang 21's entry points for dynamic schedules, and a counter does the same.
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(team)
  {
    const int worker = omp_get_thread_num();
    for (int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < count;
         i = next.fetch_add(1, std::memory_order_relaxed)) {
      task(context, i, worker);
    }
  }
}

void run_on_engine(Job job, void* context) { EngineThread::shared().run(job, context); }

}  // namespace detail
}  // namespace swav::parallel
