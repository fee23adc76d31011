// Files that torch wrote, in both layouts, and those of other programs: what Tests/Fixtures/make_torch_fixtures.py made loads
// and computes what torch computes; damaged and hostile ones are refused.
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "io/tensor_file.h"
#include "stored_files.h"
#include "temporary_folder.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

const std::string folder = std::string(SWAV_FIXTURES) + "/torch/";
constexpr int32_t side = 32;

// One line of expected.txt.
struct Expected {
  std::string file, prefix, names, architecture, stem, prototypes;
  int32_t hidden = 0, plain = 0, dim = 0;
  int64_t matched = 0, converted = 0, unexpected = 0;
  std::vector<double> outputs[3];  // by swav_output
};

std::vector<Expected> read_expected() {
  std::ifstream file(folder + "expected.txt");
  std::vector<Expected> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("#", 0) == 0) continue;
    std::vector<std::string> fields;
    std::stringstream parts(line);
    for (std::string field; std::getline(parts, field, '|');) {
      const size_t begin = field.find_first_not_of(' '), end = field.find_last_not_of(' ');
      fields.push_back(begin == std::string::npos ? "" : field.substr(begin, end - begin + 1));
    }
    fields.resize(8);
    Expected row;
    row.file = fields[0];
    row.prefix = fields[1] == "-" ? "" : fields[1];
    row.names = fields[2];
    std::stringstream(fields[3]) >> row.architecture >> row.stem >> row.hidden >> row.plain >> row.dim >> row.prototypes;
    std::stringstream(fields[4]) >> row.matched >> row.converted >> row.unexpected;
    for (int output = 0; output < 3; ++output) {
      std::stringstream numbers(fields[size_t(5 + output)]);
      for (double number; numbers >> number;) row.outputs[output].push_back(number);
    }
    rows.push_back(row);
  }
  return rows;
}

Floats image() {
  Floats pixels(side * side * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = float(double(i * 7919 % 251) / 251 - 0.5);
  return pixels;
}

std::string text_of(const swav_network_config& c) {
  std::stringstream text;
  text << architecture_name(c) << (c.stem == SWAV_STEM_SMALL ? " small " : " imagenet ") << c.hidden << " " << int(c.plain_head)
       << " " << c.dim << " ";
  for (int32_t h = 0; h < c.head_count; ++h) text << (h ? "+" : "") << c.prototypes[h];
  if (c.head_count == 0) text << "-";
  return text.str();
}

}  // namespace

TEST_CASE("files of torch, both layouts, and of other programs load and compute what torch computes") {
  const std::vector<Expected> rows = read_expected();
  REQUIRE(rows.size() >= 19);
  for (const Expected& row : rows) {
    CAPTURE(row.file);
    // Chosen by its prefix where the file holds two encoders; in the others a prefix changes nothing.
    const swav_load_options options{row.prefix.empty() ? nullptr : row.prefix.c_str(), false, false};
    Handle opened;
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_open((folder + row.file).c_str(), &options, &opened.network, &report) == SWAV_OK,
                    swav_error_message());
    CHECK(text_of(opened.config()) == row.architecture + " " + row.stem + " " + std::to_string(row.hidden) + " " +
                                          std::to_string(row.plain) + " " + std::to_string(row.dim) + " " + row.prototypes);
    CHECK(std::string(report.prefix) == row.prefix);
    CHECK(std::string(report.names) == row.names);
    CHECK(report.guessed);
    CHECK(report.matched == row.matched);
    CHECK(report.converted == row.converted);
    CHECK(report.unexpected == row.unexpected);
    CHECK(report.missing == 0);
    for (int output = 0; output < 3; ++output) {
      const std::vector<double>& expected = row.outputs[output];
      if (expected.empty()) continue;
      Floats result(expected.size());
      REQUIRE_MESSAGE(
          swav_network_embed(opened.network, swav_output(output), image().data(), 1, side, side, result.data()) == SWAV_OK,
          swav_error_message());
      // Some 50 products of a few dozen terms one after the other, each rounded to 24 bits.
      double error = 0, norm = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        error += std::pow(double(result[i]) - expected[i], 2);
        norm += expected[i] * expected[i];
      }
      CHECK(std::sqrt(error / norm) <= 1e-5);
    }
  }
}

TEST_CASE("values are those that torch stored, whatever the strides, offsets and types: 16, 32 and 64 bits, integers, views") {
  // Both files and the flat published one hold the same kind of values on a grid of 1/64.
  for (const char* name : {"layouts_zip.pth", "layouts_stream.pth"}) {
    const TensorFile file(folder + name);
    int strided = 0, types = 0;
    for (const StoredTensor& tensor : file.tensors()) {
      std::vector<double> wide(static_cast<size_t>(tensor.count()));
      Floats narrow(wide.size());
      file.read(tensor, wide.data());
      file.read(tensor, narrow.data());
      for (size_t i = 0; i < wide.size(); ++i) {
        CHECK(double(narrow[i]) == wide[i]);
        CHECK(wide[i] * 64 == std::round(wide[i] * 64));
      }
      strided += tensor.strides != dense_strides(tensor.shape) && tensor.count() > 1;
      types |= 1 << int(tensor.type);
    }
    CHECK(strided > 30);
    for (DataType type : {DataType::f16, DataType::bf16, DataType::f32, DataType::f64, DataType::i64, DataType::i32}) {
      CHECK((types & 1 << int(type)) != 0);
    }
  }
}

TEST_CASE("a file with two encoders asks for a prefix, and knows it by a part") {
  CHECK(open_message(folder + "moco_zip.pth.tar", SWAV_ERROR_ARGUMENT) ==
        " holds 2 encoders, under 'state_dict.encoder_k.' and 'state_dict.encoder_q.'; choose one by its prefix");
  CHECK(open_message(folder + "student_teacher_zip.pth", SWAV_ERROR_ARGUMENT) ==
        " holds 2 encoders, under 'student.backbone.' and 'teacher.backbone.'; choose one by its prefix");
  const swav_load_options options{"encoder_q", false, false};
  Handle opened;
  CHECK(swav_network_open((folder + "moco_zip.pth.tar").c_str(), &options, &opened.network, nullptr) == SWAV_OK);
}

TEST_CASE("nothing is executed: a name that is not in the fixed set is refused and named, in both layouts") {
  for (const char* name : {"attack_zip.pth", "attack_stream.pth"}) {
    CHECK(open_message(folder + name, SWAV_ERROR_UNSUPPORTED)
              .find(" holds an object of Python, posix.system, which is not among those") == 0);
    CHECK(std::string(swav_error_message()).find("weights_only=False)['state_dict'], 'weights.pth')") != std::string::npos);
  }
  CHECK(
      open_message(folder + "module_zip.pth", SWAV_ERROR_UNSUPPORTED)
          .find("here: save the state_dict alone, in Python: torch.save(torch.load(FILE, weights_only=False).state_dict(), ") !=
      std::string::npos);
  CHECK(!std::filesystem::exists("swav-was-executed"));
}

TEST_CASE("what is no file of weights is refused for its reason") {
  const TemporaryFolder temporary;
  const std::string path = temporary / "file";
  const auto bytes = [&](const std::string& content) {
    write_bytes(path, content);
    return open_message(path, SWAV_ERROR_FORMAT);
  };
  CHECK(open_message(folder + "no_tensor_zip.pth", SWAV_ERROR_FORMAT) == " is a PyTorch file without a tensor");
  CHECK(open_message(folder + "plain_pickle.pkl", SWAV_ERROR_FORMAT) == " is a pickle, but none that PyTorch wrote");
  CHECK(open_message(folder + "numpy.npz", SWAV_ERROR_FORMAT) ==
        " is a zip archive, but none of PyTorch's: it holds no data.pkl");
  CHECK(open_message(folder + "compressed_zip.pth", SWAV_ERROR_UNSUPPORTED)
            .find(" is compressed; PyTorch stores without compression") != std::string::npos);
  CHECK(open_message(folder + "torchscript.pt", SWAV_ERROR_UNSUPPORTED).find(" is a TorchScript program; save its weights") ==
        0);
  CHECK(open_message(folder + "wide.safetensors", SWAV_ERROR_UNSUPPORTED) ==
        " holds a ResNet with grouped convolutions (as ResNeXt has); those of torchvision without any of this are known");
  CHECK(open_message(folder + "deep.safetensors", SWAV_ERROR_UNSUPPORTED) ==
        " holds a ResNet of another depth than 18, 34 and 50: stages of 3, 4, 23, 3 bottleneck blocks (ResNet-101)");
  CHECK(bytes("") == " holds no weights: it is empty");
  CHECK(bytes("version https://git-lfs.github.com/spec/v1\n") ==
        " holds no weights: it is a pointer of Git LFS; fetch the file itself with git lfs pull");
  CHECK(bytes("<!DOCTYPE html><html>") == " holds no weights: it looks like a web page; the download went wrong");
  CHECK(bytes("\x1f\x8b\x08 and so on") == " holds no weights: it is compressed with gzip; unpack it first");
  CHECK(bytes("PK\x03\x04 and no more") ==
        " is damaged: it begins as a zip archive, but has no directory at its end; it was cut short");
  CHECK(bytes("{\"weight_map\": 3}") == " is no index of weights: it is not JSON with a weight_map");
  CHECK(bytes("{\"weight_map\": {\"a\": \"../other\"}}") ==
        ": tensor a is said to be in '../other'; the name of a file in the same folder is needed");
  write_bytes(temporary / "part", read_bytes(folder + "timm.safetensors"));
  CHECK(bytes("{\"weight_map\": {\"nothing\": \"part\"}}") == ": tensor nothing is not in part");
}

TEST_CASE("a torch file cut anywhere is refused, and so is a stream with a byte too many") {
  const TemporaryFolder temporary;
  const std::string path = temporary / "cut";
  for (const char* name : {"torchvision_stream.pth", "lightly_named_zip.pth"}) {
    CAPTURE(name);
    const std::string bytes = read_bytes(folder + name);
    for (size_t length : {size_t(1), size_t(2), size_t(20), size_t(60), bytes.size() / 3, bytes.size() / 2, bytes.size() - 100,
                          bytes.size() - 1}) {
      CAPTURE(length);
      write_bytes(path, bytes.substr(0, length));
      swav_network* network = nullptr;
      CHECK(swav_network_open(path.c_str(), nullptr, &network, nullptr) == SWAV_ERROR_FORMAT);
    }
    write_bytes(path, bytes + "x");
    const std::string message = open_message(path, SWAV_ERROR_FORMAT);
    CHECK((message == " is longer than its contents: 1 bytes follow the last storage" ||
           message == " is damaged: it begins as a zip archive, but has no directory at its end; it was cut short"));
  }
}

TEST_CASE("a file of tensors tells what is in it, and what it would load as, without loading") {
  swav_tensor_file* file = nullptr;
  REQUIRE(swav_tensor_file_open((folder + "layouts_zip.pth").c_str(), &file) == SWAV_OK);
  swav_tensor_file_info info;
  REQUIRE(swav_tensor_file_describe(file, &info) == SWAV_OK);
  CHECK(std::string(info.format) == "PyTorch's zip archive");
  CHECK(info.tensor_count == 130);
  CHECK(info.metadata_count == 0);
  swav_stored_tensor tensor;
  std::string previous;
  for (int64_t i = 0; i < info.tensor_count; ++i) {
    REQUIRE(swav_tensor_file_tensor(file, i, &tensor) == SWAV_OK);
    CHECK(previous < tensor.name);
    previous = tensor.name;
    CHECK(tensor.has_values);
    CHECK(tensor.non_finite == 0);
    CHECK(tensor.smallest <= tensor.mean);
    CHECK(tensor.mean <= tensor.largest);
    CHECK(tensor.std <= tensor.largest - tensor.smallest);
  }
  CHECK(swav_tensor_file_tensor(file, info.tensor_count, &tensor) == SWAV_ERROR_ARGUMENT);
  swav_network_config config;
  swav_load_report report;
  REQUIRE(swav_tensor_file_recognize(file, nullptr, &config, &report) == SWAV_OK);
  CHECK(config.depth == 18);
  CHECK(report.matched == 130);
  swav_tensor_file_close(file);

  REQUIRE(swav_tensor_file_open((folder + "moco_zip.pth.tar").c_str(), &file) == SWAV_OK);
  CHECK(swav_tensor_file_recognize(file, nullptr, &config, &report) == SWAV_ERROR_ARGUMENT);
  const swav_load_options options{"encoder_k", false, false};
  CHECK(swav_tensor_file_recognize(file, &options, &config, &report) == SWAV_OK);
  CHECK(report.unexpected == 126);
  swav_tensor_file_close(file);
  swav_tensor_file_close(nullptr);

  const TemporaryFolder temporary;
  const std::string path = temporary / "values";
  const float values[] = {1, 2, NAN, 5, INFINITY, 0};
  write_safetensors(path, {{"a", DataType::f32, {2, 3}, values}}, {{"key", "value"}});
  REQUIRE(swav_tensor_file_open(path.c_str(), &file) == SWAV_OK);
  REQUIRE(swav_tensor_file_tensor(file, 0, &tensor) == SWAV_OK);
  CHECK(std::string(tensor.type) == "F32");
  CHECK(tensor.rank == 2);
  CHECK(tensor.shape[1] == 3);
  CHECK(tensor.non_finite == 2);
  CHECK(tensor.smallest == 0);
  CHECK(tensor.largest == 5);
  CHECK(tensor.mean == 2);
  CHECK(tensor.std == std::sqrt((1.0 + 0 + 9 + 4) / 4));
  const char *key = nullptr, *value = nullptr;
  REQUIRE(swav_tensor_file_metadata(file, 0, &key, &value) == SWAV_OK);
  CHECK(std::string(key) + "=" + value == "key=value");
  CHECK(swav_tensor_file_metadata(file, 1, &key, &value) == SWAV_ERROR_ARGUMENT);
  swav_tensor_file_close(file);
}
