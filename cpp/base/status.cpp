#include "base/status.h"

#include <cstdio>

#include "base/number.h"

namespace swav {
namespace {

// Names of files and the messages of libraries have line ends in them.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

Error::Error(swav_status status, const std::string& message) : std::runtime_error(one_line(message)), status_(status) {}

void fail(swav_status status, const char* format, ...) {
  const NumericLocale locale;
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Error(status, text);
}

}  // namespace swav
