// Networks as files for other programs. That those read them is shown where they are installed: make test-interop.
#include "io/tensor_file.h"
#include "stored_files.h"
#include "temporary_folder.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

constexpr int32_t side = 32;

swav_status export_to(const std::string& path, const Handle& network, swav_tensor_format format, swav_keys keys, bool head) {
  const swav_export_options options{format, keys, head};
  return swav_network_export(network.network, path.c_str(), &options);
}

Floats features(swav_network* network) {
  swav_network_info info;
  REQUIRE(swav_network_describe(network, &info) == SWAV_OK);
  Floats pixels(side * side * 3), result(size_t(info.feature_dim));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = float(int(i * 7919 % 251) - 125) / 251;
  REQUIRE(swav_network_embed(network, SWAV_OUTPUT_FEATURES, pixels.data(), 1, side, side, result.data()) == SWAV_OK);
  return result;
}

std::vector<double> values(const TensorFile& file, const std::string& name) {
  const StoredTensor* tensor = file.find(name);
  REQUIRE_MESSAGE(tensor != nullptr, name);
  std::vector<double> numbers(size_t(tensor->count()));
  file.read(*tensor, numbers.data());
  return numbers;
}

std::vector<int64_t> shape(const TensorFile& file, const std::string& name) {
  const StoredTensor* tensor = file.find(name);
  REQUIRE_MESSAGE(tensor != nullptr, name);
  return tensor->shape;
}

}  // namespace

TEST_CASE("an exported network opens again as what it was, in both formats, with its head and without") {
  const TemporaryFolder folder;
  const std::string path = folder / "exported";
  for (const swav_stem stem : {SWAV_STEM_IMAGENET, SWAV_STEM_SMALL}) {
    const Handle network(small_network(50, stem), 5);
    const Floats expected = features(network.network);
    const swav_input_description input{40, {0.1f, 0.2f, 0.3f}, {0.4f, 0.5f, 0.6f}};
    REQUIRE(swav_network_describe_input(network.network, &input) == SWAV_OK);
    for (const swav_tensor_format format : {SWAV_TENSORS_SAFETENSORS, SWAV_TENSORS_TORCH}) {
      for (const swav_keys keys : {SWAV_KEYS_TORCHVISION, SWAV_KEYS_MMDET}) {
        for (const bool head : {true, false}) {
          CAPTURE(format);
          CAPTURE(head);
          REQUIRE_MESSAGE(export_to(path, network, format, keys, head) == SWAV_OK, swav_error_message());
          Handle opened;
          swav_load_report report;
          REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
          CHECK(report.unexpected == 0);
          CHECK(report.missing == 0);
          CHECK(!report.guessed);
          swav_input_description read{};
          REQUIRE(swav_network_input(opened.network, &read) == SWAV_OK);
          CHECK((read.size == 40 && read.mean[2] == 0.3f && read.std[0] == 0.4f));
          CHECK(opened.config().dim == (head ? small_network().dim : 0));
          CHECK(opened.config().head_count == (head ? 1 : 0));
          CHECK(features(opened.network) == expected);
        }
      }
    }
  }
}

TEST_CASE("equal networks are equal exported files, and every storage of PyTorch's begins at a multiple of 64 bytes") {
  const TemporaryFolder folder;
  const Handle a(small_network(), 3), b(small_network(), 3);
  for (const swav_tensor_format format : {SWAV_TENSORS_SAFETENSORS, SWAV_TENSORS_TORCH}) {
    REQUIRE(export_to(folder / "a", a, format, SWAV_KEYS_TORCHVISION, true) == SWAV_OK);
    REQUIRE(export_to(folder / "b", b, format, SWAV_KEYS_TORCHVISION, true) == SWAV_OK);
    CHECK(read_bytes(folder / "a") == read_bytes(folder / "b"));
  }
  const TensorFile written(folder / "a");
  for (const StoredTensor& tensor : written.tensors()) CHECK(tensor.offset % 64 == 0);
}

TEST_CASE("detectron2's names are the layers' own, nested as its checkpoints are, and leave out counters") {
  const TemporaryFolder folder;
  const Handle network(small_network(50, SWAV_STEM_IMAGENET), 2);
  REQUIRE(export_to(folder / "file", network, SWAV_TENSORS_TORCH, SWAV_KEYS_DETECTRON2, false) == SWAV_OK);
  const TensorFile file(folder / "file");
  int64_t expected = 0;
  for (const FileTensor& tensor : tensors_of(network)) expected += is_backbone(tensor.name) && !is_counter(tensor.name);
  CHECK(int64_t(file.tensors().size()) == expected);
  for (const auto& [theirs, ours] :
       {std::pair{"stem.conv1.weight", "conv1.weight"}, std::pair{"stem.conv1.norm.running_var", "bn1.running_var"},
        std::pair{"res2.0.shortcut.weight", "layer1.0.downsample.0.weight"},
        std::pair{"res5.0.shortcut.norm.bias", "layer4.0.downsample.1.bias"},
        std::pair{"res4.5.conv3.weight", "layer3.5.conv3.weight"},
        std::pair{"res3.1.conv2.norm.running_mean", "layer2.1.bn2.running_mean"}}) {
    const std::vector<double> read = values(file, std::string("model.") + theirs);
    const float* own = network.parameters().value(ours);
    CHECK(std::equal(read.begin(), read.end(), own, [](double a, float b) { return float(a) == b; }));
  }
}

TEST_CASE("for timm a narrow stem is filled up with zeros, a projection picks its channels; what timm has not is refused") {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  const Handle basic(small_network(18, SWAV_STEM_IMAGENET), 2), bottleneck(small_network(50, SWAV_STEM_IMAGENET), 2);
  REQUIRE(export_to(path, basic, SWAV_TENSORS_SAFETENSORS, SWAV_KEYS_TIMM, false) == SWAV_OK);
  {
    const TensorFile file(path);
    CHECK(shape(file, "conv1.weight") == std::vector<int64_t>{64, 3, 7, 7});
    CHECK(shape(file, "layer1.0.conv1.weight") == std::vector<int64_t>{4, 64, 3, 3});
    CHECK(shape(file, "layer1.0.conv2.weight") == std::vector<int64_t>{4, 4, 3, 3});
    const std::vector<double> picks = values(file, "layer1.0.downsample.0.weight");
    for (size_t i = 0; i < picks.size(); ++i) CHECK(picks[i] == (i / 64 == i % 64 ? 1 : 0));
    const std::vector<double> stem = values(file, "conv1.weight");
    const float* own = basic.parameters().value("conv1.weight");
    for (size_t i = 0; i < stem.size(); ++i) CHECK(float(stem[i]) == (i < 4 * 3 * 49 ? own[i] : 0.0f));
    CHECK(file.metadata().count("swav") == 0);
  }
  REQUIRE(export_to(path, bottleneck, SWAV_TENSORS_SAFETENSORS, SWAV_KEYS_TIMM, false) == SWAV_OK);
  CHECK(shape(TensorFile(path), "layer1.0.downsample.0.weight") == std::vector<int64_t>{16, 64, 1, 1});

  swav_network_config wide = small_network(18, SWAV_STEM_IMAGENET);
  wide.base_width = 65;
  CHECK(export_to(path, Handle(wide), SWAV_TENSORS_SAFETENSORS, SWAV_KEYS_TIMM, false) == SWAV_ERROR_UNSUPPORTED);
  CHECK(std::string(swav_error_message()) ==
        "timm's ResNets have 64 channels in the stem, this network has 65; the keys of torchvision are possible");
  CHECK(export_to(path, Handle(small_network()), SWAV_TENSORS_SAFETENSORS, SWAV_KEYS_TIMM, false) == SWAV_ERROR_UNSUPPORTED);
  swav_network_config sixteen = small_network(50, SWAV_STEM_IMAGENET);
  sixteen.base_width = 16;
  CHECK(export_to(path, Handle(sixteen), SWAV_TENSORS_SAFETENSORS, SWAV_KEYS_TIMM, false) == SWAV_ERROR_UNSUPPORTED);
  wide.base_width = 64;
  const Handle same(wide);
  REQUIRE(export_to(path, same, SWAV_TENSORS_SAFETENSORS, SWAV_KEYS_TIMM, false) == SWAV_OK);
  CHECK(TensorFile(path).metadata().count("swav") == 1);
}

TEST_CASE("what is not finite is not exported, and the file stays") {
  const TemporaryFolder folder;
  const Handle network(small_network());
  write_bytes(folder / "file", "before");
  network.parameters().value("conv1.weight")[3] = std::numeric_limits<float>::infinity();
  network.parameters().touch();
  CHECK(export_to(folder / "file", network, SWAV_TENSORS_TORCH, SWAV_KEYS_TORCHVISION, false) == SWAV_ERROR_NUMERIC);
  CHECK(read_bytes(folder / "file") == "before");
}

TEST_CASE(
    "the ranges that a calibration found are those of the convolutions that end in a ReLU, by name, as wide as its images "
    "ask") {
  const Handle network(small_network(18, SWAV_STEM_IMAGENET), 4);
  Floats pixels(side * side * 3, 0.25f);
  const auto ranges = [&] {
    std::map<std::string, float> found;
    swav_activation_range range;
    for (int64_t index = 0; swav_network_activation_range(network.network, index, &range) == SWAV_OK; ++index) {
      found[range.layer] = range.largest;
    }
    return found;
  };
  CHECK(ranges().empty());
  REQUIRE(swav_network_calibrate(network.network, pixels.data(), 1, side, side) == SWAV_OK);
  const std::map<std::string, float> first = ranges();
  CHECK(first.size() == 17);  // one in the stem, two in each of eight blocks
  for (const char* layer : {"conv1", "layer1.0.conv1", "layer4.1.conv2"}) CHECK(first.count(layer) == 1);
  CHECK(std::string(swav_error_message()) == "index is 17; 0 to 16 is allowed");
  // Statistics that run are those of no image, and there is no bias: without them twice the image is twice every activation.
  for (float& pixel : pixels) pixel *= 2;
  REQUIRE(swav_network_calibrate(network.network, pixels.data(), 1, side, side) == SWAV_OK);
  for (const auto& [layer, largest] : ranges()) CHECK(largest == 2 * first.at(layer));
}
