#include "base/status.h"

#include <cstdio>

#include "base/number.h"

namespace swav {

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
