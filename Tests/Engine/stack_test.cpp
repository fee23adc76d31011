// The stack that a calling thread needs is what swav.h promises: whatever is called, on every kind of file.
#include <doctest/doctest.h>
#include <pthread.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "swav.h"
#include "temporary_folder.h"

using namespace swav::test;

namespace {

// Sanitizers surround every variable with space of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t promised = 4 << 20;
#else
constexpr size_t promised = SWAV_STACK_BYTES;
#endif
constexpr int32_t most_pixels = 224 * 224 * 3;

void crop(const swav_image* image, const swav_image_info& info, std::vector<float>& pixels) {
  swav_recipe recipe = swav_recipe_default();
  for (swav_precision precision : {SWAV_PRECISION_FAST, SWAV_PRECISION_EXACT}) {
    recipe.precision = precision;
    for (int32_t i = 0; i < 4; ++i) {
      swav_crop_plan plan;
      swav_crop_plan_sample(&recipe, 1, 0, uint64_t(i), 2 * i, info.width, info.height, &plan);
      swav_crop_execute(image, &plan, &recipe, pixels.data());
    }
  }
}

void decode_and_crop(const std::string& bytes) {
  std::vector<float> pixels(8 * most_pixels);
  swav_image_info info;
  swav_image_probe(bytes.data(), bytes.size(), &info);
  swav_image* image = nullptr;
  if (swav_image_decode(bytes.data(), bytes.size(), nullptr, &image) != SWAV_OK) return;
  swav_image_describe(image, &info);
  double mean[SWAV_MAX_CHANNELS], square[SWAV_MAX_CHANNELS];
  swav_image_moments(image, mean, square);
  crop(image, info, pixels);
  size_t size = 0;
  const auto* samples = static_cast<const uint8_t*>(swav_image_samples(image));
  std::vector<uint8_t> encoded(1 << 20);
  swav_image_encode_jpeg(samples, info.width, info.height, info.channels, 90, encoded.data(), encoded.size(), &size);
  swav_image_encode_png(samples, info.width, info.height, info.channels, encoded.data(), encoded.size(), &size);
  swav_image_destroy(image);
  float* outputs[8];
  for (int v = 0; v < 8; ++v) outputs[v] = pixels.data() + v * most_pixels;
  swav_recipe recipe = swav_recipe_default();
  for (swav_precision precision : {SWAV_PRECISION_FAST, SWAV_PRECISION_EXACT}) {
    recipe.precision = precision;
    swav_multicrop(bytes.data(), bytes.size(), nullptr, &recipe, 1, 0, 0, outputs);
  }
}

void open_weights(const std::string& path) {
  swav_tensor_file* file = nullptr;
  if (swav_tensor_file_open(path.c_str(), &file) != SWAV_OK) return;
  swav_tensor_file_info info;
  swav_tensor_file_describe(file, &info);
  swav_stored_tensor tensor;
  for (int64_t i = 0; swav_tensor_file_tensor(file, i, &tensor) == SWAV_OK; ++i) {
  }
  swav_network_config config;
  swav_load_report report;
  swav_tensor_file_recognize(file, nullptr, &config, &report);
  swav_tensor_file_close(file);
  swav_network* network = nullptr;
  swav_network_open(path.c_str(), nullptr, &network, nullptr);
  swav_network_destroy(network);
}

void open_save_and_embed(const std::string& bytes) {
  const TemporaryFolder folder;
  swav_network_config config = swav_network_config_default();
  config.depth = 18;
  config.base_width = 8;
  config.prototypes[0] = 10;
  swav_network *network = nullptr, *again = nullptr;
  swav_network_create(&config, 1, &network);
  swav_network_save(network, (folder / "a").c_str());
  swav_network_open((folder / "a").c_str(), nullptr, &again, nullptr);
  swav_network_open((folder / "missing").c_str(), nullptr, &again, nullptr);
  std::vector<float> features(64);
  swav_network_embed_bytes(network, bytes.data(), bytes.size(), 32, SWAV_OUTPUT_FEATURES, features.data());
  size_t size = 0;
  char note[64];
  swav_checkpoint_note((folder / "a").c_str(), note, sizeof note, &size);
  double gflops;
  swav_measure_peak(&gflops);
  swav_runtime_info info;
  swav_runtime(&info);
  swav_network_destroy(network);
  swav_network_destroy(again);
}

void* call_all(void*) {
  std::string last;
  for (const auto& file : std::filesystem::recursive_directory_iterator(SWAV_FIXTURES "/image")) {
    if (!file.is_regular_file()) continue;
    last = read_bytes(file.path());
    decode_and_crop(last);
  }
  for (const auto& file : std::filesystem::recursive_directory_iterator(SWAV_FIXTURES "/torch")) {
    if (file.is_regular_file()) open_weights(file.path().string());
  }
  open_save_and_embed(read_bytes(SWAV_FIXTURES "/image/formats/baseline_420.jpg"));
  return nullptr;
}

}  // namespace

TEST_CASE("a thread with the stack that the header asks for may call every function") {
  // Painted, so that what was used can be seen; a thread with twice the stack cannot overflow it unseen.
  const unsigned char paint = 0xA5;
  const size_t size = 2 * promised;
  auto* stack = static_cast<unsigned char*>(std::aligned_alloc(4096, size));
  REQUIRE(stack != nullptr);
  std::memset(stack, paint, size);
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstack(&attributes, stack, size) == 0);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, call_all, nullptr) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  size_t untouched = 0;
  while (untouched < size && stack[untouched] == paint) ++untouched;
  MESSAGE("stack used: " << size - untouched << " bytes of " << promised);
  CHECK(size - untouched > 1000);
  CHECK(size - untouched <= promised);
  pthread_attr_destroy(&attributes);
  std::free(stack);
}
