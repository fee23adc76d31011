#include "base/status.h"

#include <cstdio>

#include "base/number.h"

namespace swav {
namespace {

// Bytes of the letter of UTF-8 that begins at `at`; 0 where none does (RFC 3629: shortest forms, no surrogates, up to
// U+10FFFF).
size_t letter_at(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const unsigned first = byte(0), second = byte(1);
  const size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
                     (first == 0xf4 && second > 0x8f);
  return wrong ? 0 : size;
}

}  // namespace

std::string one_line(std::string text) {
  for (size_t at = 0; at < text.size();) {
    const size_t size = letter_at(text, at);
    if (size == 0) text[at] = '?';
    else if (static_cast<unsigned char>(text[at]) < 0x20 || text[at] == 0x7f) text[at] = ' ';
    at += size == 0 ? 1 : size;
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

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
