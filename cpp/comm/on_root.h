// Work that may fail on one rank: all fail with it.
#pragma once

#include <cstring>
#include <new>
#include <vector>

#include "base/status.h"
#include "comm/communicator.h"

namespace swav {

// What became of work on a rank, as it travels.
struct Outcome {
  int32_t status = SWAV_OK;
  char message[1020] = {};

  template <class F>
  static Outcome of(F&& body) {
    Outcome outcome;
    const auto note = [&](swav_status status, const char* text) {
      outcome.status = status;
      std::strncpy(outcome.message, text, sizeof outcome.message - 1);
    };
    try {
      body();
    } catch (const Error& error) {
      note(error.status(), error.what());
    } catch (const std::bad_alloc&) {
      note(SWAV_ERROR_MEMORY, "out of memory");
    } catch (const std::exception& error) {
      note(SWAV_ERROR_INTERNAL, error.what());
    }
    return outcome;
  }

  void require() const {
    if (status != SWAV_OK) throw Error(swav_status(status), message);
  }
};

// Calls body() on rank 0. What it throws is thrown on every rank, with its status and message. Collective.
template <class F>
void on_root(Communicator& group, F&& body) {
  if (group.size() == 1) return body();
  Outcome outcome;
  if (group.rank() == 0) outcome = Outcome::of(body);
  group.broadcast(&outcome, sizeof outcome, 0);
  outcome.require();
}

// Calls body(), which is not collective, on every rank. What the first of them throws is thrown on all. Collective.
template <class F>
void on_all(Communicator& group, F&& body) {
  if (group.size() == 1) return body();
  std::vector<Outcome> all(size_t(group.size()));
  const Outcome own = Outcome::of(body);
  group.gather(&own, sizeof own, all.data());
  for (const Outcome& outcome : all) outcome.require();
}

}  // namespace swav
