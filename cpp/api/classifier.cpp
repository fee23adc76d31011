#include "training/classifier.h"

#include "api/api.h"
#include "api/handles.h"

using namespace swav;

static ClassifierSettings settings_of(const swav_classifier_config& c) {
  ClassifierSettings settings;
  settings.classes = c.classes;
  settings.dim = c.dim;
  settings.size = c.size;
  settings.batch = c.batch;
  settings.smoothing = c.label_smoothing;
  settings.momentum = c.momentum;
  settings.weight_decay = c.weight_decay;
  settings.frozen_norms = c.frozen_norms;
  settings.deviation = c.deviation;
  settings.seed = c.seed;
  return settings;
}

extern "C" {

swav_classifier_config swav_classifier_config_default(void) {
  swav_classifier_config c{};
  c.classes = 1000;
  c.size = 224;
  c.batch = 256;
  c.momentum = 0.9f;
  c.deviation = 0.01f;
  return c;
}

swav_status swav_classifier_create(swav_network* network, const swav_classifier_config* config, swav_classifier** classifier) {
  return api::computed([&] {
    api::check_pointers("swav_classifier_create", {{"config", config}, {"classifier", classifier}});
    const std::shared_ptr<Network> shared = network != nullptr ? network->network : nullptr;
    if (shared != nullptr) {
      SWAV_REQUIRE(config->size >= 8 && config->size <= 16384, "size is %d; 8 to 16384 pixels are allowed", config->size);
    }
    *classifier = new swav_classifier{shared, Classifier(shared.get(), settings_of(*config))};
  });
}

void swav_classifier_destroy(swav_classifier* classifier) {
  if (classifier) api::computed([&] { delete classifier; });
}

swav_status swav_classifier_memory(const swav_classifier* classifier, swav_memory_plan* plan) {
  return api::guarded([&] {
    api::check_pointers("swav_classifier_memory", {{"classifier", classifier}, {"plan", plan}});
    *plan = classifier->classifier.memory();
  });
}

swav_status swav_classifier_step(swav_classifier* classifier, const swav_classifier_input* input,
                                 swav_classifier_report* report) {
  return api::interruptible([&] {
    api::check_pointers("swav_classifier_step", {{"classifier", classifier}, {"input", input}, {"report", report}});
    classifier->classifier.step(*input, *report);
  });
}

swav_status swav_classifier_read(const swav_classifier* classifier, float* weights) {
  return api::computed([&] {
    api::check_pointers("swav_classifier_read", {{"classifier", classifier}, {"weights", weights}});
    classifier->classifier.read(weights);
  });
}

swav_status swav_classifier_save(const swav_classifier* classifier, const char* path, const char* note) {
  return api::computed([&] {
    api::check_pointers("swav_classifier_save", {{"classifier", classifier}, {"path", path}});
    classifier->classifier.save(path, note ? note : "");
  });
}

swav_status swav_classifier_load(swav_classifier* classifier, const char* path) {
  return api::computed([&] {
    api::check_pointers("swav_classifier_load", {{"classifier", classifier}, {"path", path}});
    classifier->classifier.load(path);
  });
}

}  // extern "C"
