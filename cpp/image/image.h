// A picture in memory, and the scratch memory that the image stage reuses from call to call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "kernels/kernels.h"
#include "swav.h"

namespace swav::image {

// Bytes that grow and never shrink, not initialised: a header that claims a large picture costs address space only.
class Buffer {
 public:
  // At least `bytes` bytes; contents are lost when it grows. Throws std::bad_alloc.
  uint8_t* reserve(size_t bytes) {
    if (bytes > capacity_) {
      data_.reset();
      capacity_ = 0;
      data_.reset(static_cast<uint8_t*>(std::malloc(bytes)));
      if (!data_) throw std::bad_alloc();
      capacity_ = bytes;
    }
    return data_.get();
  }
  template <class T>
  T* reserve_as(size_t count) {
    return reinterpret_cast<T*>(reserve(count * sizeof(T)));
  }
  // Frees more than 32 MiB (a picture of 11 megapixels), keeps less.
  void trim() {
    if (capacity_ <= size_t{32} << 20) return;
    data_.reset();
    capacity_ = 0;
  }
  uint8_t* data() { return data_.get(); }
  const uint8_t* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(uint8_t* p) const { std::free(p); }
  };
  std::unique_ptr<uint8_t, Free> data_;
  size_t capacity_ = 0;
};

// Trims scratch memory at the end of a scope, whichever way it is left: one huge picture must not stay with every thread.
class Trim {
 public:
  explicit Trim(Buffer& buffer) : buffer_(buffer) {}
  ~Trim() { buffer_.trim(); }
  Trim(const Trim&) = delete;
  Trim& operator=(const Trim&) = delete;

 private:
  Buffer& buffer_;
};

// Samples [height][width][channels], uint8_t or uint16_t as bits says, dense.
struct Image {
  swav_image_info info{};
  Buffer samples;

  int width() const { return info.width; }
  int height() const { return info.height; }
  int channels() const { return info.channels; }
  int bytes_a_sample() const { return info.bits / 8; }
  size_t row_bytes() const { return size_t(info.width) * size_t(info.channels) * size_t(bytes_a_sample()); }
  size_t size_bytes() const { return row_bytes() * size_t(info.height); }

  // Takes the shape and makes room for it, and for the vector kernels to read past its end. Dimensions are checked by the
  // caller.
  void allocate(int width, int height, int channels, int bits, swav_image_format format) {
    info = {};
    info.width = width;
    info.height = height;
    info.channels = channels;
    info.bits = bits;
    info.format = format;
    samples.reserve(size_bytes() + image_slack);
  }
  // Takes over what is known of the stored picture besides its shape.
  void describe(const swav_image_info& stored) {
    info.has_alpha = stored.has_alpha;
    info.inks = stored.inks;
    info.has_more = stored.has_more;
  }
  template <class T>
  const T* row(int y) const {
    return reinterpret_cast<const T*>(samples.data() + row_bytes() * size_t(y));
  }
  template <class T>
  T* row(int y) {
    return reinterpret_cast<T*>(samples.data() + row_bytes() * size_t(y));
  }
};

}  // namespace swav::image
