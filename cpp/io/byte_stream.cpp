#include "io/byte_stream.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace swav {
namespace {
constexpr int64_t buffer_size = int64_t{64} << 10;
}

void ByteStream::read(void* bytes, int64_t count) {
  if (count > left())
    fail(SWAV_ERROR_FORMAT, "%s ends too early: %lld bytes are missing", path().c_str(),
         static_cast<long long>(count - left()));
  uint8_t* to = static_cast<uint8_t*>(bytes);
  while (count > 0) {
    int64_t there = buffer_begin_ + int64_t(buffer_.size()) - at_;
    if (at_ < buffer_begin_ || there <= 0) {
      buffer_.resize(size_t(std::min(buffer_size, left())));
      buffer_begin_ = at_;
      file_.read(at_, buffer_.data(), int64_t(buffer_.size()));
      there = int64_t(buffer_.size());
    }
    const int64_t some = std::min(count, there);
    std::memcpy(to, buffer_.data() + (at_ - buffer_begin_), size_t(some));
    to += some;
    at_ += some;
    count -= some;
  }
}

uint64_t ByteStream::number(int64_t length) {
  uint8_t bytes[8];
  read(bytes, length);
  uint64_t value = 0;
  for (int64_t i = length; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

}  // namespace swav
