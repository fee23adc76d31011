// Weights in files: the format byte for byte, number types, names with prefixes, what is refused, and what a file says of its
// network.
#include <cmath>
#include <cstring>
#include <limits>

#include "io/safetensors.h"
#include "temporary_folder.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

// A file by hand: 8 bytes length, the header as given, the data.
std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += char(uint8_t(uint64_t(header.size()) >> (8 * i)));
  return bytes + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

struct Handle {
  swav_network* network = nullptr;
  Handle() = default;
  explicit Handle(const swav_network_config& config, uint64_t seed = 1) {
    REQUIRE_MESSAGE(swav_network_create(&config, seed, &network) == SWAV_OK, swav_error_message());
  }
  ~Handle() { swav_network_destroy(network); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
};

// The tensors of a network under names of the caller's; `keep` decides which are written.
template <class Rename, class Keep>
void write_renamed(swav_network* network, const std::string& path, Rename rename, Keep keep) {
  std::vector<TensorSource> tensors;
  const Parameters& parameters = network->network->parameters();
  for (const TensorEntry& entry : parameters.entries()) {
    if (!keep(entry.name)) continue;
    const DataType type = entry.kind == SWAV_TENSOR_COUNTER ? DataType::i64 : DataType::f32;
    tensors.push_back({rename(entry.name), type, entry.shape, parameters.data(entry)});
  }
  write_safetensors(path, tensors, {});
}

const auto everything = [](const std::string&) { return true; };
const auto same_name = [](const std::string& name) { return name; };

bool is_backbone(const std::string& name) { return name.rfind("projection", 0) != 0 && name.rfind("prototypes", 0) != 0; }

bool equal(const swav_network_config& a, const swav_network_config& b) {
  return a.depth == b.depth && a.width * a.base_width == b.width * b.base_width && a.stem == b.stem &&
         a.channels == b.channels && a.hidden == b.hidden && a.dim == b.dim && a.head_count == b.head_count &&
         std::memcmp(a.prototypes, b.prototypes, sizeof a.prototypes) == 0;
}

// The value of a half in double, from the definition.
double half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

}  // namespace

TEST_CASE("a file is the format byte for byte: length, header with sorted keys padded to 8 bytes, data in the order given") {
  const TemporaryFolder folder;
  const std::string path = folder / "small.safetensors";
  const float a[] = {1, 2, 3, 4, 5, 6};
  const int64_t b = 7;
  write_safetensors(path, {{"z", DataType::f32, {2, 3}, a}, {"b", DataType::i64, {}, &b}}, {{"k", "v\n"}});
  std::string header =
      "{\"__metadata__\":{\"k\":\"v\\n\"},\"b\":{\"data_offsets\":[24,32],\"dtype\":\"I64\",\"shape\":[]},"
      "\"z\":{\"data_offsets\":[0,24],\"dtype\":\"F32\",\"shape\":[2,3]}}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  CHECK(read_bytes(path) == file_of(header, bytes_of(std::vector<float>(a, a + 6)) + bytes_of(std::vector<int64_t>{b})));

  const SafetensorsReader file(path);
  CHECK(file.metadata().at("k") == "v\n");
  CHECK(file.tensors().at("z").shape == std::vector<int64_t>{2, 3});
  float values[6];
  int64_t counter = 0;
  file.read(file.tensors().at("z"), values);
  file.read(file.tensors().at("b"), &counter);
  CHECK(std::memcmp(values, a, sizeof a) == 0);
  CHECK(counter == 7);
}

TEST_CASE("equal networks are equal files, wherever and how often they are written") {
  const TemporaryFolder folder;
  const Handle a(small_network(), 3), b(small_network(), 3);
  for (const auto& [handle, name] : {std::pair{&a, "a"}, std::pair{&a, "a again"}, std::pair{&b, "b"}}) {
    REQUIRE(swav_network_save(handle->network, (folder / name).c_str()) == SWAV_OK);
  }
  CHECK(read_bytes(folder / "a") == read_bytes(folder / "a again"));
  CHECK(read_bytes(folder / "a") == read_bytes(folder / "b"));
  CHECK(read_bytes(folder / "a").find("\"architecture\":\"resnet18b4\"") != std::string::npos);
  const std::string before = read_bytes(folder / "a");
  REQUIRE(swav_network_save(a.network, (folder / "a").c_str()) == SWAV_OK);  // over itself
  CHECK(read_bytes(folder / "a") == before);
}

TEST_CASE("every half is read as the number it stands for; bfloat16 and float64 too") {
  const TemporaryFolder folder;
  const std::string path = folder / "types.safetensors";
  std::vector<uint16_t> all;
  for (int i = 0; i < 65536; ++i) all.push_back(uint16_t(i));
  const std::vector<double> wide = {1.0 / 3, -2.5, 1e-40, 1e39, -0.0};
  write_bytes(path, file_of("{\"h\":{\"dtype\":\"F16\",\"shape\":[65536],\"data_offsets\":[0,131072]},"
                            "\"b\":{\"dtype\":\"BF16\",\"shape\":[65536],\"data_offsets\":[0,131072]},"
                            "\"d\":{\"dtype\":\"F64\",\"shape\":[5],\"data_offsets\":[131072,131112]}}",
                            bytes_of(all) + bytes_of(wide)));
  const SafetensorsReader file(path);
  Floats half(65536), bfloat(65536), narrow(5);
  file.read(file.tensors().at("h"), half.data());
  file.read(file.tensors().at("b"), bfloat.data());
  file.read(file.tensors().at("d"), narrow.data());
  int wrong = 0;
  for (int i = 0; i < 65536; ++i) {
    const double expected = half_value(uint16_t(i));
    const float ours = half[size_t(i)];
    wrong +=
        std::isnan(expected) ? !std::isnan(ours) : !(double(ours) == expected && std::signbit(ours) == std::signbit(expected));
    const uint32_t bits = uint32_t(i) << 16;
    wrong += std::memcmp(&bfloat[size_t(i)], &bits, 4) != 0;
  }
  CHECK(wrong == 0);
  for (size_t i = 0; i < wide.size(); ++i) CHECK(narrow[i] == float(wide[i]));
}

TEST_CASE("a file that is no safetensors file, or lies about itself, is refused naming it and the reason") {
  const TemporaryFolder folder;
  const std::string path = folder / "bad";
  const auto reason = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    swav_network* network = nullptr;
    CHECK(swav_network_open(path.c_str(), &network, nullptr) == SWAV_ERROR_FORMAT);
    const std::string message = swav_error_message();
    CHECK(message.find(path) != std::string::npos);
    return message.substr(std::min(message.size(), message.find(path) + path.size()));
  };
  const auto entry = [&](const char* row) { return reason(file_of("{\"t\":" + std::string(row) + "}", std::string(8, 'x'))); };
  CHECK(reason("") == " is not a safetensors file: it has only 0 bytes");
  CHECK(reason("\x89PNG\r\n\x1a\n and more bytes").find(" is not a safetensors file: its header would be ") == 0);
  CHECK(reason(file_of("{\"a\":", "")) == " is not a safetensors file: its header is not JSON");
  CHECK(reason(file_of("[1]", "")) == " is not a safetensors file: its header is not JSON");
  CHECK(reason(file_of(std::string(100, '['), "")) == " is not a safetensors file: its header is not JSON");
  CHECK(reason(file_of("{}", "").substr(0, 9)) == " is cut short: its header is not complete");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}") == ": tensor t: its shape and its length differ");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}") ==
        ": tensor t: the file ends before its data; it was cut short");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}") == ": tensor t: its data offsets are impossible");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}") == ": tensor t: its data offsets are impossible");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}") == ": tensor t: its shape is impossible");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,8]}") ==
        ": tensor t: its shape is impossible");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[2]}") == ": tensor t: its header entry is damaged");
  CHECK(entry("{\"dtype\":5,\"shape\":[2],\"data_offsets\":[0,8]}") == ": tensor t: its header entry is damaged");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":\"x\",\"data_offsets\":[0,8]}") == ": tensor t: its header entry is damaged");
  CHECK(entry("7") == ": tensor t: its header entry is damaged");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}") ==
        " holds no ResNet: there is no tensor conv1.weight of rank 4");
}

TEST_CASE("a small file that claims a huge network is refused without the memory of one") {
  const TemporaryFolder folder;
  const std::string path = folder / "bomb";
  // The stem of a ResNet-50 of width 16, whose other tensors would take 24 GB.
  write_bytes(path, file_of("{\"conv1.weight\":{\"dtype\":\"F32\",\"shape\":[1024,3,7,7],\"data_offsets\":[0,602112]},"
                            "\"layer1.0.conv3.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                            "\"layer3.5.conv1.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                            std::string(602112, 'x')));
  swav_network* network = nullptr;
  CHECK(swav_network_open(path.c_str(), &network, nullptr) == SWAV_ERROR_FORMAT);
  CHECK(std::string(swav_error_message()) ==
        path + " holds 1 of the backbone's 53 convolutions in the shape of a resnet50w16, 90 % are needed");
  // One of a width that is not known at all.
  write_bytes(path, file_of("{\"conv1.weight\":{\"dtype\":\"F32\",\"shape\":[600,1,3,3],\"data_offsets\":[0,21600]}}",
                            std::string(21600, 'x')));
  CHECK(swav_network_open(path.c_str(), &network, nullptr) == SWAV_ERROR_UNSUPPORTED);
  CHECK(std::string(swav_error_message()) ==
        path + " holds no network that this build knows: base_width is 600; 1 to 512 is allowed");
}

TEST_CASE("a network is opened from names and shapes alone: depths, stems, channels and heads of every kind") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  std::vector<swav_network_config> configs = {small_network(18, SWAV_STEM_IMAGENET), small_network(34),
                                              small_network(50, SWAV_STEM_IMAGENET, 0)};
  configs[0].channels = 1;
  configs[1].head_count = 3;
  configs[1].prototypes[1] = 5;
  configs[1].prototypes[2] = 9;
  configs.push_back(small_network(18, SWAV_STEM_SMALL, 0));
  configs.back().dim = configs.back().head_count = configs.back().prototypes[0] = 0;
  for (swav_network_config config : configs) {
    CAPTURE(config.depth);
    const Handle original(config);
    write_renamed(original.network, path, same_name, everything);
    Handle opened;
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), &opened.network, &report) == SWAV_OK, swav_error_message());
    CHECK(state_of(opened.network) == state_of(original.network));
    swav_network_info info;
    REQUIRE(swav_network_describe(opened.network, &info) == SWAV_OK);
    if (config.dim == 0) config.hidden = 0;
    CHECK(equal(info.config, config));
    CHECK(report.matched == info.tensor_count);
    CHECK(report.missing == 0);
    CHECK(report.unexpected == 0);
  }
}

TEST_CASE("prefixes are stripped: wrappers anywhere, a common one before the backbone") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  const auto loads = [&](auto rename, int64_t missing) {
    write_renamed(original.network, path, rename, everything);
    const Handle other(small_network(), 2);
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_load(other.network, path.c_str(), &report) == SWAV_OK, swav_error_message());
    CHECK(report.missing == missing);
    CHECK(report.unexpected == 0);
    CHECK(state_of(other.network) == state_of(original.network));
  };
  loads([](const std::string& name) { return "module." + name; }, 0);
  loads([](const std::string& name) { return "backbone." + name; }, 0);
  loads([](const std::string& name) { return "module.encoder." + name; }, 0);
  loads([](const std::string& name) { return is_backbone(name) ? "module.backbone." + name : "module." + name; }, 0);
  loads([](const std::string& name) { return is_backbone(name) ? "a.module.b." + name : "a.b." + name; }, 0);
}

TEST_CASE("a backbone without a head loads and the report says what was missing and unexpected, cut with dots") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1), other(small_network(), 2);
  const State head_before = state_of(other.network);
  write_renamed(
      original.network, path, [](const std::string& name) { return is_backbone(name) ? name : "of_another_kind." + name; },
      everything);
  swav_load_report report;
  REQUIRE_MESSAGE(swav_network_load(other.network, path.c_str(), &report) == SWAV_OK, swav_error_message());
  CHECK(report.missing == 10);
  CHECK(report.unexpected == 10);
  CHECK(std::string(report.missing_names).find("projection_head.0.weight, projection_head.0.bias, ") == 0);
  CHECK(std::string(report.unexpected_names).find("of_another_kind.projection_head.0.bias, ") == 0);
  for (const auto& [name, bytes] : state_of(other.network)) {
    CHECK_MESSAGE((bytes == (is_backbone(name) ? state_of(original.network) : head_before).at(name)), name);
  }
  // More names than fit.
  write_renamed(
      original.network, path, [](const std::string& name) { return is_backbone(name) ? name : std::string(200, 'x') + name; },
      everything);
  REQUIRE(swav_network_load(other.network, path.c_str(), &report) == SWAV_OK);
  const std::string names = report.unexpected_names;
  CHECK(names.size() < sizeof report.unexpected_names);
  CHECK(names.substr(names.size() - 5) == ", ...");
}

TEST_CASE("less than 90 % of the backbone, another shape or another network is refused and nothing is changed") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1), other(small_network(), 2);
  const State before = state_of(other.network);
  // 100 tensors of the backbone that are not counters: 20 convolutions with four of batch-norm. `lost` of them are left out.
  const auto without = [&](int lost) {
    int left = lost;
    write_renamed(original.network, path, same_name, [&](const std::string& name) {
      const bool counter = name.find("tracked") != std::string::npos;
      return !(is_backbone(name) && !counter && name.rfind("layer4", 0) == 0 && left-- > 0);
    });
    return swav_network_load(other.network, path.c_str(), nullptr);
  };
  CHECK(without(11) == SWAV_ERROR_FORMAT);
  CHECK(std::string(swav_error_message())
            .find(" holds 89 of the backbone's 100 tensors, 90 % are needed; missing: layer4.0.conv1.weight") !=
        std::string::npos);
  CHECK(state_of(other.network) == before);
  CHECK(without(10) == SWAV_OK);

  const State changed = state_of(other.network);
  for (const auto& config : {small_network(50), small_network(18, SWAV_STEM_IMAGENET)}) {
    const Handle foreign(config);
    REQUIRE(swav_network_save(foreign.network, path.c_str()) == SWAV_OK);
    CHECK(swav_network_load(other.network, path.c_str(), nullptr) == SWAV_ERROR_FORMAT);
    CHECK(state_of(other.network) == changed);
  }
  CHECK(std::string(swav_error_message()) == path + ": conv1.weight has shape [4, 3, 7, 7], the network expects [4, 3, 3, 3]");
}

TEST_CASE("what the input has to look like travels with the weights") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network());
  swav_input_description input;
  REQUIRE(swav_network_input(original.network, &input) == SWAV_OK);
  CHECK(input.size == 224);
  CHECK(input.std[0] == 0.228f);
  const swav_input_description given{64, {0.1f, 1.0f / 3, 0.3f, 0}, {0.4f, 0.5f, 0.6f, 0}};
  REQUIRE(swav_network_describe_input(original.network, &given) == SWAV_OK);
  REQUIRE(swav_network_save(original.network, path.c_str()) == SWAV_OK);
  Handle opened;
  REQUIRE(swav_network_open(path.c_str(), &opened.network, nullptr) == SWAV_OK);
  REQUIRE(swav_network_input(opened.network, &input) == SWAV_OK);
  CHECK(input.size == 64);
  for (int c = 0; c < 3; ++c) {
    CHECK(input.mean[c] == given.mean[c]);
    CHECK(input.std[c] == given.std[c]);
  }
  swav_input_description wrong = given;
  wrong.std[1] = 0;
  CHECK(swav_network_describe_input(original.network, &wrong) == SWAV_ERROR_ARGUMENT);
  wrong = given;
  wrong.size = 4;
  CHECK(swav_network_describe_input(original.network, &wrong) == SWAV_ERROR_ARGUMENT);
}
