// Memory that must not be touched, for builds with AddressSanitizer; elsewhere nothing.
#pragma once

#include <cstdint>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWAV_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SWAV_ADDRESS_SANITIZER
#endif
#ifdef SWAV_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace swav {

#ifdef SWAV_ADDRESS_SANITIZER
constexpr bool poisons = true;
inline void poison(const void* memory, int64_t bytes) { __asan_poison_memory_region(memory, size_t(bytes)); }
inline void unpoison(const void* memory, int64_t bytes) { __asan_unpoison_memory_region(memory, size_t(bytes)); }
#else
constexpr bool poisons = false;
inline void poison(const void*, int64_t) {}
inline void unpoison(const void*, int64_t) {}
#endif

}  // namespace swav
