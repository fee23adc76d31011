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
  // Bytes that are no UTF-8: a continuation alone, a letter that is cut, a longer form than is needed, a surrogate, beyond the
  // last letter.
  CHECK(message_of("a\x80"
                   "b\xc3") == "photo.heic: a?b?");
  CHECK(message_of("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xff") == "photo.heic: ?? ??? ???? ?");
  CHECK(message_of("\xf0\x9f\x90\xb1") == "photo.heic: \xf0\x9f\x90\xb1");
  CHECK(message_of(std::string(1010, 'x').append("\xc3\xa9").c_str()).back() == '?');
  CHECK(Error(SWAV_ERROR_IO, "first\nsecond").what() == std::string("first second"));
}
