// Calls of a communicator's functions.
#pragma once

#include "base/status.h"
#include "swav.h"

namespace swav {

// Throws what went wrong in a call, in the transport's own words.
inline void require_moved(const swav_communicator& functions, swav_status status) {
  if (status == SWAV_OK) return;
  const char* text = functions.message ? functions.message(functions.context) : nullptr;
  throw Error(status, text && *text ? text : "the communicator failed");
}

}  // namespace swav
