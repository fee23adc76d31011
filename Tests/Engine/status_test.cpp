// Messages of errors.
#include "base/status.h"

#include <doctest/doctest.h>

#include <string>

using namespace swav;

namespace {

std::string message_of(const char* text) {
  try {
    fail(SWAV_ERROR_FORMAT, "photo.heic: %s", text);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a message is one line, whatever the names and texts in it hold") {
  CHECK(message_of("no brands.\n") == "photo.heic: no brands.");
  CHECK(message_of("a\r\nb\tc\x1b[31m\x7f") == "photo.heic: a  b c [31m");
  CHECK(message_of("caf\xc3\xa9") == "photo.heic: caf\xc3\xa9");
  CHECK(Error(SWAV_ERROR_IO, "first\nsecond").what() == std::string("first second"));
}
