/* Of c_arguments_test: networks and embedding. */
#include "c_arguments.h"

static swav_network_config small_config(void) {
  swav_network_config config = swav_network_config_default();
  config.depth = 18;
  config.base_width = 4;
  config.stem = SWAV_STEM_SMALL;
  config.hidden = 8;
  config.dim = 4;
  config.prototypes[0] = 5;
  return config;
}

static void network_settings(void) {
  const swav_network_config config = small_config();
  swav_network *network = NULL;
#define NETWORK(part, field, value) \
  WITH(swav_network_config, config, field, value, REFUSED(part, swav_network_create(&changed, 1, &network)))
  NETWORK("depth is 0", depth, 0);
  NETWORK("depth is 101", depth, 101);
  NETWORK("width is 0", width, 0);
  NETWORK("width is 2147483647", width, INT32_MAX);
  NETWORK("base_width is -1", base_width, -1);
  NETWORK("base_width is 2147483647", base_width, INT32_MAX);
  for (int i = 0; i < WRONG_NUMBERS; ++i) NETWORK("stem is ", stem, (swav_stem)wrong_number(i, SWAV_STEM_SMALL + 1));
  NETWORK("channels is 0", channels, 0);
  NETWORK("channels is 5", channels, 5);
  NETWORK("hidden is -1", hidden, -1);
  NETWORK("hidden is 2147483647", hidden, INT32_MAX);
  NETWORK("dim is -1", dim, -1);
  NETWORK("dim is 2147483647", dim, INT32_MAX);
  NETWORK("with dim 0", dim, 0);
  NETWORK("head_count is 9", head_count, 9);
  NETWORK("head_count is -1", head_count, -1);
  NETWORK("prototypes[0] is 1", prototypes[0], 1);
  NETWORK("prototypes[0] is 2147483647", prototypes[0], INT32_MAX);
  NETWORK("prototypes[1] is 0", head_count, 2);
  REFUSED("config is NULL", swav_network_create(NULL, 1, &network));
  REFUSED("network is NULL", swav_network_create(&config, 1, NULL));
  if (network != NULL) ++failures;
}

static void networks(swav_network *network, const char *path) {
  swav_network *other = NULL;
  swav_network_info info;
  swav_tensor tensor;
  swav_input_description input;
  REFUSED("network is NULL", swav_network_describe(NULL, &info));
  REFUSED("info is NULL", swav_network_describe(network, NULL));
  WORKS(swav_network_describe(network, &info));
  REFUSED("network is NULL", swav_network_copy(NULL, &other));
  REFUSED("copy is NULL", swav_network_copy(network, NULL));
  REFUSED("network is NULL", swav_network_tensor(NULL, 0, &tensor));
  REFUSED("tensor is NULL", swav_network_tensor(network, 0, NULL));
  const int64_t wrong[] = {-1, info.tensor_count, INT64_MIN, INT64_MAX};
  for (int i = 0; i < 4; ++i) {
    REFUSED("index is ", swav_network_tensor(network, wrong[i], &tensor));
    REFUSED("index is ", swav_network_read_tensor(network, wrong[i], results, 1));
    REFUSED("index is ", swav_network_write_tensor(network, wrong[i], results, 1));
  }
  WORKS(swav_network_tensor(network, 0, &tensor));
  REFUSED("network is NULL", swav_network_read_tensor(NULL, 0, results, tensor.count));
  REFUSED("values is NULL", swav_network_read_tensor(network, 0, NULL, tensor.count));
  REFUSED("network is NULL", swav_network_write_tensor(NULL, 0, results, tensor.count));
  REFUSED("values is NULL", swav_network_write_tensor(network, 0, NULL, tensor.count));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", swav_network_read_tensor(network, 0, results, wrong_counts[i]));
    REFUSED("count is ", swav_network_write_tensor(network, 0, results, wrong_counts[i]));
  }
  REFUSED("count is ", swav_network_write_tensor(network, 0, results, tensor.count - 1));

  REFUSED("network is NULL", swav_network_input(NULL, &input));
  REFUSED("input is NULL", swav_network_input(network, NULL));
  WORKS(swav_network_input(network, &input));
  REFUSED("network is NULL", swav_network_describe_input(NULL, &input));
  REFUSED("input is NULL", swav_network_describe_input(network, NULL));
#define INPUT(part, field, value) \
  WITH(swav_input_description, input, field, value, REFUSED(part, swav_network_describe_input(network, &changed)))
  INPUT("size is 7", size, 7);
  INPUT("size is 2147483647", size, INT32_MAX);
  INPUT("mean[1] is nan", mean[1], NAN);
  INPUT("std[0] is 0", std[0], 0);
  INPUT("std[2] is inf", std[2], INFINITY);
  REFUSED("network is NULL", swav_network_save(NULL, path));
  REFUSED("path is NULL", swav_network_save(network, NULL));
  REFUSED("network is NULL", swav_network_export(NULL, path, NULL));
  REFUSED("path is NULL", swav_network_export(network, NULL, NULL));
  for (int i = 0; i < WRONG_NUMBERS; ++i) {
    swav_export_options options = {SWAV_TENSORS_TORCH, SWAV_KEYS_MMDET, true};
    options.format = (swav_tensor_format)wrong_number(i, SWAV_TENSORS_TORCH + 1);
    REFUSED("format is ", swav_network_export(network, path, &options));
    options.format = SWAV_TENSORS_TORCH;
    options.keys = (swav_keys)wrong_number(i, SWAV_KEYS_MMDET + 1);
    REFUSED("keys is ", swav_network_export(network, path, &options));
  }
  REFUSED("network is NULL", swav_network_load(NULL, path, NULL, NULL));
  REFUSED("path is NULL", swav_network_load(network, NULL, NULL, NULL));
  REFUSED("path is NULL", swav_network_open(NULL, NULL, &other, NULL));
  REFUSED("network is NULL", swav_network_open(path, NULL, NULL, NULL));
  if (other != NULL) ++failures;
  swav_network_destroy(NULL);
}

static void tensor_files(swav_network *network, const char *path) {
  swav_tensor_file *file = NULL;
  WORKS(swav_network_save(network, path));
  REFUSED("path is NULL", swav_tensor_file_open(NULL, &file));
  REFUSED("file is NULL", swav_tensor_file_open(path, NULL));
  WORKS(swav_tensor_file_open(path, &file));
  swav_tensor_file_info info;
  REFUSED("file is NULL", swav_tensor_file_describe(NULL, &info));
  REFUSED("info is NULL", swav_tensor_file_describe(file, NULL));
  WORKS(swav_tensor_file_describe(file, &info));
  const char *key, *value;
  swav_stored_tensor tensor;
  REFUSED("file is NULL", swav_tensor_file_metadata(NULL, 0, &key, &value));
  REFUSED("key is NULL", swav_tensor_file_metadata(file, 0, NULL, &value));
  REFUSED("value is NULL", swav_tensor_file_metadata(file, 0, &key, NULL));
  REFUSED("file is NULL", swav_tensor_file_tensor(NULL, 0, &tensor));
  REFUSED("tensor is NULL", swav_tensor_file_tensor(file, 0, NULL));
  const int64_t wrong[] = {-1, info.tensor_count, INT64_MIN, INT64_MAX};
  for (int i = 0; i < 4; ++i) {
    REFUSED("index is ", swav_tensor_file_tensor(file, wrong[i], &tensor));
    REFUSED("index is ", swav_tensor_file_metadata(file, wrong[i], &key, &value));
  }
  swav_network_config config;
  swav_load_report report;
  REFUSED("file is NULL", swav_tensor_file_recognize(NULL, NULL, &config, &report));
  REFUSED("config is NULL", swav_tensor_file_recognize(file, NULL, NULL, &report));
  REFUSED("report is NULL", swav_tensor_file_recognize(file, NULL, &config, NULL));
  swav_tensor_file_close(file);
  swav_tensor_file_close(NULL);
  remove(path);
}

typedef swav_status (*embed_images)(swav_network *, swav_output, const float *, int64_t, int32_t, int32_t, float *);
typedef swav_status (*embed_picture)(swav_network *, const void *, size_t, int32_t, swav_output, float *);

static void check_embed(swav_network *network, embed_images embed, embed_picture embed_bytes) {
  const swav_output output = SWAV_OUTPUT_FEATURES;
  REFUSED("network is NULL", embed(NULL, output, pixels, 1, SIDE, SIDE, results));
  REFUSED("images is NULL", embed(network, output, NULL, 1, SIDE, SIDE, results));
  REFUSED("result is NULL", embed(network, output, pixels, 1, SIDE, SIDE, NULL));
  REFUSED("network is NULL", embed_bytes(NULL, picture, picture_size, SIDE, output, results));
  REFUSED("bytes is NULL", embed_bytes(network, NULL, picture_size, SIDE, output, results));
  REFUSED("result is NULL", embed_bytes(network, picture, picture_size, SIDE, output, NULL));
  for (int i = 0; i < WRONG_NUMBERS; ++i) {
    const swav_output wrong = (swav_output)wrong_number(i, SWAV_OUTPUT_GRID + 1);
    REFUSED("output is ", embed(network, wrong, pixels, 1, SIDE, SIDE, results));
    REFUSED("output is ", embed_bytes(network, picture, picture_size, SIDE, wrong, results));
  }
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", embed(network, output, pixels, wrong_counts[i], SIDE, SIDE, results));
  }
  REFUSED("images is 2147483647 x 16384", embed(network, output, pixels, INT32_MAX, 16384, 16384, results));
  const int32_t wrong_sides[] = {-1, 7, 16385, INT32_MIN, INT32_MAX};
  for (int i = 0; i < 5; ++i) {
    REFUSED("pixels", embed(network, output, pixels, 1, wrong_sides[i], SIDE, results));
    REFUSED("pixels", embed(network, output, pixels, 1, SIDE, wrong_sides[i], results));
    REFUSED("crop_size is ", embed_bytes(network, picture, picture_size, wrong_sides[i], output, results));
  }
}

static void embedding(swav_network *network) {
  REFUSED("nothing has been calibrated",
          swav_network_embed_int8(network, SWAV_OUTPUT_FEATURES, pixels, 1, SIDE, SIDE, results));
  check_embed(network, swav_network_embed, swav_network_embed_bytes);
  check_embed(network, swav_network_embed_int8, swav_network_embed_bytes_int8);
  check_embed(network, swav_network_embed_bfloat16, swav_network_embed_bytes_bfloat16);
  REFUSED("network is NULL", swav_network_calibrate(NULL, pixels, 1, SIDE, SIDE));
  REFUSED("images is NULL", swav_network_calibrate(network, NULL, 1, SIDE, SIDE));
  REFUSED("count is 0", swav_network_calibrate(network, pixels, 0, SIDE, SIDE));
  REFUSED("count is 1099511627776", swav_network_calibrate(network, pixels, INT64_C(1) << 40, SIDE, SIDE));
  REFUSED("pixels", swav_network_calibrate(network, pixels, 1, 7, SIDE));
  swav_activation_range range;
  REFUSED("network is NULL", swav_network_activation_range(NULL, 0, &range));
  REFUSED("range is NULL", swav_network_activation_range(network, 0, NULL));
  REFUSED("calibrate on some images first", swav_network_activation_range(network, 0, &range));
  REFUSED("network is NULL", swav_network_recalibrate_begin(NULL));
  REFUSED("begin", swav_network_recalibrate_batch(network, pixels, 2, SIDE, SIDE));
  REFUSED("batch", swav_network_recalibrate_end(network));
  REFUSED("network is NULL", swav_network_recalibrate_end(NULL));
  WORKS(swav_network_recalibrate_begin(network));
  REFUSED("network is NULL", swav_network_recalibrate_batch(NULL, pixels, 2, SIDE, SIDE));
  REFUSED("images is NULL", swav_network_recalibrate_batch(network, NULL, 2, SIDE, SIDE));
  REFUSED("count is 1", swav_network_recalibrate_batch(network, pixels, 1, SIDE, SIDE));
  REFUSED("count is 1099511627776", swav_network_recalibrate_batch(network, pixels, INT64_C(1) << 40, SIDE, SIDE));
  REFUSED("pixels", swav_network_recalibrate_batch(network, pixels, 2, SIDE, 16385));
  REFUSED("batch", swav_network_recalibrate_end(network));
}

swav_network *small_network(void) {
  const swav_network_config config = small_config();
  swav_network *network = NULL;
  WORKS(swav_network_create(&config, 1, &network));
  return network;
}

void refuse_networks(swav_network *network, const char *path) {
  network_settings();
  networks(network, path);
  tensor_files(network, path);
  embedding(network);
}
