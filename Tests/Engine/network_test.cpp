// What a network is (parameter totals, names, shapes, initialisation) and what it computes in inference.
#include <cfloat>
#include <cmath>
#include <set>
#include <string>
#include <thread>

#include "network_twin.h"
#include "training_bench.h"
#include "worse.h"

using namespace swav;
using namespace swav::test;

namespace {

swav_network_config published(int32_t depth, int32_t width, int32_t hidden, int32_t dim, int32_t prototypes) {
  swav_network_config c = swav_network_config_default();
  c.depth = depth;
  c.width = width;
  c.hidden = hidden;
  c.dim = dim;
  c.head_count = prototypes > 0;
  c.prototypes[0] = prototypes;
  return c;
}

// Parameters that a description asks for, without allocating them.
int64_t parameter_count(const swav_network_config& config) {
  const Description d = describe(config);
  int64_t count = 0;
  const auto add = [&](const ConvolutionLayer& l) { count += int64_t(l.in) * l.out * l.kernel * l.kernel + 2 * l.out; };
  add(d.stem);
  for (const BlockLayer& block : d.blocks) {
    for (const ConvolutionLayer& layer : block.main) add(layer);
    if (block.projected) add(block.projection);
  }
  return count;
}

// A network that is destroyed with the scope.
struct Handle {
  swav_network* network = nullptr;
  explicit Handle(const swav_network_config& config, uint64_t seed = 1) {
    REQUIRE_MESSAGE(swav_network_create(&config, seed, &network) == SWAV_OK, swav_error_message());
  }
  ~Handle() { swav_network_destroy(network); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
};

Floats embed(swav_network* network, swav_output output, const Floats& images, int64_t count, int32_t size, int64_t dim) {
  Floats result(size_t(count * dim), -7.0f);
  REQUIRE_MESSAGE(swav_network_embed(network, output, images.data(), count, size, size, result.data()) == SWAV_OK,
                  swav_error_message());
  return result;
}

// Gives the running statistics values that a trained network could have.
void disturb_buffers(swav_network* network) {
  Random random(5, Purpose::test);
  swav_tensor t;
  for (int64_t i = 0; swav_network_tensor(network, i, &t) == SWAV_OK; ++i) {
    const bool variance = std::string(t.name).find("running_var") != std::string::npos;
    if (t.kind != SWAV_TENSOR_BUFFER) continue;
    Floats values(size_t(t.count));
    for (float& value : values) value = float(variance ? random.uniform(0.5, 2) : random.uniform(-0.5, 0.5));
    REQUIRE(swav_network_write_tensor(network, i, values.data(), t.count) == SWAV_OK);
  }
}

}  // namespace

TEST_CASE("parameter totals are the published ones") {
  const Parameters whole(describe(published(50, 1, 2048, 128, 3000)));
  CHECK(whole.parameter_count() == 28354752);
  CHECK(parameter_count(published(50, 1, 0, 0, 0)) == 23508032);  // the backbone alone
  CHECK(whole.parameter_count() - parameter_count(published(50, 1, 0, 0, 0)) == 4462720 + 384000);
  int64_t buffers = 0;
  for (const TensorEntry& entry : whole.entries()) {
    if (entry.kind == SWAV_TENSOR_BUFFER && entry.name.rfind("projection", 0) != 0) buffers += entry.count;
  }
  CHECK(buffers == 2 * 26560);

  CHECK((parameter_count(published(50, 2, 0, 0, 0)) + 50000) / 100000 == 939);   // 93.9 M
  CHECK((parameter_count(published(50, 4, 0, 0, 0)) + 50000) / 100000 == 3754);  // 375.4 M
  CHECK((parameter_count(published(50, 5, 0, 0, 0)) + 50000) / 100000 == 5865);  // 586.5 M
  for (const auto& [width, dim] : {std::pair{1, 2048}, std::pair{2, 4096}, std::pair{4, 8192}, std::pair{5, 10240}}) {
    CHECK(describe(published(50, width, 0, 0, 0)).feature_dim == dim);
  }
  CHECK(parameter_count(published(18, 1, 0, 0, 0)) == 11689512 - 513000);  // torchvision's resnet18 and resnet34 without their
  CHECK(parameter_count(published(34, 1, 0, 0, 0)) == 21797672 - 513000);  // classifier of 512 x 1000 + 1000
}

TEST_CASE("tensors have torchvision's names, order and shapes") {
  const Parameters parameters(describe(published(50, 1, 2048, 128, 3000)));
  std::vector<std::string> names;
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const TensorEntry& entry : parameters.entries()) {
    names.push_back(entry.name);
    shapes[entry.name] = entry.shape;
  }
  // 53 convolutions with a batch-norm of five tensors, the head's two linear layers and batch-norm, the prototypes.
  CHECK(names.size() == 53 * 6 + 2 * 2 + 5 + 1);
  const std::vector<std::string> first = {"conv1.weight",         "bn1.weight",      "bn1.bias",
                                          "bn1.running_mean",     "bn1.running_var", "bn1.num_batches_tracked",
                                          "layer1.0.conv1.weight"};
  CHECK(std::vector<std::string>(names.begin(), names.begin() + 7) == first);
  const std::vector<std::string> last = {"projection_head.0.weight",
                                         "projection_head.0.bias",
                                         "projection_head.1.weight",
                                         "projection_head.1.bias",
                                         "projection_head.1.running_mean",
                                         "projection_head.1.running_var",
                                         "projection_head.1.num_batches_tracked",
                                         "projection_head.3.weight",
                                         "projection_head.3.bias",
                                         "prototypes.weight"};
  CHECK(std::vector<std::string>(names.end() - 10, names.end()) == last);
  // A block's own layers come before its projection.
  const auto place = [&](const char* name) { return std::find(names.begin(), names.end(), name) - names.begin(); };
  CHECK(place("layer2.0.downsample.0.weight") == place("layer2.0.bn3.num_batches_tracked") + 1);
  CHECK(place("layer2.0.downsample.1.num_batches_tracked") + 1 == place("layer2.1.conv1.weight"));
  const std::map<std::string, std::vector<int64_t>> expected = {{"conv1.weight", {64, 3, 7, 7}},
                                                                {"bn1.num_batches_tracked", {}},
                                                                {"layer1.0.conv1.weight", {64, 64, 1, 1}},
                                                                {"layer1.0.downsample.0.weight", {256, 64, 1, 1}},
                                                                {"layer4.2.conv2.weight", {512, 512, 3, 3}},
                                                                {"layer4.0.downsample.1.running_var", {2048}},
                                                                {"projection_head.0.weight", {2048, 2048}},
                                                                {"projection_head.3.weight", {128, 2048}},
                                                                {"prototypes.weight", {3000, 128}}};
  for (const auto& [name, shape] : expected) CHECK_MESSAGE(shapes[name] == shape, name);
}

TEST_CASE("other heads have the reference's names: one linear layer, several sets of prototypes, none") {
  swav_network_config c = small_network(18, SWAV_STEM_SMALL, 0);
  c.head_count = 2;
  c.prototypes[1] = 5;
  Handle linear(c);
  CHECK(tensor_of(linear.network, "projection_head.weight").shape[1] == 32);
  CHECK(tensor_of(linear.network, "projection_head.bias").count == 8);
  CHECK(tensor_of(linear.network, "prototypes.prototypes0.weight").shape[0] == 12);
  CHECK(tensor_of(linear.network, "prototypes.prototypes1.weight").shape[0] == 5);
  c.dim = 0;
  c.head_count = 0;
  Handle none(c);
  swav_network_info info;
  REQUIRE(swav_network_describe(none.network, &info) == SWAV_OK);
  swav_tensor t;
  REQUIRE(swav_network_tensor(none.network, info.tensor_count - 1, &t) == SWAV_OK);
  CHECK(std::string(t.name) == "layer4.1.bn2.num_batches_tracked");
}

TEST_CASE("initial values are the reference's distributions, a pure function of the seed") {
  swav_network_config config = published(18, 1, 64, 128, 100);
  config.base_width = 16;
  Handle a(config, 7), b(config, 7), other(config, 8);
  CHECK(state_of(a.network) == state_of(b.network));
  CHECK(state_of(a.network) != state_of(other.network));
  const auto values = [&](const char* name) { return values_of(a.network, name); };
  const auto deviation = [](const Floats& x) {
    double square = 0;
    for (float v : x) square += double(v) * double(v);
    return std::sqrt(square / double(x.size()));
  };
  // The standard deviation of n samples is within 5 / sqrt(2 n) of the true one: five standard errors.
  for (const auto& [name, expected] :
       {std::pair{"conv1.weight", std::sqrt(2.0 / (16 * 49))}, std::pair{"layer3.1.conv2.weight", std::sqrt(2.0 / (64 * 9))},
        std::pair{"layer2.0.downsample.0.weight", std::sqrt(2.0 / 32)}}) {
    const Floats x = values(name);
    CHECK_MESSAGE(std::abs(deviation(x) / expected - 1) < 5 / std::sqrt(2 * double(x.size())), name);
  }
  // Uniform in +-1 / sqrt(fan-in).
  for (const auto& [name, fan_in] : {std::pair{"projection_head.0.weight", 128.0}, std::pair{"projection_head.0.bias", 128.0},
                                     std::pair{"projection_head.3.bias", 64.0}, std::pair{"prototypes.weight", 128.0}}) {
    const Floats x = values(name);
    const double bound = 1 / std::sqrt(fan_in), largest = double(*std::max_element(x.begin(), x.end()));
    CHECK_MESSAGE(largest <= bound, name);
    CHECK_MESSAGE(largest > 0.9 * bound, name);
    CHECK_MESSAGE(std::abs(deviation(x) / (bound / std::sqrt(3.0)) - 1) < 5 / std::sqrt(2 * double(x.size())), name);
  }
  for (const char* name : {"bn1.weight", "layer4.1.bn2.weight", "projection_head.1.weight", "layer1.0.bn1.running_var"}) {
    for (float v : values(name)) CHECK(v == 1);
  }
  for (const char* name : {"bn1.bias", "projection_head.1.bias", "layer1.0.bn1.running_mean"}) {
    for (float v : values(name)) CHECK(v == 0);
  }
}

TEST_CASE("inference is the network in double with running statistics, for both depths, stems and heads") {
  for (const auto& [config, size] :
       {std::pair{small_network(18, SWAV_STEM_IMAGENET, 16), 33}, std::pair{small_network(50, SWAV_STEM_SMALL, 0), 16},
        std::pair{small_network(34, SWAV_STEM_SMALL, 16), 8}}) {
    CAPTURE(config.depth);
    Handle handle(config);
    disturb_buffers(handle.network);
    const int64_t count = 3, dim = describe(config).feature_dim;
    const Floats images = normals(3, count * size * size * 3);
    Twin twin(describe(config), handle.network->network->parameters());
    // The prototypes are drawn, not yet of unit norm; scores are cosines all the same.
    Doubles& prototypes = twin.tensors["prototypes.weight"];
    for (size_t k = 0; k < 12; ++k) {
      double square = 0;
      for (size_t i = 0; i < 8; ++i) square += prototypes[k * 8 + i] * prototypes[k * 8 + i];
      for (size_t i = 0; i < 8; ++i) prototypes[k * 8 + i] /= std::sqrt(square);
    }
    const Doubles features = twin.features(images, count, size, false), z = twin.embeddings(features, false),
                  s = twin.scores(z, 0);
    const auto close = [](const Floats& ours, const Doubles& exact) {
      double largest = 0, error = 0;
      for (double v : exact) largest = std::max(largest, std::abs(v));
      for (size_t i = 0; i < ours.size(); ++i) error = worse(error, std::abs(double(ours[i]) - exact[i]));
      CHECK(error <= 53 * 4 * FLT_EPSILON * largest);  // at most 53 layers, a few roundings each
    };
    close(embed(handle.network, SWAV_OUTPUT_FEATURES, images, count, size, dim), features);
    close(embed(handle.network, SWAV_OUTPUT_EMBEDDINGS, images, count, size, 8), z);
    close(embed(handle.network, SWAV_OUTPUT_SCORES, images, count, size, 12), s);
  }
}

TEST_CASE("in eval mode an image's embedding does not depend on the images around it; a batch is its parts") {
  Handle handle(small_network());
  disturb_buffers(handle.network);
  const int64_t count = 40, pixels = 16 * 16 * 3, chosen[] = {0, 7, 31, 32, 39};  // more than one batch of inference
  const Floats images = normals(3, count * pixels);
  Floats others = normals(4, count * pixels, 3);
  for (int64_t i : chosen) std::copy_n(images.begin() + i * pixels, pixels, others.begin() + i * pixels);
  const Floats together = embed(handle.network, SWAV_OUTPUT_EMBEDDINGS, images, count, 16, 8);
  const Floats elsewhere = embed(handle.network, SWAV_OUTPUT_EMBEDDINGS, others, count, 16, 8);
  for (int64_t i : chosen) {
    const Floats one(images.begin() + i * pixels, images.begin() + (i + 1) * pixels),
        alone = embed(handle.network, SWAV_OUTPUT_EMBEDDINGS, one, 1, 16, 8);
    for (int64_t j = 0; j < 8; ++j) {
      CHECK(together[size_t(i * 8 + j)] == elsewhere[size_t(i * 8 + j)]);
      CHECK(std::abs(together[size_t(i * 8 + j)] - alone[size_t(j)]) <=
            20 * 4 * FLT_EPSILON);  // 20 layers; another shape may sum otherwise
    }
  }
}

TEST_CASE("embedding encoded bytes is decoding, the centre crop, normalising as the network says, and embedding") {
  Handle handle(small_network());
  const struct {
    decltype(&swav_network_embed) images;
    decltype(&swav_network_embed_bytes) bytes;
  } precisions[] = {{swav_network_embed, swav_network_embed_bytes},
                    {swav_network_embed_bfloat16, swav_network_embed_bytes_bfloat16},
                    {swav_network_embed_int8, swav_network_embed_bytes_int8}};
  const swav_input_description input{24, {0.1f, 0.2f, 0.3f, 0}, {0.4f, 0.5f, 0.6f, 0}};
  REQUIRE(swav_network_describe_input(handle.network, &input) == SWAV_OK);
  std::vector<uint8_t> samples(50 * 37 * 3), bytes(20000);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = uint8_t(i * 31 % 253);
  size_t size = 0;
  REQUIRE(swav_image_encode_png(samples.data(), 50, 37, 3, bytes.data(), bytes.size(), &size) == SWAV_OK);
  swav_image* image = nullptr;
  REQUIRE(swav_image_decode(bytes.data(), size, nullptr, &image) == SWAV_OK);
  swav_crop_plan plan;
  swav_recipe recipe = swav_recipe_default();
  for (int c = 0; c < 3; ++c) recipe.mean[c] = input.mean[c], recipe.std[c] = input.std[c];
  for (int32_t side : {0, 16}) {  // 0: the network's own size
    const int32_t expected_side = side == 0 ? 24 : side;
    REQUIRE(swav_crop_plan_centre(expected_side, 50, 37, &plan) == SWAV_OK);
    Floats pixels(size_t(expected_side * expected_side * 3)), result(8), expected(8);
    REQUIRE(swav_crop_execute(image, &plan, &recipe, pixels.data()) == SWAV_OK);
    REQUIRE(swav_network_calibrate(handle.network, pixels.data(), 1, expected_side, expected_side) == SWAV_OK);
    std::set<Floats> found;
    for (const auto& of : precisions) {
      REQUIRE(of.bytes(handle.network, bytes.data(), size, side, SWAV_OUTPUT_EMBEDDINGS, result.data()) == SWAV_OK);
      REQUIRE(of.images(handle.network, SWAV_OUTPUT_EMBEDDINGS, pixels.data(), 1, expected_side, expected_side,
                        expected.data()) == SWAV_OK);
      CHECK(result == expected);
      found.insert(result);
    }
    CHECK(found.size() == 3);  // each in its own precision
  }
  swav_image_destroy(image);
  Floats untouched(8, 3.0f);
  CHECK(swav_network_embed_bytes(handle.network, "not an image", 12, 16, SWAV_OUTPUT_EMBEDDINGS, untouched.data()) != SWAV_OK);
  CHECK(untouched == Floats(8, 3.0f));
}

TEST_CASE("embedding a gray file of sixteen bits with a network of one channel keeps the sixteen bits") {
  swav_network_config config = small_network();
  config.channels = 1;
  Handle handle(config);
  const swav_input_description input{24, {0.03f}, {0.02f}};
  REQUIRE(swav_network_describe_input(handle.network, &input) == SWAV_OK);
  std::string file = "P5\n40 30\n65535\n";
  for (int i = 0; i < 40 * 30; ++i) file += char(i * 7 % 16), file += char(i * 31 % 256);
  const auto with_bits = [&](int bits) {
    swav_decode_options options = swav_decode_options_default();
    options.channels = 1;
    options.bits = bits;
    swav_image* image = nullptr;
    REQUIRE(swav_image_decode(file.data(), file.size(), &options, &image) == SWAV_OK);
    swav_recipe recipe = swav_recipe_default();
    recipe.channels = 1;
    recipe.mean[0] = input.mean[0], recipe.std[0] = input.std[0];
    swav_crop_plan plan;
    REQUIRE(swav_crop_plan_centre(24, 40, 30, &plan) == SWAV_OK);
    Floats pixels(24 * 24);
    REQUIRE(swav_crop_execute(image, &plan, &recipe, pixels.data()) == SWAV_OK);
    swav_image_destroy(image);
    return embed(handle.network, SWAV_OUTPUT_EMBEDDINGS, pixels, 1, 24, 8);
  };
  Floats result(8);
  REQUIRE(swav_network_embed_bytes(handle.network, file.data(), file.size(), 0, SWAV_OUTPUT_EMBEDDINGS, result.data()) ==
          SWAV_OK);
  CHECK(result == with_bits(0));
  CHECK(result != with_bits(8));
}

TEST_CASE("threads that embed with handles of their own at the same time get the bits that they get alone") {
  constexpr int count = 4;
  std::vector<std::unique_ptr<Handle>> handles;
  std::vector<Floats> alone, together(count);
  const auto images = [](int i) { return normals(uint64_t(i), (2 + i) * 16 * 16 * 3); };
  for (int i = 0; i < count; ++i) {
    handles.push_back(std::make_unique<Handle>(small_network(i % 2 ? 50 : 18), uint64_t(i)));
    alone.push_back(embed(handles.back()->network, SWAV_OUTPUT_EMBEDDINGS, images(i), 2 + i, 16, 8));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      for (int repeat = 0; repeat < 5; ++repeat) {
        Floats result(size_t((2 + i) * 8));
        const Floats input = images(i);
        swav_network_embed(handles[size_t(i)]->network, SWAV_OUTPUT_EMBEDDINGS, input.data(), 2 + i, 16, 16, result.data());
        if (repeat == 0 || result != alone[size_t(i)]) together[size_t(i)] = result;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < count; ++i) CHECK(together[size_t(i)] == alone[size_t(i)]);
}

TEST_CASE("recalibration makes the buffers the mean over batches of their moments, the variance unbiased") {
  Handle handle(small_network());
  const Floats first = normals(1, 5 * 16 * 16 * 3), second = normals(2, 8 * 16 * 16 * 3, 2);
  Twin twin(handle.network->network->description(), handle.network->network->parameters());
  std::map<std::string, TwinMoments> sums;
  for (const auto& [images, count] : {std::pair{&first, 5}, std::pair{&second, 8}}) {
    twin.embeddings(twin.features(*images, count, 16, true), true);
    for (const auto& [name, m] : twin.moments) {
      TwinMoments& sum = sums[name];
      sum.mean.resize(m.mean.size());
      sum.variance.resize(m.mean.size());
      for (size_t c = 0; c < m.mean.size(); ++c) {
        sum.mean[c] += m.mean[c] / 2;
        sum.variance[c] += m.variance[c] * m.count / (m.count - 1) / 2;
      }
    }
  }
  swav_network* n = handle.network;
  CHECK(swav_network_recalibrate_batch(n, first.data(), 5, 16, 16) == SWAV_ERROR_ARGUMENT);  // before begin
  REQUIRE(swav_network_recalibrate_begin(n) == SWAV_OK);
  CHECK(swav_network_recalibrate_end(n) == SWAV_ERROR_ARGUMENT);  // without a batch
  REQUIRE(swav_network_recalibrate_begin(n) == SWAV_OK);
  REQUIRE(swav_network_recalibrate_batch(n, first.data(), 5, 16, 16) == SWAV_OK);
  REQUIRE(swav_network_recalibrate_batch(n, second.data(), 8, 16, 16) == SWAV_OK);
  REQUIRE(swav_network_recalibrate_end(n) == SWAV_OK);
  for (const auto& [name, expected] : sums) {
    const Floats mean = values_of(n, name + ".running_mean"), variance = values_of(n, name + ".running_var");
    for (size_t c = 0; c < expected.mean.size(); ++c) {
      const double scale = std::sqrt(expected.variance[c]) + std::abs(expected.mean[c]) + 1e-3;
      CHECK_MESSAGE(std::abs(double(mean[c]) - expected.mean[c]) <= 1e-4 * scale, name);  // 20 layers in float on 5 images
      CHECK_MESSAGE(std::abs(double(variance[c]) - expected.variance[c]) <= 1e-3 * (expected.variance[c] + 1e-3), name);
    }
  }
}

TEST_CASE("settings out of range are refused, naming the setting, the value and what is allowed") {
  const auto message = [](auto change) {
    swav_network_config c = small_network();
    change(c);
    swav_network* network = nullptr;
    CHECK(swav_network_create(&c, 1, &network) == SWAV_ERROR_ARGUMENT);
    CHECK(network == nullptr);
    return std::string(swav_error_message());
  };
  CHECK(message([](auto& c) { c.depth = 101; }) == "depth is 101; 18, 34 and 50 are known");
  CHECK(message([](auto& c) { c.width = 0; }) == "width is 0; 1 to 16 is allowed");
  CHECK(message([](auto& c) { c.channels = 5; }) == "channels is 5; 1 to 4 is allowed");
  CHECK(message([](auto& c) { c.prototypes[0] = 1; }) == "prototypes[0] is 1; 2 to 1048576 is allowed");
  CHECK(message([](auto& c) { c.dim = 0; }) == "head_count is 1 with dim 0; prototypes need embeddings");

  swav_network_config none = small_network();
  none.dim = none.head_count = 0;
  Handle handle(none);
  const Floats image = normals(1, 16 * 16 * 3);
  Floats result(64, 3.0f);
  CHECK(swav_network_embed(handle.network, SWAV_OUTPUT_EMBEDDINGS, image.data(), 1, 16, 16, result.data()) ==
        SWAV_ERROR_ARGUMENT);
  CHECK(swav_network_embed(handle.network, SWAV_OUTPUT_SCORES, image.data(), 1, 16, 16, result.data()) == SWAV_ERROR_ARGUMENT);
  CHECK(swav_network_embed(handle.network, swav_output(9), image.data(), 1, 16, 16, result.data()) == SWAV_ERROR_ARGUMENT);
  CHECK(swav_network_embed(handle.network, SWAV_OUTPUT_FEATURES, image.data(), 1, 7, 16, result.data()) == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()) == "swav_network_embed: images are 16 x 7 pixels; 8 to 16384 is allowed");
  CHECK(result == Floats(64, 3.0f));
}
