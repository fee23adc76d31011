// Errors inside the engine are C++ exceptions of one type; cpp/api turns them into a swav_status and a message.
#pragma once

#include <cstdarg>
#include <stdexcept>
#include <string>

#include "swav.h"

namespace swav {

class Error : public std::runtime_error {
 public:
  // The message as one_line makes it.
  Error(swav_status status, const std::string& message);
  swav_status status() const { return status_; }

 private:
  swav_status status_;
};

// Names of files and tensors, and the messages of libraries, as one line of UTF-8: control characters become spaces, and bytes
// that are no UTF-8 question marks.
std::string one_line(std::string text);

// printf-style message: what was wrong, the value, and what would be right.
[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(swav_status status, const char* format, ...);

// Throws SWAV_ERROR_ARGUMENT with the message unless the condition holds.
#define SWAV_REQUIRE(condition, ...)                                \
  do {                                                              \
    if (!(condition)) swav::fail(SWAV_ERROR_ARGUMENT, __VA_ARGS__); \
  } while (0)

}  // namespace swav
