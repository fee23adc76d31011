#include "base/fibers.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <chrono>

#include "base/status.h"
#include "base/stopwatch.h"

// Sanitizers follow a thread's stack, and are told when it changes.
#if defined(__SANITIZE_ADDRESS__)
#define SWAV_ADDRESS_SANITIZER
#endif
#if defined(__SANITIZE_THREAD__)
#define SWAV_THREAD_SANITIZER
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWAV_ADDRESS_SANITIZER
#endif
#if __has_feature(thread_sanitizer)
#define SWAV_THREAD_SANITIZER
#endif
#endif

#ifdef SWAV_ADDRESS_SANITIZER
extern "C" {
void __sanitizer_start_switch_fiber(void** save, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* saved, const void** bottom, size_t* size);
}
#else
static void __sanitizer_start_switch_fiber(void**, const void*, size_t) {}
static void __sanitizer_finish_switch_fiber(void*, const void**, size_t*) {}
#endif
#ifdef SWAV_THREAD_SANITIZER
extern "C" {
void* __tsan_get_current_fiber(void);
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}
#else
static void* __tsan_get_current_fiber() { return nullptr; }
static void* __tsan_create_fiber(unsigned) { return nullptr; }
static void __tsan_destroy_fiber(void*) {}
static void __tsan_switch_to_fiber(void*, unsigned) {}
#endif

namespace swav {
namespace {

constexpr size_t stack_bytes = size_t{8} << 20,
                 guard_bytes = 64 << 10;  // as a thread's; pages that nobody touches cost nothing

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

struct Fibers::Fiber {
  ucontext_t context;
  void* memory = MAP_FAILED;  // the guard, then the stack
  const void* bottom = nullptr;
  size_t size = 0;
  void *fake_stack = nullptr, *observed = nullptr;  // the sanitizers'
  bool done = false;

  // Anew for each run, as a body's last calls never return.
  void observe() {
    if (observed) __tsan_destroy_fiber(observed);
    observed = __tsan_create_fiber(0);
  }

  ~Fiber() {
    if (memory == MAP_FAILED) return;
    munmap(memory, guard_bytes + stack_bytes);
    if (observed) __tsan_destroy_fiber(observed);
  }
};

Fibers::Fibers(int count) : caller_(std::make_unique<Fiber>()) {
  for (int i = 0; i < count; ++i) {
    fibers_.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *fibers_.back();
    fiber.memory =
        mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fiber.memory == MAP_FAILED || mprotect(fiber.memory, guard_bytes, PROT_NONE) != 0)
      fail(SWAV_ERROR_MEMORY, "cannot allocate a stack of %zu MiB", stack_bytes >> 20);
    fiber.bottom = static_cast<char*>(fiber.memory) + guard_bytes;
    fiber.size = stack_bytes;
  }
}

Fibers::~Fibers() = default;

void Fibers::run(FunctionRef<void(int)> body) {
  if (fibers_.empty()) return;
  body_ = body;
  running_ = fibers_.size();
  current_ = 0;
  const auto self = reinterpret_cast<uintptr_t>(this);
  for (auto& fiber : fibers_) {
    fiber->done = false;
    fiber->observe();
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = const_cast<void*>(fiber->bottom);
    fiber->context.uc_stack.ss_size = fiber->size;
    fiber->context.uc_link = nullptr;
    makecontext(&fiber->context, reinterpret_cast<void (*)()>(enter), 2, uint32_t(uint64_t(self) >> 32), uint32_t(self));
  }
  caller_->observed = __tsan_get_current_fiber();
  change(*caller_, *fibers_[0]);
}

// makecontext passes ints: an address in two of them.
void Fibers::enter(uint32_t high, uint32_t low) {
  Fibers& self = *reinterpret_cast<Fibers*>(uintptr_t(uint64_t(high) << 32 | low));
  const size_t own = self.current_;
  // The caller enters the first one: where its stack is.
  Fiber& caller = *self.caller_;
  __sanitizer_finish_switch_fiber(nullptr, own == 0 ? &caller.bottom : nullptr, own == 0 ? &caller.size : nullptr);
  self.body_(int(own));
  self.fibers_[own]->done = true;
  --self.running_;
  self.give_way();
}

void Fibers::give_way() {
  Fiber& own = *fibers_[current_];
  if (running_ == 0) return change(own, *caller_);
  do current_ = (current_ + 1) % fibers_.size();
  while (fibers_[current_]->done);
  if (fibers_[current_].get() != &own) change(own, *fibers_[current_]);
}

void Fibers::change(Fiber& from, Fiber& to) {
  const double away = seconds_away, left = now();
  __sanitizer_start_switch_fiber(from.done ? nullptr : &from.fake_stack, to.bottom, to.size);
  __tsan_switch_to_fiber(to.observed, 0);
  swapcontext(&from.context, &to.context);
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
  // The caller waits for all that is done here, and measures it.
  seconds_away = &from == caller_.get() ? away : away + now() - left;
}

}  // namespace swav
