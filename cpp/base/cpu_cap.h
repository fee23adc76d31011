// The cap on the CPU's features that the environment variable SWAV_MAX_ISA sets, as a text that somebody typed.
#pragma once

namespace swav {

// Refuses, as an argument, what is neither one of cap_names nor empty: a mistyped cap would be none. NULL is no cap.
void check_cap(const char* cap);

// The same of SWAV_MAX_ISA. The C interface asks at each call.
void check_cap();

}  // namespace swav
