// What a task reads next, asked for while it multiplies: packing would else wait for memory, and the CPU's own prefetching
// neither knows the next block nor crosses a page. Only a hint: results do not depend on it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"

namespace swav {

class Lookahead {
 public:
  // The products of a task are `tiles` calls of a kernel with about `depth` each.
  Lookahead(int64_t tiles, int64_t depth) : tiles_(tiles), depth_(depth) {}

  // Asks for [begin, end) by the end of the task. Four streams at most.
  void add(const float* begin, const float* end) {
    if (begin < end) streams_[count_++] = {reinterpret_cast<const char*>(begin), reinterpret_cast<const char*>(end)};
  }

  // The part for the next tile: the streams in turn.
  Ahead next() {
    if (count_ == 0) return {};
    Stream& stream = streams_[turn_];
    const int64_t calls = std::max<int64_t>(1, (tiles_ - calls_) / count_);
    const int64_t lines = std::min((stream.end - stream.at) / (calls * line) + 1, depth_);
    const Ahead ahead{stream.at, lines};
    stream.at += lines * line;
    ++calls_;
    turn_ = (turn_ + 1) % count_;
    return ahead;
  }

 private:
  static constexpr int64_t line = 64;
  struct Stream {
    const char *at, *end;
  };

  int64_t tiles_, depth_, calls_ = 0;
  Stream streams_[4];
  int count_ = 0, turn_ = 0;
};

}  // namespace swav
