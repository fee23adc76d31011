// Networks in files: what a file declares or what is guessed of it, names with prefixes.
#include <cmath>
#include <cstring>
#include <limits>

#include "stored_files.h"
#include "temporary_folder.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

bool equal(const swav_network_config& a, const swav_network_config& b) {
  return a.depth == b.depth && a.width == b.width && a.base_width == b.base_width && a.stem == b.stem &&
         a.channels == b.channels && a.hidden == b.hidden && a.dim == b.dim && a.head_count == b.head_count &&
         a.plain_head == b.plain_head && std::memcmp(a.prototypes, b.prototypes, sizeof a.prototypes) == 0;
}

}  // namespace

TEST_CASE("equal networks are equal files, wherever and how often they are written") {
  const TemporaryFolder folder;
  const Handle a(small_network(), 3), b(small_network(), 3);
  for (const auto& [handle, name] : {std::pair{&a, "a"}, std::pair{&a, "a again"}, std::pair{&b, "b"}}) {
    REQUIRE(swav_network_save(handle->network, (folder / name).c_str()) == SWAV_OK);
  }
  CHECK(read_bytes(folder / "a") == read_bytes(folder / "a again"));
  CHECK(read_bytes(folder / "a") == read_bytes(folder / "b"));
  CHECK(read_bytes(folder / "a").find("resnet18b4") != std::string::npos);
  const std::string before = read_bytes(folder / "a");
  REQUIRE(swav_network_save(a.network, (folder / "a").c_str()) == SWAV_OK);  // over itself
  CHECK(read_bytes(folder / "a") == before);
}

TEST_CASE("a small file that claims a huge network is refused without the memory of one") {
  const TemporaryFolder folder;
  const std::string path = folder / "bomb";
  // The marks of a ResNet-50 of width 16, whose tensors would take 24 GB.
  std::vector<FileTensor> tensors = {{"conv1.weight", DataType::f32, {1024, 3, 7, 7}, std::string(602112, 'x')},
                                     {"layer1.0.conv3.weight", DataType::f32, {1}, "1234"}};
  const int blocks[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    for (int i = 0; i < blocks[stage]; ++i) {
      const std::string name = "layer" + std::to_string(stage + 1) + "." + std::to_string(i) + ".conv1.weight";
      tensors.push_back({name, DataType::f32, {1}, "1234"});
    }
  }
  write_file(path, tensors);
  CHECK(open_message(path, SWAV_ERROR_UNSUPPORTED) ==
        " holds no network that this build knows: base_width is 1024; 1 to 512 is allowed");
  tensors[0] = {"conv1.weight", DataType::f32, {512, 3, 7, 7}, std::string(301056, 'x')};
  write_file(path, tensors);
  CHECK(open_message(path, SWAV_ERROR_FORMAT) ==
        ": layer1.0.conv1.weight has shape [1], the resnet50b512 that the file seems to hold has [512, 512, 1, 1]");
  // One that is less of a network.
  tensors.resize(2);
  write_file(path, tensors);
  CHECK(open_message(path, SWAV_ERROR_FORMAT) ==
        " holds no ResNet: its 2 tensors have no names as conv1.weight and layer1.0.conv1.weight");
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
  configs.push_back(small_network(50));
  configs.back().plain_head = true;
  for (swav_network_config config : configs) {
    CAPTURE(config.depth);
    const Handle original(config);
    write_renamed(original, path, same_name, everything);
    Handle opened;
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
    CHECK(state_of(opened.network) == state_of(original.network));
    swav_network_info info;
    REQUIRE(swav_network_describe(opened.network, &info) == SWAV_OK);
    if (config.dim == 0) config.hidden = 0;
    CHECK(equal(info.config, config));
    CHECK(report.matched == info.tensor_count);
    CHECK(report.missing == 0);
    CHECK(report.unexpected == 0);
    CHECK(report.converted == 0);
    CHECK(report.guessed);
    CHECK(std::string(report.summary) == std::string(report.architecture) +
                                             ", guessed from names and shapes (safetensors, names of " +
                                             "torchvision): " + std::to_string(info.tensor_count) + " tensors matched");
  }
}

TEST_CASE("a network reopens as what it was: metadata says width and base width, which shapes cannot tell apart") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  struct Row {
    int32_t depth, width, base_width;
    const char* name;
  };
  for (const Row& row : {Row{18, 1, 128, "resnet18b128"}, Row{18, 2, 4, "resnet18w2b4"}, Row{18, 4, 4, "resnet18w4b4"},
                         Row{18, 1, 16, "resnet18b16"}, Row{34, 2, 8, "resnet34w2b8"}, Row{50, 3, 2, "resnet50w3b2"}}) {
    CAPTURE(row.name);
    swav_network_config config = small_network(row.depth, SWAV_STEM_IMAGENET);
    config.width = row.width;
    config.base_width = row.base_width;
    config.plain_head = row.width == 2;
    const Handle original(config);
    REQUIRE(swav_network_save(original.network, path.c_str()) == SWAV_OK);
    Handle opened;
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
    CHECK(equal(opened.config(), config));
    CHECK(!report.guessed);
    CHECK(std::string(report.architecture) == row.name);
    CHECK(std::string(report.summary).find(std::string(row.name) + ", as its metadata says (safetensors, ") == 0);
    if (row.base_width == 128) continue;  // 180 MB: once is enough
    CHECK(state_of(opened.network) == state_of(original.network));
    // Without metadata the same shapes are the published network, or one of another base width, and the report says so.
    write_renamed(original, path, same_name, everything);
    Handle guessed;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &guessed.network, &report) == SWAV_OK, swav_error_message());
    CHECK(report.guessed);
    CHECK(guessed.config().width * guessed.config().base_width == row.width * row.base_width);
    CHECK(guessed.config().width == 1);
    CHECK(state_of(guessed.network) == state_of(original.network));
  }
}

TEST_CASE("a file of format 1, which named architecture, stem and input, opens by them") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  swav_network_config config = small_network(18, SWAV_STEM_IMAGENET);
  config.width = 2;
  config.base_width = 3;
  config.head_count = 2;
  config.prototypes[1] = 7;
  const Handle original(config);
  std::map<std::string, std::string> metadata = {{"architecture", "resnet18w2b3"},
                                                 {"stem", "imagenet"},
                                                 {"input_size", "40"},
                                                 {"mean", "0.100000001 0.200000003 0.300000012"},
                                                 {"std", "0.400000006 0.5 0.600000024"}};
  write_file(path, tensors_of(original), metadata);
  Handle opened;
  swav_load_report report;
  REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
  CHECK(equal(opened.config(), config));
  CHECK(!report.guessed);
  swav_input_description input;
  REQUIRE(swav_network_input(opened.network, &input) == SWAV_OK);
  CHECK(input.size == 40);
  CHECK(input.mean[0] == 0.1f);
  CHECK(input.std[2] == 0.6f);
  // Without a stem the shapes say what the network is; the input is still what the file says.
  metadata.erase("stem");
  write_file(path, tensors_of(Handle(small_network(18, SWAV_STEM_IMAGENET))), metadata);
  Handle guessed;
  REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &guessed.network, &report) == SWAV_OK, swav_error_message());
  CHECK(report.guessed);
  REQUIRE(swav_network_input(guessed.network, &input) == SWAV_OK);
  CHECK(input.size == 40);
  CHECK(input.mean[0] == 0.1f);
  // Files of others have texts of these names too, which describe nothing here.
  metadata["mean"] = "[0.485, 0.456, 0.406]";
  metadata["input_size"] = "[3, 224, 224]";
  write_file(path, tensors_of(Handle(small_network(18, SWAV_STEM_IMAGENET))), metadata);
  Handle foreign;
  REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &foreign.network, &report) == SWAV_OK, swav_error_message());
  REQUIRE(swav_network_input(foreign.network, &input) == SWAV_OK);
  CHECK(input.size == 224);
  // The file that the engine wrote before format 2.
  const std::string old = std::string(SWAV_FIXTURES) + "/checkpoints/weights_format1.safetensors";
  Handle committed;
  REQUIRE_MESSAGE(swav_network_open(old.c_str(), nullptr, &committed.network, &report) == SWAV_OK, swav_error_message());
  CHECK(std::string(report.summary) ==
        "resnet18b2, as its metadata says (safetensors, names of torchvision): 123 tensors matched");
  CHECK(committed.config().hidden == 0);
  CHECK(committed.config().dim == 4);
}

TEST_CASE("metadata that is damaged, of a later version or gives impossible numbers is refused, not guessed around") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network());
  const auto message = [&](const std::string& key, const std::string& value, swav_status status = SWAV_ERROR_FORMAT) {
    std::map<std::string, std::string> metadata = {{"architecture", "resnet18b4"}, {"stem", "small"}};
    metadata[key] = value;
    write_file(path, tensors_of(original), metadata);
    return open_message(path, status);
  };
  const std::string good =
      "{\"format\":2,\"network\":{\"depth\":18,\"width\":1,\"base_width\":4,\"stem\":\"small\",\"channels\":3,\"hidden\":16,"
      "\"dim\":8,\"prototypes\":[12]},\"input\":{\"size\":32,\"mean\":[0.5],\"std\":[0.5,0.5,0.5]}}";
  const auto with = [&](const std::string& from, const std::string& to, swav_status status = SWAV_ERROR_FORMAT) {
    std::string text = good;
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
    return message("swav", text, status);
  };
  CHECK(message("mean", "0.5 nan 0.5") == ": its metadata gives a mean that is not finite for channel 1");
  CHECK(message("mean", "0.5 0.5 inf") == ": its metadata gives a mean that is not finite for channel 2");
  CHECK(message("std", "0 0.5 0.5") ==
        ": its metadata gives a standard deviation for channel 0 that is 0; a positive number is needed");
  CHECK(message("std", "0.5 -1 0.5") ==
        ": its metadata gives a standard deviation for channel 1 that is negative; a positive number is needed");
  CHECK(message("std", "0.5 0.5 inf") ==
        ": its metadata gives a standard deviation for channel 2 that is not finite; a positive number is needed");
  CHECK(message("input_size", "4") == ": its metadata gives an input size of 4; 8 to 16384 is allowed");
  CHECK(message("swav", "[") == ": its metadata is damaged: the description of the network is not JSON");
  CHECK(with("\"format\":2", "\"format\":3", SWAV_ERROR_UNSUPPORTED) ==
        " was written by a later version: its metadata has format 3, 2 is the newest known here");
  CHECK(with("\"format\":2", "\"format\":1") == ": its metadata is damaged: its format is no number from 2 on");
  CHECK(with("\"depth\":18", "\"depth\":19") == ": its metadata is damaged: depth is 19; 18, 34 and 50 are known");
  CHECK(with("\"depth\":18", "\"depth\":1e99") == ": its metadata is damaged: depth is no integer");
  CHECK(with("\"depth\":18", "\"depth\":99999999999") == ": its metadata is damaged: depth is too large");
  CHECK(with("\"stem\":\"small\"", "\"stem\":\"x\"") == ": its metadata is damaged: stem is 'x'; imagenet or small is known");
  CHECK(with("[12]", "[12,1]") == ": its metadata is damaged: prototypes[1] is 1; 2 to 1048576 is allowed");
  CHECK(with("\"mean\":[0.5]", "\"mean\":[1e99]") == ": its metadata gives a mean that is not finite for channel 0");
  CHECK(with("[0.5,0.5,0.5]", "[0.5,0,0.5]") ==
        ": its metadata gives a standard deviation for channel 1 that is 0; a positive number is needed");
  CHECK(with("\"base_width\":4", "\"base_width\":8") ==
        ": conv1.weight has shape [4, 3, 3, 3], the resnet18b8 that the file seems to hold has [8, 3, 3, 3]");
  // What the caller gives is checked alike.
  for (const float wrong : {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const swav_input_description std{64, {0, 0, 0, 0}, {1, wrong, 1, 1}}, mean{64, {0, wrong, 0, 0}, {1, 1, 1, 1}};
    CHECK(swav_network_describe_input(original.network, &std) == SWAV_ERROR_ARGUMENT);
    CHECK(swav_network_describe_input(original.network, &mean) == (std::isfinite(wrong) ? SWAV_OK : SWAV_ERROR_ARGUMENT));
  }
}

TEST_CASE("prefixes are stripped: wrappers anywhere, a common one before the backbone") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  const auto loads = [&](auto rename, int64_t missing) {
    write_renamed(original, path, rename, everything);
    const Handle other(small_network(), 2);
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_load(other.network, path.c_str(), nullptr, &report) == SWAV_OK, swav_error_message());
    CHECK(report.missing == missing);
    CHECK(report.unexpected == 0);
    CHECK(state_of(other.network) == state_of(original.network));
  };
  loads([](const std::string& name) { return "module." + name; }, 0);
  for (const char* wrapper : {"_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."}) {
    loads([&](const std::string& name) { return wrapper + name; }, 0);
    loads(
        [&](const std::string& name) { return name.rfind("layer1.", 0) == 0 ? "layer1." + (wrapper + name.substr(7)) : name; },
        0);
  }
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
      original, path, [](const std::string& name) { return is_backbone(name) ? name : "of_another_kind." + name; }, everything);
  swav_load_report report;
  REQUIRE_MESSAGE(swav_network_load(other.network, path.c_str(), nullptr, &report) == SWAV_OK, swav_error_message());
  CHECK(report.missing == 9);  // its counter is not missed
  CHECK(report.unexpected == 10);
  CHECK(std::string(report.missing_names).find("projection_head.0.weight, projection_head.0.bias, ") == 0);
  CHECK(std::string(report.unexpected_names).find("of_another_kind.projection_head.0.bias, ") == 0);
  for (const auto& [name, bytes] : state_of(other.network)) {
    CHECK_MESSAGE((bytes == (is_backbone(name) ? state_of(original.network) : head_before).at(name)), name);
  }
  // More names than fit.
  write_renamed(
      original, path, [](const std::string& name) { return is_backbone(name) ? name : std::string(200, 'x') + name; },
      everything);
  REQUIRE(swav_network_load(other.network, path.c_str(), nullptr, &report) == SWAV_OK);
  const std::string names = report.unexpected_names;
  CHECK(names.size() < sizeof report.unexpected_names);
  CHECK(names.substr(names.size() - 5) == ", ...");
}

TEST_CASE("a backbone with more in it is refused naming the part; a head of another method is left out, and its tensors told") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle original(small_network(), 1);
  const auto with = [&](const std::string& name) {
    std::vector<FileTensor> tensors = tensors_of(original);
    tensors.push_back({name, DataType::f32, {1}, "1234"});
    write_file(path, tensors);
  };
  for (const char* name : {"layer1.0.se.fc1.weight", "layer2.0.conv1.bias", "conv1.bias"}) {
    with(name);
    const std::string text = std::string(" holds a ResNet with parts that a resnet18b4 has not: ") + name;
    CHECK(open_message(path, SWAV_ERROR_UNSUPPORTED) == text);
    const Handle other(small_network(), 2);
    const State before = state_of(other.network);
    CHECK(swav_network_load(other.network, path.c_str(), nullptr, nullptr) == SWAV_ERROR_UNSUPPORTED);
    CHECK(std::string(swav_error_message()) == path + text);
    CHECK(state_of(other.network) == before);
  }
  // Momentum is told by nobody.
  with("classy_state_dict.optimizer.optim.state.0.momentum_buffer");
  {
    const Handle other(small_network(), 2);
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_load(other.network, path.c_str(), nullptr, &report) == SWAV_OK, swav_error_message());
    CHECK(report.unexpected == 0);
  }
  with("projection_head.6.weight");
  Handle opened;
  swav_load_report report;
  REQUIRE_MESSAGE(swav_network_open(path.c_str(), nullptr, &opened.network, &report) == SWAV_OK, swav_error_message());
  CHECK(opened.config().dim == 0);
  CHECK(std::string(report.unexpected_names).find("projection_head.6.weight") != std::string::npos);
}

TEST_CASE("two encoders in one file are refused naming both prefixes; a prefix, or a part of it, chooses one") {
  const TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  const Handle student(small_network(), 1), teacher(small_network(), 2);
  std::vector<FileTensor> tensors;
  for (const auto& [handle, prefix] : {std::pair{&student, "student.module."}, std::pair{&teacher, "teacher."}}) {
    for (FileTensor& t : tensors_of(*handle)) {
      t.name = prefix + std::string(is_backbone(t.name) ? "backbone." : "") + t.name;
      tensors.push_back(std::move(t));
    }
  }
  write_file(path, tensors);
  CHECK(open_message(path, SWAV_ERROR_ARGUMENT) ==
        " holds 2 encoders, under 'student.backbone.' and 'teacher.backbone.'; choose one by its prefix");
  const auto opens = [&](const char* prefix, const Handle& expected) {
    const swav_load_options options{prefix, false, false};
    Handle opened;
    swav_load_report report;
    REQUIRE_MESSAGE(swav_network_open(path.c_str(), &options, &opened.network, &report) == SWAV_OK, swav_error_message());
    CHECK(state_of(opened.network) == state_of(expected.network));  // head and prototypes are those of the same one
    CHECK(report.unexpected == 130);
  };
  opens("teacher", teacher);
  opens("teacher.backbone.", teacher);
  opens("student", student);
  opens("student.backbone", student);
  const swav_load_options both{"backbone", false, false}, none{"encoder_q", false, false};
  CHECK(open_message(path, SWAV_ERROR_ARGUMENT, &both).find("holds 2 encoders") != std::string::npos);
  CHECK(open_message(path, SWAV_ERROR_ARGUMENT, &none) ==
        " holds no encoder under the prefix 'encoder_q'; there is one under 'student.backbone.' and 'teacher.backbone.'");
  // One under no prefix at all.
  for (FileTensor& t : tensors) {
    if (t.name.rfind("teacher.backbone.", 0) == 0) t.name = t.name.substr(17);
  }
  write_file(path, tensors);
  CHECK(open_message(path, SWAV_ERROR_ARGUMENT) ==
        " holds 2 encoders, under '.' (no prefix) and 'student.backbone.'; choose one by its prefix");
  write_file(path, [&] {
    std::vector<FileTensor> plain = tensors;
    for (FileTensor& t : plain) {
      if (t.name.rfind("teacher.", 0) == 0) t.name = t.name.substr(8);
    }
    return plain;
  }());
  opens(".", teacher);
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
  REQUIRE(swav_network_open(path.c_str(), nullptr, &opened.network, nullptr) == SWAV_OK);
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
