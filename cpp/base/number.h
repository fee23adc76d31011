// Numbers as text, read and written alike whatever locale the host program has set. The only file that turns one into the
// other; messages (status.h) are printed under NumericLocale.
#pragma once

#include <locale.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace swav {

// The number at the front of `text`, after blanks; it is taken off the text. Nothing, and the text is as it was, where none
// stands there or it is out of T's range.
template <class T>
std::optional<T> take_number(std::string_view& text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return {};
  const char *begin = text.data() + start, *end = text.data() + text.size();
  if (*begin == '+' && begin + 1 < end && begin[1] != '-') ++begin;  // from_chars takes no plus
  T value{};
  const std::from_chars_result result = std::from_chars(begin, end, value);
  if (result.ec != std::errc()) return {};
  text.remove_prefix(size_t(result.ptr - text.data()));
  return value;
}

// The number that `text` is; nothing where anything but blanks stands beside it.
template <class T>
std::optional<T> number_of(std::string_view text) {
  const std::optional<T> value = take_number<T>(text);
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos ? value : std::nullopt;
}

// The shortest text that reads back as the same number.
template <class T>
std::string text_of(T value) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// With a number of significant digits, as "%.*g".
inline std::string text_of(double value, int digits) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits).ptr);
}

// While it lives, printf of the calling thread writes numbers as in C programs: a point, no groups.
class NumericLocale {
 public:
  NumericLocale() : before_(uselocale(plain())) {}
  ~NumericLocale() { uselocale(before_); }
  NumericLocale(const NumericLocale&) = delete;
  NumericLocale& operator=(const NumericLocale&) = delete;

 private:
  static locale_t plain() {
    static const locale_t locale = newlocale(LC_ALL_MASK, "C", locale_t{});
    return locale;
  }

  locale_t before_;
};

}  // namespace swav
