// Parity of learning from labels with PyTorch over ten steps; parity_cases.h says how it is measured.
#include "parity_cases.h"

using namespace swav::test::parity;

// Supervised steps: losses, then all that has learned.
static void check_classifier(const std::string& name) {
  const Case c = read_case(name);
  const Network network = network_of(c);
  swav_classifier_config settings = swav_classifier_config_default();
  settings.classes = int32_t(c["classes"]);
  settings.size = int32_t(c["crop_sizes"]);
  settings.batch = int32_t(c["batch"]);
  settings.label_smoothing = float(c["label_smoothing"]);
  settings.momentum = float(c["momentum"]);
  settings.weight_decay = float(c["weight_decay"]);
  settings.frozen_norms = c["frozen_norms"] != 0;
  settings.deviation = 0;
  swav_classifier* handle = nullptr;
  require(swav_classifier_create(network.get(), &settings, &handle));
  const std::unique_ptr<swav_classifier, decltype(&swav_classifier_destroy)> classifier(handle, &swav_classifier_destroy);
  double mean_square = 0;
  for (const Golden& loss : c.losses) mean_square += loss.error * loss.error / double(c.losses.size());
  REQUIRE(c.losses.size() == 10);
  for (int step = 0; step < 10; ++step) {
    const Floats images = crops(c, step, 0);
    std::vector<int32_t> labels;
    for (int32_t b = 0; b < settings.batch; ++b) labels.push_back((3 * step + 7 * b) % settings.classes);
    const swav_classifier_input input{images.data(), labels.data(), settings.batch, c["backbone_rate"], c["classifier_rate"]};
    swav_classifier_report report;
    require(swav_classifier_step(handle, &input, &report));
    CAPTURE(step);
    const Golden& golden = c.losses[size_t(step)];
    CHECK(std::abs(report.loss - golden.norm) <= 3 * c.rounding() * std::max(golden.error, std::sqrt(mean_square)));
  }
  // All but the layer's own two.
  CHECK(check_tensors(c, network.get(), {"projection_head", "prototypes"}) == c.tensors.size() - 2);
  const double median = median_relative_error(c.tensors);
  swav_network_info info;
  require(swav_network_describe(network.get(), &info));
  const int64_t dim = info.feature_dim;
  Floats layer(size_t(settings.classes * (dim + 1))), weight, bias;
  require(swav_classifier_read(handle, layer.data()));
  for (int32_t k = 0; k < settings.classes; ++k) {
    weight.insert(weight.end(), layer.begin() + k * (dim + 1), layer.begin() + k * (dim + 1) + dim);
    bias.push_back(layer[size_t(k * (dim + 1) + dim)]);
  }
  for (const auto& [own, values] : {std::pair("classifier.weight", &weight), std::pair("classifier.bias", &bias)}) {
    const Golden& golden = find(c.tensors, own);
    CHECK_MESSAGE(projection_error(c, golden, values->data(), int64_t(values->size())) <= tolerance(c, golden, median), own);
  }
}

TEST_CASE("learning from labels equals PyTorch over ten steps: two rates, decay, smoothing, batch statistics") {
  check_classifier("classifier");
}

TEST_CASE("learning from labels with frozen batch-norms equals PyTorch over ten steps") {
  check_classifier("classifier_frozen_norms");
}
