// Adds the seconds of its life to a total, without those in which its fiber had given way to others.
#pragma once

#include <chrono>

namespace swav {

// Of the running fiber, so far; fibers.cpp keeps it.
inline thread_local double seconds_away = 0;

class Stopwatch {
 public:
  explicit Stopwatch(double& total) : total_(total), away_(seconds_away), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    total_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count() - (seconds_away - away_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& total_;
  double away_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace swav
