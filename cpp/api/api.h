// The edge of the C interface: exceptions become a status and a message. No maths here.
#pragma once

#include <cfenv>
#include <exception>
#include <new>
#include <string>

#include "api/arguments.h"
#include "base/cpu_cap.h"
#include "base/parallel.h"
#include "base/status.h"

namespace swav::api {

// Remembers the message of this thread's last failing call.
void set_message(const char* text);

// The calling thread's rounding, traps and treatment of denormals are the standard's meanwhile: results do not depend on them.
class StandardArithmetic {
 public:
  StandardArithmetic() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~StandardArithmetic() { std::fesetenv(&before_); }
  StandardArithmetic(const StandardArithmetic&) = delete;
  StandardArithmetic& operator=(const StandardArithmetic&) = delete;

 private:
  std::fenv_t before_;
};

// Carries out body() on the calling thread; what it throws becomes the status.
template <class F>
swav_status guarded(F&& body) {
  const StandardArithmetic standard;
  try {
    check_cap();
    body();
    return SWAV_OK;
  } catch (const Error& error) {
    set_message(error.what());
    return error.status();
  } catch (const std::bad_alloc&) {
    set_message("out of memory");
    return SWAV_ERROR_MEMORY;
  } catch (const std::exception& error) {
    set_message(error.what());
    return SWAV_ERROR_INTERNAL;
  } catch (...) {
    set_message("unknown exception");
    return SWAV_ERROR_INTERNAL;
  }
}

// The same on the engine thread: for calls that compute.
template <class F>
swav_status computed(F&& body) {
  return guarded([&] { parallel::run_on_engine(body); });
}

// The same for calls that compute for long and leave all state as it was when they throw: the caller's flag calls them off.
template <class F>
swav_status interruptible(F&& body) {
  return guarded([&] { parallel::run_interruptibly_on_engine(body); });
}

}  // namespace swav::api
