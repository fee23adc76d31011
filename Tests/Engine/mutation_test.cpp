// Damaged files of every input format: a clear error or a correct load, never a crash, a hang, or a network that is half
// loaded. SWAV_MUTATIONS=10000 tries as many of each format; the default is what a test suite can wait for.
#include <cstdlib>
#include <cstring>

#include "base/random.h"
#include "checkpoint_bench.h"
#include "io/tensor_file.h"
#include "stored_files.h"

using namespace swav;
using namespace swav::test;

namespace {

int mutations() {
  const char* text = std::getenv("SWAV_MUTATIONS");
  return text ? std::atoi(text) : 150;
}

// Changes a file as disks, downloads and enemies do: bits, bytes, pieces that are lost, doubled, moved or of another file's
// numbers.
std::string mutated(const std::string& original, Random& random) {
  std::string bytes = original;
  const auto below = [&](size_t n) { return size_t(random.below(uint32_t(n))); };
  // Most of the interesting bytes are at the beginning (headers, pickles) or at the end (directories).
  const auto place = [&]() -> size_t {
    const size_t edge = std::min<size_t>(bytes.size(), 6000);
    switch (below(3)) {
      case 0: return below(edge);
      case 1: return bytes.size() - 1 - below(edge);
      default: return below(bytes.size());
    }
  };
  const char* const numbers[] = {"\xff\xff\xff\xff\xff\xff\xff\x7f",
                                 "\0\0\0\0\0\0\0\x80",
                                 "\xff\xff\xff\xff\xff\xff\xff\xff",
                                 "\0\0\0\0\0\0\0\0",
                                 "99999999",
                                 "[[[[[[[["};
  for (size_t change = 0, changes = 1 + below(4); change < changes && !bytes.empty(); ++change) {
    const size_t at = place();
    const size_t length = std::min(bytes.size() - at, 1 + below(below(2) ? 8 : 400));
    switch (below(7)) {
      case 0: bytes[at] = char(bytes[at] ^ (1 << below(8))); break;
      case 1: bytes[at] = char(below(256)); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.erase(at, length); break;
      case 4: bytes.insert(place(), bytes.substr(at, length)); break;
      case 5:
        bytes.replace(at, std::min<size_t>(8, bytes.size() - at), numbers[below(6)], std::min<size_t>(8, bytes.size() - at));
        break;
      default: bytes.replace(place(), 0, std::string(length, char(below(256)))); break;
    }
  }
  return bytes;
}

bool blames_the_file(swav_status status) {
  return status == SWAV_ERROR_FORMAT || status == SWAV_ERROR_UNSUPPORTED || status == SWAV_ERROR_LIMIT ||
         status == SWAV_ERROR_NUMERIC || status == SWAV_ERROR_ARGUMENT || status == SWAV_ERROR_IO;
}

struct Tried {
  int loaded = 0, refused = 0;
};

// Opens, loads and reads every tensor of the file.
void try_file(const std::string& path, const Handle& existing, Tried& tried) {
  const State before = state_of(existing.network);
  swav_network* opened = nullptr;
  swav_load_report report;
  const swav_status status = swav_network_open(path.c_str(), nullptr, &opened, &report);
  if (status == SWAV_OK) {
    ++tried.loaded;
    // Whole and finite: what it computes from zeros is finite, or it says at which layer values grow too large.
    const Floats zeros(16 * 16 * 4);
    swav_network_info info;
    REQUIRE(swav_network_describe(opened, &info) == SWAV_OK);
    CHECK(report.matched + report.missing <= info.tensor_count);
    Floats features(size_t(info.feature_dim));
    const swav_status embedded = swav_network_embed(opened, SWAV_OUTPUT_FEATURES, zeros.data(), 1, 16, 16, features.data());
    CHECK((embedded == SWAV_OK || embedded == SWAV_ERROR_NUMERIC));
  } else {
    ++tried.refused;
    CHECK(blames_the_file(status));
    CHECK(std::strlen(swav_error_message()) > 10);
    CHECK(opened == nullptr);
  }
  swav_network_destroy(opened);
  if (swav_network_load(existing.network, path.c_str(), nullptr, nullptr) != SWAV_OK)
    CHECK(state_of(existing.network) == before);

  swav_tensor_file* file = nullptr;
  if (swav_tensor_file_open(path.c_str(), &file) != SWAV_OK) return;
  swav_tensor_file_info about;
  REQUIRE(swav_tensor_file_describe(file, &about) == SWAV_OK);
  swav_stored_tensor tensor;
  for (int64_t i = 0; i < about.tensor_count; ++i) {
    const swav_status read = swav_tensor_file_tensor(file, i, &tensor);
    CHECK((read == SWAV_OK || blames_the_file(read)));
  }
  swav_tensor_file_close(file);
}

// Mutations of one file, numbered: a failure can be made again alone.
void try_mutations(const std::string& original, const std::string& path, const swav_network_config& config, uint64_t stream,
                   int count) {
  const Handle existing(config, 9);
  Tried tried;
  for (int i = 0; i < count; ++i) {
    CAPTURE(i);
    Random random(7, Purpose::test, stream, uint64_t(i));
    write_bytes(path, mutated(original, random));
    try_file(path, existing, tried);
  }
  // Damage to the weights themselves can be sound; the rest is found.
  CHECK(tried.refused > tried.loaded / 2);
}

swav_network_config config_of(int32_t depth, int32_t hidden, int32_t dim) {
  swav_network_config c = small_network(depth, SWAV_STEM_IMAGENET, hidden);
  c.base_width = 1;
  c.dim = dim;
  c.head_count = dim > 0;
  c.prototypes[0] = dim > 0 ? 5 : 0;
  return c;
}

}  // namespace

TEST_CASE("damaged files of every format are refused or load, and nothing in between") {
  const TemporaryFolder folder;
  const std::string fixtures = std::string(SWAV_FIXTURES) + "/torch/", path = folder / "file";
  const auto of = [&](const char* name) { return read_bytes(fixtures + name); };
  SUBCASE("PyTorch's zip archive") { try_mutations(of("layouts_zip.pth"), path, config_of(18, 6, 4), 1, mutations()); }
  SUBCASE("PyTorch's stream") { try_mutations(of("layouts_stream.pth"), path, config_of(18, 6, 4), 2, mutations()); }
  SUBCASE("a trainer's stream") { try_mutations(of("trainer_stream.pth"), path, config_of(50, 6, 4), 3, mutations() / 3); }
  SUBCASE("safetensors") { try_mutations(of("timm.safetensors"), path, config_of(18, 0, 0), 4, mutations()); }
  SUBCASE("an index of parts") {
    for (const char* name : {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}) {
      write_bytes(folder / name, of(name));
    }
    try_mutations(of("model.safetensors.index.json"), path, config_of(18, 0, 0), 5, mutations());
  }
  SUBCASE("weights of this library") {
    const Handle original(config_of(18, 6, 4));
    REQUIRE(swav_network_save(original.network, path.c_str()) == SWAV_OK);
    try_mutations(read_bytes(path), path, config_of(18, 6, 4), 6, mutations());
  }
}

TEST_CASE("damaged checkpoints are refused, or load whole; a trainer is as before where they are refused") {
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint";
  TrainingBench bench(small_network(), with_queue());
  run(bench, 0, 3);
  REQUIRE(swav_trainer_save(bench.trainer, path.c_str(), "note") == SWAV_OK);
  const std::string original = read_bytes(path);
  int refused = 0;
  for (int i = 0; i < mutations(); ++i) {
    CAPTURE(i);
    Random random(7, Purpose::test, 8, uint64_t(i));
    write_bytes(path, mutated(original, random));
    const State before = state_of(bench.network);
    const swav_status status = swav_trainer_load(bench.trainer, path.c_str(), nullptr);
    size_t size = 0;
    const swav_status note = swav_checkpoint_note(path.c_str(), nullptr, 0, &size);
    CHECK((note == SWAV_ERROR_LIMIT || blames_the_file(note)));
    if (status == SWAV_OK) continue;
    ++refused;
    CHECK(blames_the_file(status));
    CHECK(state_of(bench.network) == before);
  }
  CHECK(refused > mutations() / 2);
}
