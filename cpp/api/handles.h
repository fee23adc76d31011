// The structs behind the opaque handles of the C interface, and one C call inside another.
#pragma once

#include "base/status.h"
#include "network/network.h"
#include "training/trainer.h"
#include "swav.h"

struct swav_network {
  std::unique_ptr<swav::Network> network;
};

struct swav_trainer {
  swav::Trainer trainer;
};

namespace swav::api {

// A status of another C call, as the exception that it came from.
inline void require(swav_status status) {
  if (status != SWAV_OK) throw Error(status, swav_error_message());
}

class DecodedImage {
 public:
  DecodedImage(const void* bytes, size_t size, const swav_decode_options& options) {
    require(swav_image_decode(bytes, size, &options, &image_));
  }
  ~DecodedImage() { swav_image_destroy(image_); }
  DecodedImage(const DecodedImage&) = delete;
  DecodedImage& operator=(const DecodedImage&) = delete;
  const swav_image* get() const { return image_; }

 private:
  swav_image* image_ = nullptr;
};

}  // namespace swav::api
