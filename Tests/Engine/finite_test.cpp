// Values that are not finite: kernels hand them on, and networks name where they came from.
#include <cmath>
#include <limits>
#include <string>

#include "kernel_samples.h"
#include "network_twin.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

// Indices of NaN.
std::vector<int64_t> nans(const Floats& values) {
  std::vector<int64_t> found;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) found.push_back(int64_t(i));
  }
  return found;
}

constexpr int32_t width = 16, features = 8 * width;

swav_network_config narrow_network() {
  swav_network_config c = swav_network_config_default();
  c.depth = 18;
  c.base_width = width;
  c.hidden = 24;
  c.dim = 8;
  c.prototypes[0] = 6;
  return c;
}

struct Handle {
  swav_network* network = nullptr;
  Handle() {
    const swav_network_config config = narrow_network();
    REQUIRE(swav_network_create(&config, 3, &network) == SWAV_OK);
  }
  ~Handle() { swav_network_destroy(network); }

  std::string embed_error(const Floats& images, int64_t count, int32_t size) {
    Floats result(size_t(count * features));
    const swav_status status =
        swav_network_embed(network, SWAV_OUTPUT_FEATURES, images.data(), count, size, size, result.data());
    CHECK(status == SWAV_ERROR_NUMERIC);
    return status == SWAV_OK ? "" : swav_error_message();
  }

  void set_value(const char* name, int64_t index, float value) {
    Floats values = values_of(network, name);
    values[size_t(index)] = value;
    set_values(network, name, values);
  }
};

}  // namespace

TEST_CASE("ReLU, residual sums and pooling hand NaN on, whatever its lane") {
  for (const Kernels* k : machine_kernels()) {
    const int64_t n = 2 * k->lanes + 3;
    const Floats scale(size_t(n), 1.0f), shift(size_t(n), 0.25f);
    for (int64_t at : {int64_t(0), int64_t(k->lanes - 1), n - 1}) {
      INFO(k->isa, ", channel ", at);
      Floats x = normals(1, n), other = normals(2, n), out(size_t(n), 0.0f);
      x[size_t(at)] = not_a_number;
      const std::vector<int64_t> expected = {at};
      const float* row = x.data();
      k->pack_norm_relu(&row, 1, n, scale.data(), shift.data(), out.data(), n, n, 0);
      CHECK(nans(out) == expected);
      k->residual_plain(x.data(), other.data(), 1, n, scale.data(), shift.data(), out.data());
      CHECK(nans(out) == expected);
      k->residual_plain(other.data(), x.data(), 1, n, scale.data(), shift.data(), out.data());
      CHECK(nans(out) == expected);
      k->residual_projected(other.data(), x.data(), 1, n, scale.data(), shift.data(), scale.data(), shift.data(), out.data());
      CHECK(nans(out) == expected);
      // First, in the middle and last of a window; a finite value that follows does not replace it.
      for (size_t place = 0; place < 3; ++place) {
        const float* rows[3] = {other.data(), other.data(), other.data()};
        rows[place] = x.data();
        std::vector<uint8_t> index(static_cast<size_t>(n));
        k->max_pool(rows, 3, n, scale.data(), shift.data(), out.data(), index.data());
        CHECK(nans(out) == expected);
      }
    }
  }
}

TEST_CASE("pooling and ReLU of frozen networks hand NaN on") {
  for (const Kernels* k : machine_kernels()) {
    INFO(k->isa);
    const int64_t n = k->tile_columns;
    for (int64_t at : {int64_t(0), n - 1}) {
      Floats x = normals(1, n), other = normals(2, n), out(size_t(n), 0.0f);
      x[size_t(at)] = not_a_number;
      for (size_t place = 0; place < 3; ++place) {
        const float* rows[3] = {other.data(), other.data(), other.data()};
        rows[place] = x.data();
        k->maximum_float(rows, 3, n, out.data());
        CHECK(nans(out) == std::vector<int64_t>{at});
      }
      const Floats a = {2.0f};
      const ProductSegment segment{reinterpret_cast<const char*>(a.data()), 4, 1};
      const FusedRows to{reinterpret_cast<char*>(out.data()), n * 4, nullptr, 0};
      k->fused_float(&segment, 1, x.data(), 1, other.data(), true, to);
      CHECK(nans(out) == std::vector<int64_t>{at});
    }
  }
}

TEST_CASE("a pixel that is not finite is an error that names image, row, column and channel") {
  Handle handle;
  const int32_t size = 32;
  for (float bad : {not_a_number, infinity, -infinity}) {
    Floats images = normals(4, 3 * size * size * 3);
    images[size_t((2 * size + 5) * size * 3 + 7 * 3 + 1)] = bad;  // row 5 + size * 2 of all: image 2, row 5
    const std::string message = handle.embed_error(images, 3, size);
    CHECK(message.find("images: image 2 of 3 holds ") == 0);
    CHECK(message.find(" at row 5, column 7, channel 1; finite values are needed") != std::string::npos);
    CHECK(swav_network_calibrate(handle.network, images.data(), 3, size, size) == SWAV_ERROR_NUMERIC);
    REQUIRE(swav_network_recalibrate_begin(handle.network) == SWAV_OK);
    CHECK(swav_network_recalibrate_batch(handle.network, images.data(), 3, size, size) == SWAV_ERROR_NUMERIC);
  }
}

TEST_CASE("a weight that is not finite, and a negative variance, are errors that name tensor and index") {
  const Floats images = normals(4, 2 * 32 * 32 * 3);
  const struct {
    const char* name;
    int64_t index;
    float value;
    const char* message;
  } cases[] = {
      {"layer2.0.conv2.weight", 77, not_a_number,
       "layer2.0.conv2.weight holds nan at index 77 of 9216; finite values are needed"},
      {"layer4.1.bn2.bias", 127, infinity, "layer4.1.bn2.bias holds inf at index 127 of 128; finite values are needed"},
      {"bn1.running_mean", 0, not_a_number, "bn1.running_mean holds nan at index 0 of 16; finite values are needed"},
      {"layer1.0.bn1.running_var", 9, -1e-3f,
       "layer1.0.bn1.running_var holds -0.001 at index 9 of 16; a variance is 0 or more"},
  };
  for (const auto& c : cases) {
    Handle handle;
    Floats embedded(2 * features);
    REQUIRE(swav_network_embed(handle.network, SWAV_OUTPUT_FEATURES, images.data(), 2, 32, 32, embedded.data()) == SWAV_OK);
    handle.set_value(c.name, c.index, c.value);
    // Twice: what failed is not remembered as looked at.
    CHECK(handle.embed_error(images, 2, 32) == c.message);
    CHECK(handle.embed_error(images, 2, 32) == c.message);
    CHECK(swav_network_calibrate(handle.network, images.data(), 2, 32, 32) == SWAV_ERROR_NUMERIC);
    REQUIRE(swav_network_recalibrate_begin(handle.network) == SWAV_OK);
    CHECK(swav_network_recalibrate_batch(handle.network, images.data(), 2, 32, 32) == SWAV_ERROR_NUMERIC);
  }
}

TEST_CASE("values that grow too large inside are named with the layer they left") {
  Handle handle;
  const Floats images = normals(4, 2 * 32 * 32 * 3);
  Floats weight = values_of(handle.network, "layer3.0.conv1.weight");
  for (float& w : weight) w = float(double(w) * 1e39);  // finite, as weights are below 0.3; sums of them are not
  set_values(handle.network, "layer3.0.conv1.weight", weight);
  const std::string message = handle.embed_error(images, 2, 32);
  CHECK(message.find("values grow too large behind layer3.0.conv") != std::string::npos);
  REQUIRE(swav_network_recalibrate_begin(handle.network) == SWAV_OK);
  CHECK(swav_network_recalibrate_batch(handle.network, images.data(), 2, 32, 32) == SWAV_ERROR_NUMERIC);
  CHECK(std::string(swav_error_message()).find("values grow too large before layer3.0.bn1") != std::string::npos);
}
