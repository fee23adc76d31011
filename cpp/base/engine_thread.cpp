// The engine thread: a queue of jobs and the thread that carries them out, and what becomes of both when the process forks.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "base/arena.h"
#include "base/parallel.h"
#include "base/status.h"

namespace swav::parallel {
namespace {

thread_local bool on_engine_thread = false;

// Its thread starts with the first job. Never destroyed: at process exit a job may still be running.
class Engine {
 public:
  static Engine& shared();

  void run(detail::Job job, void* context, CancellationFlag flag) {
    if (on_engine_thread) return job(context);
    if (process_ != getpid())
      fail(SWAV_ERROR_UNSUPPORTED,
           "this process is a copy that _Fork or clone made, without handlers; one of fork() can compute");
    throw_if_set(flag);
    Request request{job, context, flag, threads()};
    std::unique_lock lock(mutex_);
    if (!started_) start();
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
    int threads;
    std::exception_ptr error = nullptr;
    bool done = false;
  };

  Engine() : process_(getpid()) {}

  void start() {
    try {
      std::thread([this] { serve(); }).detach();
    } catch (const std::system_error& error) {
      fail(SWAV_ERROR_MEMORY, "the engine's thread cannot start: %s; the limits on threads and memory decide", error.what());
    }
    started_ = true;
  }

  // A request that has a flag looks at it meanwhile: the jobs before it may be long, and it leaves the queue when it is set.
  void wait(std::unique_lock<std::mutex>& lock, Request& request) {
    if (request.flag == nullptr) return finished_.wait(lock, [&] { return request.done; });
    while (!finished_.wait_for(lock, std::chrono::milliseconds(50), [&] { return request.done; })) {
      const auto place = std::find(requests_.begin(), requests_.end(), &request);
      if (place == requests_.end() || !is_set(request.flag)) continue;  // under way: the job itself looks at it
      requests_.erase(place);
      fail(SWAV_ERROR_CANCELLED, "called off");
    }
  }

  void serve() {
    on_engine_thread = true;
    // A thread begins with its creator's rounding, traps and treatment of denormals, and the team with this thread's.
    std::fesetenv(FE_DFL_ENV);
    detail::prepare_team();
    watch_forks();
    std::unique_lock lock(mutex_);
    for (;;) {
      arrived_.wait(lock, [&] { return !requests_.empty() && forks_ == 0; });
      Request* request = requests_.front();
      requests_.pop_front();
      busy_ = true;
      lock.unlock();
      carry_out(*request);
      lock.lock();
      busy_ = false;
      request->done = true;
      finished_.notify_all();
    }
  }

  static void carry_out(Request& request) {
    set_caller_threads(request.threads);
    watch_cancellation(request.flag);
    try {
      request.job(request.context);
    } catch (...) {
      request.error = std::current_exception();
    }
    watch_cancellation(nullptr);
  }

  // libomp takes locks of its own before a fork, in handlers that it registers when it starts, and a job needs those locks:
  // handlers that are registered later, as ours, are called earlier.
  static void watch_forks() {
    static std::once_flag once;  // a child inherits it with the handlers
    std::call_once(once, [] {
      Arena::watch_forks();
      pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    });
  }

  // A fork waits for the job under way and keeps others from starting; the mutex stays locked until it is done. A job that
  // forks by itself is on its own: its child holds half of its work.
  static void before_fork() {
    if (on_engine_thread) return;
    Engine& engine = shared();
    std::unique_lock lock(engine.mutex_);
    ++engine.forks_;
    engine.finished_.wait(lock, [&] { return !engine.busy_; });
    --engine.forks_;
    lock.release();
  }

  static void after_fork_in_parent() {
    if (on_engine_thread) return;
    shared().mutex_.unlock();
    shared().arrived_.notify_one();
  }

  static void after_fork_in_child();

  const pid_t process_;
  std::mutex mutex_;
  std::condition_variable arrived_, finished_;
  std::deque<Request*> requests_;
  bool started_ = false, busy_ = false;
  int forks_ = 0;  // threads that wait to fork
};

alignas(Engine) unsigned char place[sizeof(Engine)];

Engine& Engine::shared() {
  static Engine* engine = new (place) Engine;
  return *engine;
}

// The threads that wait in the queue and the one that serves it are the parent's: begin anew in the same place. Another process
// may be tied to other cores.
void Engine::after_fork_in_child() {
  if (on_engine_thread) return;
  new (place) Engine;
  forget_default_threads();
}

}  // namespace

bool on_engine() { return on_engine_thread; }

namespace detail {

void run_on_engine(Job job, void* context, CancellationFlag flag) { Engine::shared().run(job, context, flag); }

}  // namespace detail
}  // namespace swav::parallel
