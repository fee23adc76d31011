// Work that rank 0 does for all: the others wait, and fail as it fails.
#pragma once

#include <cstring>
#include <new>

#include "base/status.h"
#include "comm/communicator.h"

namespace swav {

// Calls body() on rank 0. What it throws is thrown on every rank, with its status and message. Collective.
template <class F>
void on_root(Communicator& group, F&& body) {
  if (group.size() == 1) return body();
  struct {
    int32_t status = SWAV_OK;
    char message[1020] = {};
  } outcome;
  const auto note = [&](swav_status status, const char* text) {
    outcome.status = status;
    std::strncpy(outcome.message, text, sizeof outcome.message - 1);
  };
  if (group.rank() == 0) {
    try {
      body();
    } catch (const Error& error) {
      note(error.status(), error.what());
    } catch (const std::bad_alloc&) {
      note(SWAV_ERROR_MEMORY, "out of memory");
    } catch (const std::exception& error) {
      note(SWAV_ERROR_INTERNAL, error.what());
    }
  }
  group.broadcast(&outcome, sizeof outcome, 0);
  if (outcome.status != SWAV_OK) throw Error(swav_status(outcome.status), outcome.message);
}

}  // namespace swav
