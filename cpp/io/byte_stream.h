// A part of a file that is read forwards, through a buffer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file.h"

namespace swav {

class ByteStream {
 public:
  ByteStream(const InputFile& file, int64_t begin, int64_t end) : file_(file), at_(begin), end_(end) {}
  const std::string& path() const { return file_.path(); }
  int64_t position() const { return at_; }
  int64_t left() const { return end_ - at_; }
  void skip(int64_t count) { at_ += count; }
  // Throws SWAV_ERROR_FORMAT where the bytes end before.
  void read(void* bytes, int64_t count);
  uint64_t number(int64_t length);  // little-endian

 private:
  const InputFile& file_;
  int64_t at_, end_;
  int64_t buffer_begin_ = 0;
  std::vector<uint8_t> buffer_;
};

}  // namespace swav
