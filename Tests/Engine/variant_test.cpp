// Residual networks of others that share torchvision's names and compute something else; prototypes with a bias.
#include "stored_files.h"
#include "temporary_folder.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

// An edit of a file's tensors that makes another network of it, and what the refusal names.
struct Variant {
  const char* difference;
  void (*edit)(std::vector<FileTensor>& tensors);
};

FileTensor& named(std::vector<FileTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const FileTensor& t) { return t.name == name; });
  REQUIRE_MESSAGE(found != tensors.end(), name);
  return *found;
}

void rename(std::vector<FileTensor>& tensors, const std::string& from, const std::string& to) {
  named(tensors, from).name = to;
}

void reshape(std::vector<FileTensor>& tensors, const std::string& name, const std::vector<int64_t>& shape) {
  FileTensor& tensor = named(tensors, name);
  tensor.shape = shape;
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  tensor.bytes.assign(size_t(count) * 4, '\0');
}

void add(std::vector<FileTensor>& tensors, const std::string& name) {
  tensors.push_back({name, DataType::f32, {1}, std::string(4, '\0')});
}

const Variant variants[] = {
    {"a stem of several convolutions (as ResNet-C and -D have)",
     [](std::vector<FileTensor>& t) { rename(t, "conv1.weight", "conv1.0.weight"); }},
    {"a stem of several convolutions (as ResNet-C and -D have)", [](std::vector<FileTensor>& t) { add(t, "conv2.weight"); }},
    {"a stem of several convolutions (as ResNet-C and -D have)",
     [](std::vector<FileTensor>& t) { rename(t, "conv1.weight", "stem.0.weight"); }},
    {"average pooling in the downsample (as ResNet-D has)",
     [](std::vector<FileTensor>& t) {
       named(t, "layer2.0.downsample.1.weight").name = "layer2.0.downsample.2.weight";
       named(t, "layer2.0.downsample.0.weight").name = "layer2.0.downsample.1.weight";
     }},
    {"a stem of several convolutions (as ResNet-C and -D have), average pooling in the downsample (as ResNet-D has)",
     [](std::vector<FileTensor>& t) {
       variants[0].edit(t);
       variants[3].edit(t);
     }},
    {"grouped convolutions (as ResNeXt has)",
     [](std::vector<FileTensor>& t) {
       reshape(t, "layer1.0.conv1.weight", {8, 4, 1, 1});
       reshape(t, "layer1.0.conv2.weight", {8, 2, 3, 3});
     }},
    {"bottlenecks wider than its stem (as Wide ResNet has)",
     [](std::vector<FileTensor>& t) {
       reshape(t, "layer1.0.conv1.weight", {8, 4, 1, 1});
       reshape(t, "layer1.0.conv2.weight", {8, 8, 3, 3});
     }},
    {"norms without statistics (as group-norm has, or a file without buffers)",
     [](std::vector<FileTensor>& tensors) {
       for (FileTensor& t : tensors) {
         const bool is_buffer = t.name.find(".running_") != std::string::npos || is_counter(t.name);
         if (is_buffer) t.name = "others." + t.name;
       }
     }},
};

}  // namespace

TEST_CASE("a ResNet of another kind is refused by what differs, when it is opened and when it is loaded into a network") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(50, SWAV_STEM_IMAGENET), 1);
  for (const Variant& variant : variants) {
    std::vector<FileTensor> tensors = tensors_of(original);
    variant.edit(tensors);
    write_file(path, tensors);
    const std::string text =
        std::string(" holds a ResNet with ") + variant.difference + "; those of torchvision without any of this are known";
    CHECK(open_message(path, SWAV_ERROR_UNSUPPORTED) == text);
    const Handle other(small_network(50, SWAV_STEM_IMAGENET), 2);
    const State before = state_of(other.network);
    CHECK(swav_network_load(other.network, path.c_str(), nullptr, nullptr) == SWAV_ERROR_UNSUPPORTED);
    CHECK(std::string(swav_error_message()) == path + text);
    CHECK(state_of(other.network) == before);
  }
}

TEST_CASE("where a backbone lacks parts and has others, a part that no network of ours has is named") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(50, SWAV_STEM_IMAGENET), 1);
  // As Res2Net's.
  write_renamed(
      original, path,
      [](const std::string& name) { return name == "layer2.1.conv2.weight" ? "layer2.1.convs.0.weight" : name; }, everything);
  CHECK(open_message(path, SWAV_ERROR_UNSUPPORTED) ==
        " holds a ResNet with parts that a resnet50b4 has not: layer2.1.convs.0.weight");
  // As SKNet's: an encoder by its stem and downsamples, and no block of torchvision's.
  const auto selective = [](const std::string& name) {
    const size_t at = name.find(".conv");
    return name.rfind("layer", 0) != 0 || at == std::string::npos ? name
                                                                  : name.substr(0, at + 6) + ".conv" + name.substr(at + 6);
  };
  write_renamed(original, path, selective, everything);
  CHECK(open_message(path, SWAV_ERROR_UNSUPPORTED) ==
        " holds a ResNet whose blocks have no conv1 and conv2, as those of torchvision have");
}

TEST_CASE("a bias of prototypes that is not zero is said to be left out, by opening, loading and recognising") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  const std::string said = "; the bias of its prototypes is left out: scores here are cosines alone";
  for (const float bias : {0.0f, 0.25f}) {
    std::vector<FileTensor> tensors = tensors_of(original);
    named(tensors, "prototypes.weight").name = "prototypes.heads.0.weight";
    tensors.push_back({"prototypes.heads.0.bias", DataType::f32, {12}, bytes_of(std::vector<float>(12, bias))});
    write_file(path, tensors);
    swav_load_report opening, loading, recognising;
    Handle opened;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &opening) == SWAV_OK, swav_error_message());
    const Handle other(small_network(), 2);
    REQUIRE_MESSAGE(swav_network_load(other.network, path.c_str(), nullptr, &loading) == SWAV_OK, swav_error_message());
    swav_tensor_file* file = nullptr;
    REQUIRE(swav_tensor_file_open(path.c_str(), &file) == SWAV_OK);
    swav_network_config config;
    REQUIRE(swav_tensor_file_recognize(file, nullptr, &config, &recognising) == SWAV_OK);
    swav_tensor_file_close(file);
    for (const swav_load_report* report : {&opening, &loading, &recognising}) {
      CHECK((std::string(report->summary).find(said) != std::string::npos) == (bias != 0));
      CHECK(std::string(report->unexpected_names) == "prototypes.heads.0.bias");
    }
    // Without the prototypes nothing is left out of them.
    const swav_load_options without{nullptr, false, true};
    Handle headless;
    REQUIRE(swav_network_open(path.c_str(), &without, &headless.network, &opening) == SWAV_OK);
    CHECK(std::string(opening.summary).find(said) == std::string::npos);
  }
}
