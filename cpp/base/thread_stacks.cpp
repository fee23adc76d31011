#include "base/thread_stacks.h"

#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "base/memory.h"

namespace swav {
namespace {

constexpr int64_t usual_stack = int64_t{8} << 20;  // of Linux, where the system does not say

int64_t system_stack() {
  size_t bytes = 0;
#ifdef __GLIBC__
  pthread_attr_t attributes;
  if (pthread_getattr_default_np(&attributes) != 0) return usual_stack;
  pthread_attr_getstacksize(&attributes, &bytes);
  pthread_attr_destroy(&attributes);
#endif
  return bytes > 0 ? int64_t(bytes) : usual_stack;
}

// "512" (of KiB), "4M", " 1 g"; 0 where it is no size.
int64_t size_of(const char* text) {
  const char* const end = text + std::strlen(text);
  text += std::strspn(text, " \t");
  int64_t number = 0;
  text = std::from_chars(text, end, number).ptr;
  text += std::strspn(text, " \t");
  const char unit = text == end ? 'k' : char(*text | 0x20);
  const char* const units = "bkmg";
  const char* const found = std::strchr(units, unit);
  if (found == nullptr || number < 0 || number > INT64_MAX >> 30) return 0;
  return number << (10 * (found - units));
}

}  // namespace

int64_t thread_stack_bytes(const char* omp_stack_size) {
  return std::max(system_stack(), omp_stack_size == nullptr ? 0 : size_of(omp_stack_size));
}

int threads_with_stacks(int wanted, int running, int64_t room, int64_t stack) {
  if (wanted <= running) return wanted;
  const int64_t more = std::min<int64_t>(wanted - running, room / 2 / stack);
  return running + int(more);
}

int threads_with_stacks(int wanted, int running) {
  const int64_t room = address_room();
  if (room == INT64_MAX) return wanted;
  return threads_with_stacks(wanted, running, room, thread_stack_bytes(std::getenv("OMP_STACKSIZE")));
}

}  // namespace swav
