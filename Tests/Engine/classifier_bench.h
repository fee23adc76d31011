// A classifier driven through the C interface, and softmax cross-entropy and SGD in double: what its tests share.
#pragma once

#include "training_bench.h"

namespace swav::test {

// Loss and its gradient by the logits, [rows][classes], by the formula.
struct LossTwin {
  double loss = 0;
  Doubles gradient;

  LossTwin(const Doubles& logits, const std::vector<int32_t>& labels, int64_t classes, double smoothing)
      : gradient(logits.size()) {
    const int64_t rows = int64_t(labels.size());
    for (int64_t r = 0; r < rows; ++r) {
      const Doubles row(logits.begin() + r * classes, logits.begin() + (r + 1) * classes);
      const double normalizer = log_sum_exp(row);
      for (int64_t k = 0; k < classes; ++k) {
        const double target = (k == labels[size_t(r)] ? 1 - smoothing : 0) + smoothing / double(classes);
        const double logarithm = row[size_t(k)] - normalizer;
        loss -= target * logarithm / double(rows);
        gradient[size_t(r * classes + k)] = (std::exp(logarithm) - target) / double(rows);
      }
    }
  }
};

class ClassifierBench {
 public:
  swav_network* network = nullptr;  // NULL: on features
  swav_classifier* classifier = nullptr;
  swav_classifier_config config;
  swav_classifier_report report{};

  ClassifierBench(const swav_network_config* network_config, const swav_classifier_config& classifier_config, uint64_t seed = 1)
      : config(classifier_config) {
    if (network_config != nullptr) {
      channels_ = network_config->channels;
      REQUIRE_MESSAGE(swav_network_create(network_config, seed, &network) == SWAV_OK, swav_error_message());
    }
    REQUIRE_MESSAGE(swav_classifier_create(network, &config, &classifier) == SWAV_OK, swav_error_message());
  }
  ~ClassifierBench() {
    swav_classifier_destroy(classifier);
    swav_network_destroy(network);
  }
  ClassifierBench(const ClassifierBench&) = delete;
  ClassifierBench& operator=(const ClassifierBench&) = delete;

  int64_t length() const { return network ? int64_t(config.size) * config.size * channels_ : config.dim; }

  Floats values(uint64_t step) const { return normals(500 + step, config.batch * length()); }
  std::vector<int32_t> labels(uint64_t step) const {
    Random random(900 + step, Purpose::test);
    std::vector<int32_t> labels;
    for (int32_t i = 0; i < config.batch; ++i) labels.push_back(int32_t(random.below(uint32_t(config.classes))));
    return labels;
  }

  swav_status step_on(const Floats& values, const std::vector<int32_t>& labels, double backbone, double layer) {
    const swav_classifier_input input{values.data(), labels.data(), int64_t(labels.size()), backbone, layer};
    return swav_classifier_step(classifier, &input, &report);
  }
  void step(uint64_t number, double backbone = 0.05, double layer = 0.1) {
    REQUIRE_MESSAGE(step_on(values(number), labels(number), backbone, layer) == SWAV_OK, swav_error_message());
  }

  // [classes][dim + 1].
  Floats weights() const {
    const int64_t dim = classifier->classifier.settings().dim;
    Floats weights(size_t(config.classes * (dim + 1)));
    REQUIRE(swav_classifier_read(classifier, weights.data()) == SWAV_OK);
    return weights;
  }

 private:
  int64_t channels_ = 0;
};

inline swav_classifier_config small_classifier() {
  swav_classifier_config c = swav_classifier_config_default();
  c.classes = 5;
  c.dim = 7;
  c.size = 16;
  c.batch = 6;
  c.deviation = 0.3f;
  return c;
}

}  // namespace swav::test
