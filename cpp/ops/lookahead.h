// What a task reads next, asked for while it multiplies: packing would else wait for memory, and the CPU's own prefetching
// neither knows the next block nor crosses a page. Only a hint: results do not depend on it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"

namespace swav {

// Asks for `count` floats at once: for pieces too short for the CPU to see where the next ones lie.
inline void ask_for(const float* from, int64_t count) {
  for (int64_t i = 0; i < count; i += line_floats) __builtin_prefetch(from + i);
}

class Lookahead {
 public:
  // The products of a task are `tiles` calls of a kernel with about `depth` each.
  Lookahead(int64_t tiles, int64_t depth) : tiles_(tiles), depth_(depth) {}

  // Asks for [begin, end) by the end of the task. Four streams at most, all of them before the first next().
  void add(const char* begin, const char* end) {
    if (begin < end) streams_[count_++] = {begin, (end - begin) / cache::line + 1, 0};
  }
  template <class T>
  void add(const T* begin, const T* end) {
    add(reinterpret_cast<const char*>(begin), reinterpret_cast<const char*>(end));
  }

  // The part for the next tile: the streams in turn.
  Ahead next() {
    if (count_ == 0) return {};
    Stream& stream = streams_[turn_];
    if (stream.share == 0) stream.share = std::min(depth_, stream.lines * count_ / tiles_ + 1);
    const Ahead ahead{stream.at, std::min(stream.share, stream.lines)};
    stream.at += ahead.lines * cache::line;
    stream.lines -= ahead.lines;
    if (++turn_ == count_) turn_ = 0;
    return ahead;
  }

 private:
  struct Stream {
    const char* at;
    int64_t lines;  // left
    int64_t share;  // of a tile
  };

  int64_t tiles_, depth_;
  Stream streams_[4];
  int count_ = 0, turn_ = 0;
};

}  // namespace swav
