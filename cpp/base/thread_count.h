// How many threads compute when nobody says: as many as this process can run at a time.
#pragma once

#include <string>

namespace swav {

constexpr int most_threads = 4096;

struct ThreadCount {
  int count;         // 1 or more
  std::string from;  // what decided, for a person: "affinity: 1 of 8 cores"
};

// What is known about the process; tests make their own.
struct ProcessLimits {
  int machine_cores = 1;
  int allowed_cores = 1;                   // by affinity and cpusets
  double quota = 1e9;                      // processors at a time; infinite where there is no limit
  const char* omp_num_threads = nullptr;   // the variable's text: "4", "4,2" (of nested regions); NULL: not set
  const char* omp_thread_limit = nullptr;  // likewise

  static ProcessLimits of_this_process();
};

// The smaller of allowed cores and quota, rounded up: half a core is used rather than left.
int usable_cores(const ProcessLimits& limits);

// OMP_NUM_THREADS, else one for each usable core; never more than OMP_THREAD_LIMIT. Variables that hold no positive number say
// nothing, as with OpenMP itself.
ThreadCount default_threads(const ProcessLimits& limits);

// A number that the program chose, under OMP_THREAD_LIMIT, which the OpenMP runtime enforces anyway.
ThreadCount chosen_threads(int count, const ProcessLimits& limits);

}  // namespace swav
