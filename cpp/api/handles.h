// The structs behind the opaque handles of the C interface. What is in them is touched on the engine thread only, but for what
// never changes after creation.
#pragma once

#include <memory>
#include <vector>

#include "comm/process_group.h"
#include "network/network.h"
#include "network/recognition.h"
#include "swav.h"
#include "training/classifier.h"
#include "training/trainer.h"

struct swav_network {
  std::shared_ptr<swav::Network> network;
};

struct swav_trainer {
  // What the trainer borrows; without parts it is alone.
  std::shared_ptr<swav::Network> network;
  std::unique_ptr<swav::Communicator> group;  // NULL: this process alone
  std::unique_ptr<swav::Parts> parts;
  std::vector<std::unique_ptr<swav::Communicator>> neighbours;  // of parts that share statistics with some
  swav::Trainer trainer;
};

struct swav_classifier {
  std::shared_ptr<swav::Network> network;  // that the classifier borrows; may be empty
  swav::Classifier classifier;
};

namespace swav::api {

// What a caller wants of a file; NULL: all of it.
inline LoadChoice choice(const swav_load_options* options) {
  if (options == nullptr) return {};
  return {options->prefix ? options->prefix : "", !options->skip_head, !options->skip_prototypes};
}

}  // namespace swav::api
