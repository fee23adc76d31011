// The safetensors format byte for byte, number types, and what is refused.
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <cstring>
#include <limits>

#include "io/safetensors.h"
#include "io/shallow_json.h"
#include "io/tensor_file.h"
#include "stored_files.h"
#include "temporary_folder.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

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

  const TensorFile file(path);
  CHECK(file.metadata().at("k") == "v\n");
  REQUIRE(file.find("z") != nullptr);
  CHECK(file.find("z")->shape == std::vector<int64_t>{2, 3});
  CHECK(file.find("y") == nullptr);
  float values[6];
  int64_t counter = 0;
  file.read(*file.find("z"), values);
  file.read(*file.find("b"), &counter);
  CHECK(std::memcmp(values, a, sizeof a) == 0);
  CHECK(counter == 7);
}

TEST_CASE("text of a million levels is no JSON of ours, wherever a file has it") {
  const TemporaryFolder folder;
  const std::string levels(1000000, '['), ends(1000000, ']');
  CHECK(parse_shallow(levels + ends).is_discarded());
  CHECK(parse_shallow("{\"a\":" + levels + ends + "}").is_discarded());
  CHECK(parse_shallow("[[[[[[[[1]]]]]]]]").is_array());
  CHECK(parse_shallow("{\"a\"").is_discarded());
  const float value = 1;
  const std::string path = folder / "deep.safetensors", deep = "{\"network\":{\"stem\":" + std::string(20000, '[');
  write_safetensors(path, {{"a", DataType::f32, {}, &value}}, {{"swav", deep + std::string(20000, ']') + "}}"}});
  swav_network* network = nullptr;
  CHECK(swav_network_open(path.c_str(), nullptr, &network, nullptr) == SWAV_ERROR_FORMAT);
}

TEST_CASE("every half is read as the number it stands for; every bfloat16, float64 and integers too") {
  const TemporaryFolder folder;
  const std::string path = folder / "types.safetensors";
  std::vector<uint16_t> all;
  for (int i = 0; i < 65536; ++i) all.push_back(uint16_t(i));
  const std::vector<double> wide = {1.0 / 3, -2.5, 1e-40, 1e39, -0.0};
  write_bytes(path, file_of("{\"h\":{\"dtype\":\"F16\",\"shape\":[65536],\"data_offsets\":[0,131072]},"
                            "\"b\":{\"dtype\":\"BF16\",\"shape\":[65536],\"data_offsets\":[131072,262144]},"
                            "\"d\":{\"dtype\":\"F64\",\"shape\":[5],\"data_offsets\":[262144,262184]}}",
                            bytes_of(all) + bytes_of(all) + bytes_of(wide)));
  const TensorFile file(path);
  Floats half(65536), bfloat(65536), narrow(5);
  file.read(*file.find("h"), half.data());
  file.read(*file.find("b"), bfloat.data());
  file.read(*file.find("d"), narrow.data());
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
    CHECK(swav_network_open(path.c_str(), nullptr, &network, nullptr) == SWAV_ERROR_FORMAT);
    const std::string message = swav_error_message();
    CHECK(message.find(path) != std::string::npos);
    return message.substr(std::min(message.size(), message.find(path) + path.size()));
  };
  const auto entry = [&](const char* row) { return reason(file_of("{\"t\":" + std::string(row) + "}", std::string(8, 'x'))); };
  CHECK(reason("") == " holds no weights: it is empty");
  CHECK(reason("\x89PNG\r\n\x1a\n and more bytes").find(" is neither a safetensors file, as its header would be ") == 0);
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
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":{}}") ==
        ": tensor t: its header entry is damaged");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[[2]],\"data_offsets\":[0,8]}") == ": tensor t: its header entry is damaged");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}") ==
        " is longer than its header says: 4 bytes follow the last tensor");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}") == ": tensor t: there is a gap before its data");
  CHECK(reason(file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                       "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                       "12345678")) == ": tensor b: its data is that of another tensor as well");
  CHECK(reason(file_of("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                       "\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
                       std::string(16, 'x'))) == " holds tensor t twice");
  CHECK(entry("7") == ": tensor t: its header entry is damaged");
  CHECK(entry("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}") ==
        " holds no ResNet: its 1 tensors have no names as conv1.weight and layer1.0.conv1.weight");
}

TEST_CASE("numbers that lie apart in a large file are those at their places, whatever the order of their axes") {
  const TemporaryFolder folder;
  const std::string path = folder / "large.safetensors";
  constexpr int64_t count = int64_t{5} << 20;  // 20 MiB: more than is read at once
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) values[size_t(i)] = float(i);
  write_safetensors(path, {{"all", DataType::f32, {count}, values.data()}}, {});
  const TensorFile file(path);
  StoredTensor view = *file.find("all");
  const int64_t offset = view.offset;
  const auto check = [&](const std::vector<int64_t>& shape, const std::vector<int64_t>& strides, int64_t first) {
    CAPTURE(shape.size());
    CAPTURE(strides[0]);
    view.shape = shape, view.strides = strides, view.offset = offset + 4 * first;
    std::vector<float> found(static_cast<size_t>(view.count()), -1);
    std::vector<double> wide(found.size(), -1);
    file.read(view, found.data());
    file.read(view, wide.data());
    std::vector<int64_t> at(shape.size(), 0);
    int64_t wrong = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      int64_t place = first;
      for (size_t d = 0; d < shape.size(); ++d) place += at[d] * strides[d];
      wrong += found[i] != float(place) || wide[i] != double(place);
      for (size_t d = shape.size(); d-- > 0 && ++at[d] == shape[d];) at[d] = 0;
    }
    CHECK(wrong == 0);
  };
  check({1024, 5120}, {1, 1024}, 0);  // transposed
  check({2, 2621440}, {1, 2}, 0);
  check({2621440, 2}, {1, 2621440}, 0);  // the other way round
  check({16, 64, 5120}, {64, 1, 1024}, 0);
  check({5, 1024, 1024}, {1, 5 * 1024, 5}, 0);
  check({4, 1048576}, {1048576 + 7, 1}, 3);  // rows with gaps
  check({1024, 1, 4096}, {1, 77, 1024}, 1024);
  check({3, 1048576}, {0, 5}, 2);  // one row three times
  check({100000}, {52}, 9);
  // A span of nearly all that is read at once for each of a thousand rows: thousands of times what the file has.
  view.shape = {1000, 4195}, view.strides = {1001, 1000}, view.offset = offset;
  std::vector<float> found(static_cast<size_t>(view.count()));
  CHECK_THROWS_WITH_AS(file.read(view, found.data()), doctest::Contains("would be read more than 16 times"), Error);
}

TEST_CASE("what others put beside a file under the name of what is written aside is not written to") {
  const TemporaryFolder folder;
  const std::string path = folder / "w.safetensors", victim = folder / "victim";
  const float value = 1;
  std::ofstream(victim) << "a";
  const auto written = [&] {
    write_safetensors(path, {{"a", DataType::f32, {1}, &value}}, {});
    struct stat status;
    return lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && TensorFile(path).find("a") != nullptr;
  };
  REQUIRE(symlink(victim.c_str(), (path + ".partial").c_str()) == 0);
  CHECK(written());
  CHECK(read_bytes(victim) == "a");
  unlink((path + ".partial").c_str());
  REQUIRE(mkfifo((path + ".partial").c_str(), 0600) == 0);
  CHECK(written());  // it would be waited for
}
