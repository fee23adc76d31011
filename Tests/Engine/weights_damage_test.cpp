// Weights that are not as they ought to be: missing tensors, counters and numbers of every kind, values that are none.
#include <cmath>
#include <cstring>
#include <limits>

#include "stored_files.h"
#include "temporary_folder.h"
#include "training_bench.h"
#include "worse.h"

using namespace swav;
using namespace swav::test;

TEST_CASE("one tensor of the backbone that is missing, another shape or another network is refused and nothing is changed") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1), other(small_network(), 2);
  const State before = state_of(other.network);
  const auto refused = [&](const std::string& message) {
    CHECK(swav_network_load(other.network, path.c_str(), nullptr, nullptr) == SWAV_ERROR_FORMAT);
    CHECK(std::string(swav_error_message()) == path + message);
    CHECK(state_of(other.network) == before);
  };
  // Each in turn, and where it is a mark of the encoder, too.
  for (const FileTensor& t : tensors_of(original)) {
    if (!is_backbone(t.name)) continue;
    CAPTURE(t.name);
    write_renamed(original, path, same_name, [&](const std::string& name) { return name != t.name; });
    if (is_counter(t.name)) {
      CHECK(swav_network_load(Handle(small_network(), 2).network, path.c_str(), nullptr, nullptr) == SWAV_OK);
      continue;
    }
    refused(" lacks a tensor of the backbone: " + t.name);
    if (t.name != "conv1.weight") {
      CHECK(open_message(path, SWAV_ERROR_FORMAT) == " lacks 1 of the 130 tensors of a resnet18b4: " + t.name);
    }
  }
  write_renamed(original, path, same_name, [&](const std::string& name) { return name.find("running") == std::string::npos; });
  CHECK(open_message(path, SWAV_ERROR_FORMAT) == " lacks 42 of the 130 tensors of a resnet18b4: bn1.running_mean, ...");

  const Handle foreign(small_network(18, SWAV_STEM_IMAGENET));
  REQUIRE(swav_network_save(foreign.network, path.c_str()) == SWAV_OK);
  refused(": conv1.weight has shape [4, 3, 7, 7], the network expects [4, 3, 3, 3]");
  const Handle deep(small_network(50));
  REQUIRE(swav_network_save(deep.network, path.c_str()) == SWAV_OK);
  refused(": layer1.0.conv1.weight has shape [4, 4, 1, 1], the network expects [4, 4, 3, 3]");
}

TEST_CASE("a head that is not whole is refused by open; its bias before a batch-norm may be missing and is zero") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  const auto without = [&](const std::string& lost) {
    write_renamed(original, path, same_name, [&](const std::string& name) { return name != lost; });
  };
  without("projection_head.3.bias");
  CHECK(open_message(path, SWAV_ERROR_FORMAT) == " lacks 1 of the 130 tensors of a resnet18b4: projection_head.3.bias");
  without("projection_head.1.running_var");
  CHECK(open_message(path, SWAV_ERROR_FORMAT) == " lacks 1 of the 130 tensors of a resnet18b4: projection_head.1.running_var");
  without("projection_head.3.weight");
  CHECK(open_message(path, SWAV_ERROR_FORMAT) == ": the projection head has a first layer, and no last one");
  without("projection_head.0.bias");
  Handle opened;
  swav_load_report report;
  REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
  CHECK(report.matched == 130);
  CHECK(report.converted == 1);
  for (const auto& [name, bytes] : state_of(opened.network)) {
    if (name == "projection_head.0.bias") {
      CHECK(bytes == std::vector<uint8_t>(16 * 4, 0));
    } else {
      CHECK(bytes == state_of(original.network).at(name));
    }
  }
}

TEST_CASE("head and prototypes are left out when asked: open has none, load leaves them as they were") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  REQUIRE(swav_network_save(original.network, path.c_str()) == SWAV_OK);
  swav_network_config other_config = small_network();
  other_config.prototypes[0] = 99;
  const Handle other(other_config, 2);
  const State before = state_of(other.network), from = state_of(original.network);
  CHECK(swav_network_load(other.network, path.c_str(), nullptr, nullptr) == SWAV_ERROR_FORMAT);  // 12 prototypes, not 99
  const swav_load_options no_prototypes{nullptr, false, true}, no_head{nullptr, true, false};
  swav_load_report report;
  REQUIRE(swav_network_load(other.network, path.c_str(), &no_prototypes, &report) == SWAV_OK);
  CHECK(report.missing == 0);
  CHECK(std::string(report.unexpected_names) == "prototypes.weight");
  for (const auto& [name, bytes] : state_of(other.network)) {
    CHECK((bytes == (name == "prototypes.weight" ? before : from).at(name)));
  }
  Handle opened, bare;
  REQUIRE(swav_network_open(path.c_str(), &no_prototypes, &opened.network, &report) == SWAV_OK);
  CHECK(opened.config().head_count == 0);
  CHECK(opened.config().dim == 8);
  REQUIRE(swav_network_open(path.c_str(), &no_head, &bare.network, &report) == SWAV_OK);
  CHECK(bare.config().dim == 0);
  CHECK(bare.config().head_count == 0);
}

TEST_CASE("counters of any number type, of shape [1], or absent load; what is no count counts as none") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  *original.parameters().counter("bn1.num_batches_tracked") = 77;
  const auto loads = [&](auto change, int64_t counted, int64_t converted) {
    std::vector<FileTensor> tensors = tensors_of(original);
    for (FileTensor& t : tensors) {
      if (is_counter(t.name)) change(t, t.name == "bn1.num_batches_tracked" ? 77 : 0);
    }
    write_file(path, tensors);
    Handle opened;
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
    CHECK(*opened.parameters().counter("bn1.num_batches_tracked") == counted);
    CHECK(report.converted == converted);
    CHECK(report.missing == 0);
    for (const auto& [name, bytes] : state_of(opened.network)) {
      if (!is_counter(name)) CHECK((bytes == state_of(original.network).at(name)));
    }
  };
  const auto as = [](FileTensor& t, DataType type, auto number) {
    t.type = type;
    t.bytes = bytes_of(std::vector{number});
  };
  loads([&](FileTensor& t, int n) { as(t, DataType::i32, int32_t(n)); }, 77, 21);
  loads([&](FileTensor& t, int n) { as(t, DataType::i16, int16_t(n)); }, 77, 21);
  loads([&](FileTensor& t, int n) { as(t, DataType::u8, uint8_t(n)); }, 77, 21);
  loads([&](FileTensor& t, int n) { as(t, DataType::f32, float(n)); }, 77, 21);
  loads([&](FileTensor& t, int n) { as(t, DataType::f64, double(n)); }, 77, 21);
  loads([&](FileTensor& t, int n) { as(t, DataType::f16, uint16_t(n == 77 ? 0x54d0 : 0)); }, 77, 21);
  loads([&](FileTensor& t, int) { as(t, DataType::f16, uint16_t(0x7c00)); }, 0, 21);  // infinite: more than 65504 in float16
  loads([&](FileTensor& t, int) { t.shape = {1}; }, 77, 21);
  loads([&](FileTensor& t, int) { as(t, DataType::i64, int64_t(-1)); }, 0, 0);
  write_renamed(original, path, same_name, [](const std::string& name) { return !is_counter(name); });
  Handle opened;
  swav_load_report report;
  REQUIRE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK);
  CHECK(report.missing == 0);
}

TEST_CASE("weights of 16 and 64 bits and integers are converted, each to the nearest float") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  const auto largest_error = [&](DataType type, auto number_of) {
    std::vector<FileTensor> tensors = tensors_of(original);
    for (FileTensor& t : tensors) {
      if (is_counter(t.name)) continue;
      std::string bytes;
      for (size_t i = 0; i < t.bytes.size(); i += 4) {
        float value;
        std::memcpy(&value, t.bytes.data() + i, 4);
        const auto number = number_of(value);
        bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
      }
      t.type = type;
      t.bytes = bytes;
    }
    write_file(path, tensors);
    Handle opened;
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
    CHECK(report.converted == 109);
    double largest = 0;
    for (const TensorEntry& entry : original.parameters().entries()) {
      if (entry.kind == SWAV_TENSOR_COUNTER) continue;
      const float *a = static_cast<const float*>(original.parameters().data(entry)), *b = opened.parameters().value(entry.name);
      for (int64_t i = 0; i < entry.count; ++i)
        largest = worse(largest, std::abs(double(a[i] - b[i])) / std::max(1e-3, std::abs(double(a[i]))));
    }
    return largest;
  };
  CHECK(largest_error(DataType::f64, [](float x) { return double(x); }) == 0);
  // Seven bits of fraction, cut off.
  CHECK(largest_error(DataType::bf16, [](float x) {
          uint32_t bits;
          std::memcpy(&bits, &x, 4);
          return uint16_t(bits >> 16);
        }) <= 0x1p-7);
  CHECK(largest_error(DataType::i8, [](float x) { return int8_t(x == 1 ? 1 : 0); }) <= 1);
}

TEST_CASE("a network of four channels that nobody described opens again, also from a file that had none for the fourth") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  swav_network_config config = small_network();
  config.channels = 4;
  const Handle original(config);
  swav_input_description input;
  REQUIRE(swav_network_input(original.network, &input) == SWAV_OK);
  CHECK(swav_network_describe_input(original.network, &input) == SWAV_OK);
  REQUIRE(swav_network_save(original.network, path.c_str()) == SWAV_OK);
  std::string bytes = read_bytes(path);
  for (const char* written : {"0.449", "0.226"}) CHECK(bytes.find(written) != std::string::npos);
  for (int file = 0; file < 2; ++file) {
    Handle opened;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, nullptr) == SWAV_OK, swav_error_message());
    swav_input_description found;
    REQUIRE(swav_network_input(opened.network, &found) == SWAV_OK);
    CHECK(found.std[3] == input.std[3]);
    CHECK(found.mean[3] == input.mean[3]);
    // Numbers of the fourth channel are the last of their lists.
    for (const char* name : {"mean", "std"}) {
      const size_t list = bytes.find(std::string(name) + "\\\":["), end = bytes.find(']', list),
                   from = bytes.rfind(',', end) + 1;
      REQUIRE(list != std::string::npos);
      bytes.replace(from, end - from, std::string(end - from - 1, '0').insert(1, "."));
    }
    write_bytes(path, bytes);
  }
}

TEST_CASE("NaN, infinite values and negative variances are refused naming tensor and index") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1), other(small_network(), 2);
  const State before = state_of(other.network);
  const auto poisoned = [&](const std::string& name, size_t index, float value) {
    std::vector<FileTensor> tensors = tensors_of(original);
    for (FileTensor& t : tensors) {
      if (t.name == name) std::memcpy(t.bytes.data() + 4 * index, &value, 4);
    }
    write_file(path, tensors);
    CHECK(swav_network_load(other.network, path.c_str(), nullptr, nullptr) == SWAV_ERROR_NUMERIC);
    CHECK(state_of(other.network) == before);
    return open_message(path, SWAV_ERROR_NUMERIC);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK(poisoned("layer2.0.conv1.weight", 0, nan) == ": layer2.0.conv1.weight[0, 0, 0, 0] is not a number");
  CHECK(poisoned("layer2.0.conv1.weight", 4 * 9 + 2 * 9 + 5, -nan) == ": layer2.0.conv1.weight[1, 2, 1, 2] is not a number");
  CHECK(poisoned("bn1.running_mean", 3, -infinity) == ": bn1.running_mean[3] is infinite");
  CHECK(poisoned("layer4.0.bn1.running_var", 1, -1) ==
        ": layer4.0.bn1.running_var[1] is negative, and ought to be a mean of squares");
  CHECK(poisoned("projection_head.1.running_var", 2, -1e-30f) ==
        ": projection_head.1.running_var[2] is negative, and ought to be a mean of squares");
  CHECK(poisoned("prototypes.weight", 8, infinity) == ": prototypes.weight[1, 0] is infinite");
  // A double that no float holds.
  std::vector<FileTensor> tensors = tensors_of(original);
  for (FileTensor& t : tensors) {
    if (t.name != "bn1.bias") continue;
    t.type = DataType::f64;
    t.bytes = bytes_of(std::vector<double>{0, 1, 1e39, 0});
  }
  write_file(path, tensors);
  CHECK(open_message(path, SWAV_ERROR_NUMERIC) == ": bn1.bias[2] is infinite");
}

TEST_CASE("what is said of a file is one line of UTF-8, whatever the names of its tensors and wherever they are cut") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  for (const std::string& letter : {std::string("\xc3\xa9"), std::string("\xe2\x82\xac"), std::string("\n")}) {
    std::string name = "x";
    for (int i = 0; i < 200; ++i) name += letter;
    name += "z";
    std::vector<FileTensor> tensors = tensors_of(original);
    tensors.push_back({name, DataType::f32, {1}, std::string(4, '\0')});
    write_file(path, tensors);
    Handle opened;
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
    CHECK(report.unexpected == 1);
    for (const std::string text : {report.summary, report.unexpected_names}) {
      CHECK(text.find('\n') == std::string::npos);
      CHECK(one_line(text) == text);
    }
    CHECK(std::string(report.summary).find("...") != std::string::npos);
  }
}
