// Threads that a limit on the address space leaves room for. An OpenMP runtime that is refused a thread ends the process.
#pragma once

#include <cstdint>

namespace swav {

// Bytes of address space that a thread of OpenMP's takes: OMP_STACKSIZE (its text; NULL: not set), at least the system's
// default.
int64_t thread_stack_bytes(const char* omp_stack_size);

// How many of `wanted` threads may compute, 1 or more, where `running` of them have their stacks: the others' may take half of
// what the address space leaves (`room`), the rest is for what they compute with.
int threads_with_stacks(int wanted, int running, int64_t room, int64_t stack);
// Likewise, of this process now.
int threads_with_stacks(int wanted, int running);

}  // namespace swav
