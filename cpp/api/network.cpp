#include "network/network.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "api/api.h"
#include "api/handles.h"
#include "image/view.h"
#include "network/export.h"
#include "network/weights.h"

using namespace swav;

namespace {

void check_output(swav_output output) {
  SWAV_REQUIRE(output >= 0 && output <= SWAV_OUTPUT_GRID,
               "output is %d; 0 (features), 1 (embeddings), 2 (scores), 3 to 5 (stages 1 to 3) and 6 (grid) are known",
               int(output));
}

// What never changes: may be looked at on any thread.
const TensorEntry& entry_at(const swav_network* network, int64_t index) {
  const auto& entries = network->network->parameters().entries();
  SWAV_REQUIRE(index >= 0 && index < int64_t(entries.size()), "tensor index is %lld; 0 to %zu is allowed",
               static_cast<long long>(index), entries.size() - 1);
  return entries[size_t(index)];
}

// Bytes of a tensor of which the caller has `count` numbers.
size_t bytes_of(const TensorEntry& entry, int64_t count) {
  SWAV_REQUIRE(count == entry.count, "count is %lld; %s has %lld numbers", static_cast<long long>(count), entry.name.c_str(),
               static_cast<long long>(entry.count));
  return size_t(count) * (entry.kind == SWAV_TENSOR_COUNTER ? sizeof(int64_t) : sizeof(float));
}

swav_status embed(const char* function, Precision precision, swav_network* network, swav_output output, const float* images,
                  int64_t count, int32_t height, int32_t width, float* result) {
  return api::interruptible([&] {
    api::check_pointers(function, {{"network", network}, {"images", images}, {"result", result}});
    check_output(output);
    Network& n = *network->network;
    api::check_images(function, count, height, width, n.config().channels, 0);
    api::check_array(function, "result", {count, n.output_dim(output)});
    n.embed(precision, output, images, count, height, width, result);
  });
}

// The view is made on the calling thread, so that several callers decode at a time. When the description of the input changes
// meanwhile, it is made again.
swav_status embed_bytes(const char* function, Precision precision, swav_network* network, const void* bytes, size_t size,
                        int32_t crop_size, swav_output output, float* result) {
  return api::guarded([&] {
    api::check_pointers(function, {{"network", network}, {"bytes", bytes}, {"result", result}});
    check_output(output);
    SWAV_REQUIRE(crop_size == 0 || (crop_size >= SWAV_MIN_SIDE && crop_size <= SWAV_MAX_SIDE),
                 "crop_size is %d; %d to %d, or 0 for the network's own, is allowed", crop_size, SWAV_MIN_SIDE, SWAV_MAX_SIDE);
    Network& n = *network->network;
    for (bool done = false; !done;) {
      swav_input_description input;
      parallel::run_interruptibly_on_engine([&] { input = n.input; });
      const int32_t side = crop_size > 0 ? crop_size : input.size;
      const std::vector<float> pixels =
          image::centre_view(static_cast<const uint8_t*>(bytes), size, side, n.config().channels, input);
      parallel::run_interruptibly_on_engine([&] {
        if (std::memcmp(&input, &n.input, sizeof input) != 0) return;
        n.embed(precision, output, pixels.data(), 1, side, side, result);
        done = true;
      });
    }
  });
}

}  // namespace

extern "C" {

swav_network_config swav_network_config_default(void) {
  swav_network_config c{};
  c.depth = 50;
  c.width = 1;
  c.base_width = 64;
  c.stem = SWAV_STEM_IMAGENET;
  c.channels = 3;
  c.hidden = 2048;
  c.dim = 128;
  c.head_count = 1;
  c.prototypes[0] = 3000;
  return c;
}

swav_status swav_network_create(const swav_network_config* config, uint64_t seed, swav_network** network) {
  return api::computed([&] {
    api::check_pointers("swav_network_create", {{"config", config}, {"network", network}});
    *network = new swav_network{std::make_shared<Network>(*config, seed)};
  });
}

swav_status swav_network_copy(const swav_network* network, swav_network** copy) {
  return api::computed([&] {
    api::check_pointers("swav_network_copy", {{"network", network}, {"copy", copy}});
    *copy = new swav_network{network->network->copy()};
  });
}

void swav_network_destroy(swav_network* network) {
  if (network) api::computed([&] { delete network; });
}

swav_status swav_network_describe(const swav_network* network, swav_network_info* info) {
  return api::guarded([&] {
    api::check_pointers("swav_network_describe", {{"network", network}, {"info", info}});
    const Network& n = *network->network;
    *info = {n.config(), n.description().feature_dim, n.parameters().parameter_count(),
             int64_t(n.parameters().entries().size())};
  });
}

swav_status swav_network_tensor(const swav_network* network, int64_t index, swav_tensor* tensor) {
  return api::guarded([&] {
    api::check_pointers("swav_network_tensor", {{"network", network}, {"tensor", tensor}});
    const TensorEntry& entry = entry_at(network, index);
    swav_tensor found{};
    found.name = entry.name.c_str();
    found.kind = entry.kind;
    found.rank = int32_t(entry.shape.size());
    std::copy(entry.shape.begin(), entry.shape.end(), found.shape);
    found.count = entry.count;
    *tensor = found;
  });
}

swav_status swav_network_read_tensor(const swav_network* network, int64_t index, void* values, int64_t count) {
  return api::computed([&] {
    api::check_pointers("swav_network_read_tensor", {{"network", network}, {"values", values}});
    const TensorEntry& entry = entry_at(network, index);
    std::memcpy(values, network->network->parameters().data(entry), bytes_of(entry, count));
  });
}

swav_status swav_network_write_tensor(swav_network* network, int64_t index, const void* values, int64_t count) {
  return api::computed([&] {
    api::check_pointers("swav_network_write_tensor", {{"network", network}, {"values", values}});
    const TensorEntry& entry = entry_at(network, index);
    Parameters& parameters = network->network->parameters();
    std::memcpy(parameters.data(entry), values, bytes_of(entry, count));
    parameters.touch();
  });
}

swav_status swav_network_load(swav_network* network, const char* path, const swav_load_options* options,
                              swav_load_report* report) {
  return api::computed([&] {
    api::check_pointers("swav_network_load", {{"network", network}, {"path", path}});
    load_weights(*network->network, path, api::choice(options), report);
  });
}

swav_status swav_network_open(const char* path, const swav_load_options* options, swav_network** network,
                              swav_load_report* report) {
  return api::computed([&] {
    api::check_pointers("swav_network_open", {{"path", path}, {"network", network}});
    *network = new swav_network{open_network(path, api::choice(options), report)};
  });
}

swav_status swav_network_input(const swav_network* network, swav_input_description* input) {
  return api::computed([&] {
    api::check_pointers("swav_network_input", {{"network", network}, {"input", input}});
    *input = network->network->input;
  });
}

swav_status swav_network_describe_input(swav_network* network, const swav_input_description* input) {
  return api::computed([&] {
    api::check_pointers("swav_network_describe_input", {{"network", network}, {"input", input}});
    SWAV_REQUIRE(input->size >= SWAV_MIN_SIDE && input->size <= SWAV_MAX_SIDE, "input size is %d; %d to %d is allowed",
                 input->size, SWAV_MIN_SIDE, SWAV_MAX_SIDE);
    for (int32_t c = 0; c < network->network->config().channels; ++c) {
      SWAV_REQUIRE(std::isfinite(input->mean[c]), "mean[%d] is %g; a finite number is needed", c, double(input->mean[c]));
      SWAV_REQUIRE(input->std[c] > 0 && std::isfinite(input->std[c]), "std[%d] is %g; a positive number is needed", c,
                   double(input->std[c]));
    }
    network->network->input = *input;
  });
}

swav_status swav_network_save(const swav_network* network, const char* path) {
  return api::computed([&] {
    api::check_pointers("swav_network_save", {{"network", network}, {"path", path}});
    save_weights(*network->network, path);
  });
}

swav_status swav_network_export(const swav_network* network, const char* path, const swav_export_options* options) {
  return api::computed([&] {
    api::check_pointers("swav_network_export", {{"network", network}, {"path", path}});
    ExportChoice choice;
    if (options != nullptr) choice = {options->format, options->keys, options->head};
    SWAV_REQUIRE(choice.format >= 0 && choice.format <= SWAV_TENSORS_TORCH,
                 "format is %d; 0 (safetensors) and 1 (torch) are known", int(choice.format));
    SWAV_REQUIRE(choice.keys >= 0 && choice.keys <= SWAV_KEYS_MMDET,
                 "keys is %d; 0 (torchvision), 1 (timm), 2 (detectron2) and 3 (mmdet) are known", int(choice.keys));
    export_weights(*network->network, path, choice);
  });
}

swav_status swav_network_embed(swav_network* network, swav_output output, const float* images, int64_t count, int32_t height,
                               int32_t width, float* result) {
  return embed("swav_network_embed", Precision::float32, network, output, images, count, height, width, result);
}

swav_status swav_network_embed_int8(swav_network* network, swav_output output, const float* images, int64_t count,
                                    int32_t height, int32_t width, float* result) {
  return embed("swav_network_embed_int8", Precision::int8, network, output, images, count, height, width, result);
}

swav_status swav_network_embed_bfloat16(swav_network* network, swav_output output, const float* images, int64_t count,
                                        int32_t height, int32_t width, float* result) {
  return embed("swav_network_embed_bfloat16", Precision::bfloat16, network, output, images, count, height, width, result);
}

swav_status swav_network_embed_bytes_bfloat16(swav_network* network, const void* bytes, size_t size, int32_t crop_size,
                                              swav_output output, float* result) {
  return embed_bytes("swav_network_embed_bytes_bfloat16", Precision::bfloat16, network, bytes, size, crop_size, output, result);
}

swav_status swav_network_embed_bytes(swav_network* network, const void* bytes, size_t size, int32_t crop_size,
                                     swav_output output, float* result) {
  return embed_bytes("swav_network_embed_bytes", Precision::float32, network, bytes, size, crop_size, output, result);
}

swav_status swav_network_embed_bytes_int8(swav_network* network, const void* bytes, size_t size, int32_t crop_size,
                                          swav_output output, float* result) {
  return embed_bytes("swav_network_embed_bytes_int8", Precision::int8, network, bytes, size, crop_size, output, result);
}

swav_status swav_network_calibrate(swav_network* network, const float* images, int64_t count, int32_t height, int32_t width) {
  return api::interruptible([&] {
    api::check_pointers("swav_network_calibrate", {{"network", network}, {"images", images}});
    api::check_images("swav_network_calibrate", count, height, width, network->network->config().channels, 1);
    network->network->calibrate(images, count, height, width);
  });
}

swav_status swav_network_activation_range(const swav_network* network, int64_t index, swav_activation_range* range) {
  return api::computed([&] {
    api::check_pointers("swav_network_activation_range", {{"network", network}, {"range", range}});
    const std::vector<swav_activation_range> ranges = network->network->activation_ranges();
    SWAV_REQUIRE(index >= 0 && index < int64_t(ranges.size()), "index is %lld; 0 to %zu is allowed",
                 static_cast<long long>(index), ranges.size() - 1);
    *range = ranges[size_t(index)];
  });
}

swav_status swav_network_recalibrate_begin(swav_network* network) {
  return api::computed([&] {
    api::check_pointers("swav_network_recalibrate_begin", {{"network", network}});
    network->network->recalibrate_begin();
  });
}

swav_status swav_network_recalibrate_batch(swav_network* network, const float* images, int64_t count, int32_t height,
                                           int32_t width) {
  return api::interruptible([&] {
    api::check_pointers("swav_network_recalibrate_batch", {{"network", network}, {"images", images}});
    api::check_images("swav_network_recalibrate_batch", count, height, width, network->network->config().channels, 2);
    network->network->recalibrate_batch(images, count, height, width);
  });
}

swav_status swav_network_recalibrate_end(swav_network* network) {
  return api::computed([&] {
    api::check_pointers("swav_network_recalibrate_end", {{"network", network}});
    network->network->recalibrate_end();
  });
}

}  // extern "C"
