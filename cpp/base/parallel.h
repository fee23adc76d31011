// Threads. parallel.cpp is the only file of the engine that knows OpenMP, and the only owner of its team; engine_thread.cpp has
// the thread that computing calls run on.
//
// Computing calls run on one engine thread, one after the other (run_on_engine); inside, for_each spreads tasks over the
// team. Which thread runs a task never matters: tasks write to places of their own, and sums over tasks are combined by the
// caller in task order, so the result does not depend on the number of threads.
//
// fork: a thread that forks waits for the job under way, so that the child's copy of all state is whole; the child, which has
// none of its parent's threads, starts an engine thread of its own when it first computes.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "base/function_ref.h"
#include "base/thread_count.h"

namespace swav::parallel {

// Size of the team for jobs of the calling thread; within a job it stays what it was when the job began.
int threads();
// The same, and what decided about it.
ThreadCount thread_count();

// For the jobs of all threads; 0: by what the process may use, see default_threads.
void set_threads(int count);
// For the jobs of the calling thread alone, before set_threads; 0: as the others. Returns the count before.
// Not for a job, whose number stays what it was.
int set_caller_threads(int count);
// Whether this is the engine thread, as it is within a callback.
bool on_engine();
// What the process may use is looked at anew when it is next asked for.
void forget_default_threads();

// Calling off. A thread watches a flag of its caller's; for_each looks at it before each task, on the engine thread at the flag
// of the thread whose job it carries out.
using CancellationFlag = const volatile int32_t*;
// Returns the flag watched before; NULL: none.
CancellationFlag watch_cancellation(CancellationFlag flag);
CancellationFlag current_cancellation();
bool is_cancelled();
// Set by other threads and by signal handlers; never where it is NULL.
bool is_set(CancellationFlag flag);
void throw_if_set(CancellationFlag flag);

// While it lives the flag is not looked at: for changes that are done whole or not at all.
class Uninterrupted {
 public:
  Uninterrupted() : flag_(watch_cancellation(nullptr)) {}
  ~Uninterrupted() { watch_cancellation(flag_); }
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;

 private:
  CancellationFlag flag_;
};

// While it lives, the thread that made it calls body() between its tasks of for_each: for what moves on only when somebody
// looks. The body does not throw, and calls no for_each.
class Meanwhile {
 public:
  explicit Meanwhile(FunctionRef<void()> body);
  ~Meanwhile();
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;

 private:
  FunctionRef<void()> before_;
};

namespace detail {
using Task = void (*)(void* context, int64_t index, int worker);
void for_each(int64_t count, Task task, void* context);
using Job = void (*)(void* context);
void run_on_engine(Job job, void* context, CancellationFlag flag);
// Once, on the thread that opens regions.
void prepare_team();
}  // namespace detail

// Calls task(index, worker) for 0 <= index < count; worker is 0..threads()-1 and names scratch space. Tasks are handed
// out in order, to whoever is free; they must not throw, nor call for_each themselves. Throws SWAV_ERROR_CANCELLED, with some
// tasks not carried out, when the flag is set.
template <class F>
void for_each(int64_t count, F&& task) {
  detail::for_each(
      count,
      [](void* context, int64_t index, int worker) { (*static_cast<std::remove_reference_t<F>*>(context))(index, worker); },
      &task);
}

// Runs job() on the engine thread and returns when it is done; exceptions pass through. From the engine thread itself: a call.
// The job is not called off, whatever flag the calling thread watches.
template <class F>
void run_on_engine(F&& job) {
  detail::run_on_engine([](void* context) { (*static_cast<std::remove_reference_t<F>*>(context))(); }, &job, nullptr);
}

// The same for a job that leaves all state as it was when it throws: the flag of the calling thread calls it off.
template <class F>
void run_interruptibly_on_engine(F&& job) {
  detail::run_on_engine([](void* context) { (*static_cast<std::remove_reference_t<F>*>(context))(); }, &job,
                        current_cancellation());
}

// values[0, count) = 0, by the team.
void zero(float* values, int64_t count);

}  // namespace swav::parallel
