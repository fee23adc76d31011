// The report of a load, as it is collected.
#pragma once

#include "network/recognition.h"

namespace swav {

class LoadReport {
 public:
  LoadReport(const TensorFile& file, const KeyMap& keys, const Description& description, bool guessed);

  void match(const StoredTensor& stored, const TensorEntry& entry);
  // A tensor that has a value although the file has none: converted from nothing.
  void match_without_file() { ++report_.matched, ++report_.converted; }
  void miss(const TensorEntry& entry);
  // Prototypes of the file have a bias, which no score of ours has.
  void leave_bias() { left_bias_ = true; }
  // Counts what the file has and nobody matched, and writes the summary.
  swav_load_report finish();

 private:
  void summarize();

  const TensorFile& file_;
  std::vector<const StoredTensor*> matched_;
  bool left_bias_ = false;
  swav_load_report report_{};
};

}  // namespace swav
