#include "network/network.h"

#include <cstring>

#include "api/api.h"
#include "api/handles.h"
#include "image/decode.h"

using namespace swav;

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
    SWAV_REQUIRE(config && network, "swav_network_create: an argument is NULL");
    *network = new swav_network{std::make_unique<Network>(*config, seed)};
  });
}

void swav_network_destroy(swav_network* network) {
  api::computed([&] { delete network; });
}

swav_status swav_network_describe(const swav_network* network, swav_network_info* info) {
  return api::guarded([&] {
    SWAV_REQUIRE(network && info, "swav_network_describe: an argument is NULL");
    const Network& n = *network->network;
    *info = {n.config(), n.description().feature_dim, n.parameters().parameter_count(),
             int64_t(n.parameters().entries().size())};
  });
}

swav_status swav_network_tensor(swav_network* network, int64_t index, swav_tensor* tensor) {
  return api::guarded([&] {
    SWAV_REQUIRE(network && tensor, "swav_network_tensor: an argument is NULL");
    Network& n = *network->network;
    const auto& entries = n.parameters().entries();
    SWAV_REQUIRE(index >= 0 && index < int64_t(entries.size()), "tensor index is %lld; 0 to %zu is allowed",
                 static_cast<long long>(index), entries.size() - 1);
    const TensorEntry& entry = entries[size_t(index)];
    n.parameters().touch();  // the caller may write through the view
    swav_tensor view{};
    view.name = entry.name.c_str();
    view.kind = entry.kind;
    view.rank = int32_t(entry.shape.size());
    for (size_t i = 0; i < entry.shape.size(); ++i) view.shape[i] = entry.shape[i];
    view.count = entry.count;
    view.data = n.parameters().data(entry);
    view.gradient = entry.kind == SWAV_TENSOR_PARAMETER && n.gradients ? n.gradients + entry.offset : nullptr;
    *tensor = view;
  });
}

swav_status swav_network_load(swav_network* network, const char* path, swav_load_report* report) {
  return api::computed([&] {
    SWAV_REQUIRE(network && path, "swav_network_load: an argument is NULL");
    load_weights(*network->network, path, report);
  });
}

swav_status swav_network_open(const char* path, swav_network** network, swav_load_report* report) {
  return api::computed([&] {
    SWAV_REQUIRE(path && network, "swav_network_open: an argument is NULL");
    *network = new swav_network{open_network(path, report)};
  });
}

swav_status swav_network_input(const swav_network* network, swav_input_description* input) {
  return api::guarded([&] {
    SWAV_REQUIRE(network && input, "swav_network_input: an argument is NULL");
    *input = network->network->input;
  });
}

swav_status swav_network_describe_input(swav_network* network, const swav_input_description* input) {
  return api::guarded([&] {
    SWAV_REQUIRE(network && input, "swav_network_describe_input: an argument is NULL");
    SWAV_REQUIRE(input->size >= 8 && input->size <= 16384, "input size is %d; 8 to 16384 is allowed", input->size);
    for (int32_t c = 0; c < network->network->config().channels; ++c) {
      SWAV_REQUIRE(input->std[c] > 0, "std[%d] is %g; a positive number is needed", c, double(input->std[c]));
    }
    network->network->input = *input;
  });
}

swav_status swav_network_save(const swav_network* network, const char* path) {
  return api::computed([&] {
    SWAV_REQUIRE(network && path, "swav_network_save: an argument is NULL");
    save_weights(*network->network, path);
  });
}

static void check_output(const swav_output& output) {
  const int wanted = swav::api::number(output);
  SWAV_REQUIRE(wanted >= 0 && wanted <= SWAV_OUTPUT_SCORES,
               "output is %d; 0 (features), 1 (embeddings) and 2 (scores) are known", wanted);
}

swav_status swav_network_embed(swav_network* network, swav_output output, const float* images, int64_t count, int32_t height,
                               int32_t width, float* result) {
  return api::interruptible([&] {
    SWAV_REQUIRE(network && images && result, "swav_network_embed: an argument is NULL");
    SWAV_REQUIRE(count >= 0, "count is %lld; 0 or more is allowed", static_cast<long long>(count));
    check_output(output);
    network->network->embed(output, images, count, height, width, result);
  });
}

swav_status swav_network_embed_bytes(swav_network* network, const void* bytes, size_t size, int32_t crop_size,
                                     swav_output output, float* result) {
  return api::guarded([&] {
    SWAV_REQUIRE(network && bytes && result, "swav_network_embed_bytes: an argument is NULL");
    check_output(output);
    Network& n = *network->network;
    const int32_t side = crop_size > 0 ? crop_size : n.input.size;
    const int32_t channels = n.config().channels;
    SWAV_REQUIRE(channels == 1 || channels == 3, "this network takes %d channels; encoded images have 1 or 3", channels);
    swav_decode_options options = swav_decode_options_default();
    options.channels = channels;
    options.bits = image::decode_bits_for(channels);
    swav_recipe recipe = swav_recipe_default();
    recipe.channels = channels;
    std::memcpy(recipe.mean, n.input.mean, sizeof recipe.mean);
    std::memcpy(recipe.std, n.input.std, sizeof recipe.std);
    const api::DecodedImage image(bytes, size, options);
    swav_image_info info;
    api::require(swav_image_describe(image.get(), &info));
    swav_crop_plan plan;
    api::require(swav_crop_plan_centre(side, info.width, info.height, &plan));
    std::vector<float> pixels(size_t(side) * size_t(side) * size_t(channels));
    api::require(swav_crop_execute(image.get(), &plan, &recipe, pixels.data()));
    parallel::run_interruptibly_on_engine([&] { n.embed(output, pixels.data(), 1, side, side, result); });
  });
}

swav_status swav_network_set_inference(swav_network* network, swav_inference inference) {
  return api::computed([&] {
    SWAV_REQUIRE(network, "swav_network_set_inference: network is NULL");
    const int wanted = api::number(inference);
    SWAV_REQUIRE(wanted == SWAV_INFERENCE_FLOAT32 || wanted == SWAV_INFERENCE_INT8,
                 "inference is %d; 0 (float32) and 1 (int8) are known", wanted);
    network->network->set_precision(wanted == SWAV_INFERENCE_INT8 ? Precision::int8 : Precision::float32);
  });
}

swav_status swav_network_calibrate(swav_network* network, const float* images, int64_t count, int32_t height, int32_t width) {
  return api::interruptible([&] {
    SWAV_REQUIRE(network && images, "swav_network_calibrate: an argument is NULL");
    network->network->calibrate(images, count, height, width);
  });
}

swav_status swav_network_recalibrate_begin(swav_network* network) {
  return api::computed([&] {
    SWAV_REQUIRE(network, "swav_network_recalibrate_begin: network is NULL");
    network->network->recalibrate_begin();
  });
}

swav_status swav_network_recalibrate_batch(swav_network* network, const float* images, int64_t count, int32_t height,
                                           int32_t width) {
  return api::interruptible([&] {
    SWAV_REQUIRE(network && images, "swav_network_recalibrate_batch: an argument is NULL");
    network->network->recalibrate_batch(images, count, height, width);
  });
}

swav_status swav_network_recalibrate_end(swav_network* network) {
  return api::computed([&] {
    SWAV_REQUIRE(network, "swav_network_recalibrate_end: network is NULL");
    network->network->recalibrate_end();
  });
}

}  // extern "C"
