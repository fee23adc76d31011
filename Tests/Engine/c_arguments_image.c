/* Of c_arguments_test: pictures, recipes, plans. */
#include "c_arguments.h"

static void images(void) {
  swav_image_info info;
  swav_image *image = NULL;
  double mean[3] = {7, 7, 7}, square[3];
  size_t size = 0;
  REFUSED("samples is NULL", swav_image_encode_jpeg(NULL, SIDE, SIDE, 3, 90, picture, sizeof picture, &size));
  REFUSED("size is NULL", swav_image_encode_jpeg(samples, SIDE, SIDE, 3, 90, picture, sizeof picture, NULL));
  REFUSED("size is 0 x 16", swav_image_encode_jpeg(samples, 0, SIDE, 3, 90, picture, sizeof picture, &size));
  REFUSED("size is 16 x -1", swav_image_encode_jpeg(samples, SIDE, -1, 3, 90, picture, sizeof picture, &size));
  REFUSED("channels is 2", swav_image_encode_jpeg(samples, SIDE, SIDE, 2, 90, picture, sizeof picture, &size));
  REFUSED("quality is 0", swav_image_encode_jpeg(samples, SIDE, SIDE, 3, 0, picture, sizeof picture, &size));
  REFUSED("quality is 101", swav_image_encode_jpeg(samples, SIDE, SIDE, 3, 101, picture, sizeof picture, &size));
  REFUSED("buffer is NULL", swav_image_encode_jpeg(samples, SIDE, SIDE, 3, 90, NULL, sizeof picture, &size));
  REFUSED("samples is NULL", swav_image_encode_png(NULL, SIDE, SIDE, 3, picture, sizeof picture, &size));
  REFUSED("size is NULL", swav_image_encode_png(samples, SIDE, SIDE, 3, picture, sizeof picture, NULL));
  REFUSED("size is 65501 x 1", swav_image_encode_png(samples, 65501, 1, 3, picture, sizeof picture, &size));
  REFUSED("channels is 4", swav_image_encode_png(samples, SIDE, SIDE, 4, picture, sizeof picture, &size));
  REFUSED("buffer is NULL", swav_image_encode_png(samples, SIDE, SIDE, 3, NULL, sizeof picture, &size));
  expect(__FILE__, __LINE__, "no room", swav_image_encode_png(samples, SIDE, SIDE, 3, NULL, 0, &size), SWAV_ERROR_LIMIT,
         "capacity");
  WORKS(swav_image_encode_jpeg(samples, SIDE, SIDE, 3, 90, picture, sizeof picture, &picture_size));

  REFUSED("bytes is NULL", swav_image_probe(NULL, 9, &info));
  REFUSED("info is NULL", swav_image_probe(picture, picture_size, NULL));
  expect(__FILE__, __LINE__, "no bytes", swav_image_probe(NULL, 0, &info), SWAV_ERROR_FORMAT, "the file is empty");
  WORKS(swav_image_probe(picture, picture_size, &info));
  REFUSED("bytes is NULL", swav_image_decode(NULL, 9, NULL, &image));
  REFUSED("image is NULL", swav_image_decode(picture, picture_size, NULL, NULL));
  const swav_decode_options options = swav_decode_options_default();
#define DECODE(part, field, value) \
  WITH(swav_decode_options, options, field, value, REFUSED(part, swav_image_decode(picture, picture_size, &changed, &image)))
  DECODE("options.channels is 2", channels, 2);
  DECODE("options.channels is -1", channels, -1);
  DECODE("options.bits is 16", bits, 16);
  DECODE("options.max_pixels is 0", max_pixels, 0);
  DECODE("options.max_dimension is 0", max_dimension, 0);
  DECODE("options.background[1] is 2", background[1], 2);
  DECODE("options.background[2] is nan", background[2], NAN);
  REFUSED("samples is NULL", swav_image_create(NULL, SIDE, SIDE, 3, 8, &image));
  REFUSED("image is NULL", swav_image_create(samples, SIDE, SIDE, 3, 8, NULL));
  REFUSED("size is -1 x 16", swav_image_create(samples, -1, SIDE, 3, 8, &image));
  REFUSED("channels is 4", swav_image_create(samples, SIDE, SIDE, 4, 8, &image));
  REFUSED("bits is 12", swav_image_create(samples, SIDE, SIDE, 3, 12, &image));
  if (image != NULL) ++failures;
  WORKS(swav_image_decode(picture, picture_size, NULL, &image));
  REFUSED("image is NULL", swav_image_describe(NULL, &info));
  REFUSED("info is NULL", swav_image_describe(image, NULL));
  REFUSED("image is NULL", swav_image_moments(NULL, mean, square));
  REFUSED("mean is NULL", swav_image_moments(image, NULL, square));
  REFUSED("mean_square is NULL", swav_image_moments(image, mean, NULL));
  if (swav_image_samples(NULL) != NULL || swav_image_samples(image) == NULL || mean[0] != 7) ++failures;
  swav_image_destroy(image);
  swav_image_destroy(NULL);
}

static swav_recipe small_recipe(void) {
  swav_recipe recipe = swav_recipe_default();
  recipe.groups[0] = (swav_crop_group){2, SIDE, 0.1f, 1};
  recipe.groups[1] = (swav_crop_group){1, 8, 0.1f, 1};
  return recipe;
}

static void recipes(void) {
  const swav_recipe recipe = small_recipe();
  swav_crop_plan plan;
#define RECIPE(part, field, value) \
  WITH(swav_recipe, recipe, field, value, REFUSED(part, swav_crop_plan_sample(&changed, 1, 0, 0, 0, SIDE, SIDE, &plan)))
  RECIPE("group_count is 0", group_count, 0);
  RECIPE("group_count is 9", group_count, 9);
  RECIPE("group_count is -2147483648", group_count, INT32_MIN);
  RECIPE("groups[1].count is 0", groups[1].count, 0);
  RECIPE("groups[0].count is 2147483647", groups[0].count, INT32_MAX);
  RECIPE("size is 0", groups[0].size, 0);
  RECIPE("size is 2147483647", groups[1].size, INT32_MAX);
  RECIPE("area fractions", groups[0].min_scale, 0);
  RECIPE("area fractions", groups[0].max_scale, NAN);
  RECIPE("channels is 2", channels, 2);
  RECIPE("aspect", min_aspect, 0);
  RECIPE("aspect", max_aspect, INFINITY);
  RECIPE("flip_probability is nan", flip_probability, NAN);
  RECIPE("jitter_probability is -0.5", jitter_probability, -0.5f);
  RECIPE("grayscale_probability is 2", grayscale_probability, 2);
  RECIPE("blur_probability is 2", blur_probability, 2);
  RECIPE("brightness is -1", brightness, -1);
  RECIPE("contrast is nan", contrast, NAN);
  RECIPE("saturation is inf", saturation, INFINITY);
  RECIPE("hue is 1", hue, 1);
  RECIPE("sigma", min_sigma, -1);
  RECIPE("sigma", max_sigma, INFINITY);
  RECIPE("mean[2] is nan", mean[2], NAN);
  RECIPE("std[0] is 0", std[0], 0);
  for (int i = 0; i < WRONG_NUMBERS; ++i) RECIPE("precision is ", precision, (swav_precision)wrong_number(i, 2));
  REFUSED("recipe is NULL", swav_crop_plan_sample(NULL, 1, 0, 0, 0, SIDE, SIDE, &plan));
  REFUSED("plan is NULL", swav_crop_plan_sample(&recipe, 1, 0, 0, 0, SIDE, SIDE, NULL));
  REFUSED("crop is -1", swav_crop_plan_sample(&recipe, 1, 0, 0, -1, SIDE, SIDE, &plan));
  REFUSED("crop is 3", swav_crop_plan_sample(&recipe, 1, 0, 0, 3, SIDE, SIDE, &plan));
  REFUSED("image is 0 x 16 pixels", swav_crop_plan_sample(&recipe, 1, 0, 0, 0, 0, SIDE, &plan));
  REFUSED("image is 16 x -1 pixels", swav_crop_plan_sample(&recipe, 1, 0, 0, 0, SIDE, -1, &plan));
  REFUSED("plan is NULL", swav_crop_plan_centre(SIDE, SIDE, SIDE, NULL));
  REFUSED("size is 0", swav_crop_plan_centre(0, SIDE, SIDE, &plan));
  REFUSED("image is -1 x 16 pixels", swav_crop_plan_centre(SIDE, -1, SIDE, &plan));
  REFUSED("plan is NULL", swav_crop_plan_whole(SIDE, SIDE, SIDE, NULL));
  REFUSED("size is -1", swav_crop_plan_whole(-1, SIDE, SIDE, &plan));
  REFUSED("image is 16 x 0 pixels", swav_crop_plan_whole(SIDE, SIDE, 0, &plan));
  if (swav_epoch_order(1, 0, 0, 5) != 0 || swav_epoch_order(1, 0, 10, 5) >= 10) ++failures;

  float *outputs[3] = {pixels, pixels + PIXELS, pixels + 2 * PIXELS};
  REFUSED("bytes is NULL", swav_multicrop(NULL, 9, NULL, &recipe, 1, 0, 0, outputs));
  REFUSED("recipe is NULL", swav_multicrop(picture, picture_size, NULL, NULL, 1, 0, 0, outputs));
  REFUSED("outputs is NULL", swav_multicrop(picture, picture_size, NULL, &recipe, 1, 0, 0, NULL));
  WITH(swav_recipe, recipe, groups[0].count, 0,
       REFUSED("groups[0].count is 0", swav_multicrop(picture, picture_size, NULL, &changed, 1, 0, 0, outputs)));
  for (int v = 0; v < 3; ++v) {
    float *some[3] = {pixels, pixels + PIXELS, pixels + 2 * PIXELS};
    some[v] = NULL;
    char part[32];
    snprintf(part, sizeof part, "outputs[%d] is NULL", v);
    REFUSED(part, swav_multicrop(picture, picture_size, NULL, &recipe, 1, 0, 0, some));
  }
  WORKS(swav_multicrop(picture, picture_size, NULL, &recipe, 1, 0, 0, outputs));
}

static void plans(void) {
  const swav_recipe recipe = small_recipe();
  swav_image *image = NULL, *gray = NULL;
  swav_crop_plan plan;
  WORKS(swav_image_create(samples, SIDE, SIDE, 3, 8, &image));
  WORKS(swav_image_create(samples, SIDE, SIDE, 1, 8, &gray));
  WORKS(swav_crop_plan_whole(8, SIDE, SIDE, &plan));
#define PLAN(part, field, value)                                                                                \
  WITH(swav_crop_plan, plan, field, value, REFUSED(part, swav_crop_execute(image, &changed, &recipe, pixels))); \
  WITH(swav_crop_plan, plan, field, value, REFUSED(part, swav_crop_render(image, &changed, samples)))
  PLAN("source box", left, -1);
  PLAN("source box", top, 1);
  PLAN("source box", width, INT32_MAX);
  PLAN("source box", height, 0);
  PLAN("window", resized_width, 7);
  PLAN("window", offset_x, -1);
  PLAN("window", offset_y, INT32_MAX);
  PLAN("size is 0", size, 0);
  swav_crop_plan colours = plan;
  colours.jitter = colours.blur = true;
  for (int i = 0; i < 4; ++i) colours.color_order[i] = (uint8_t)i, colours.color_factor[i] = 0;
  colours.sigma = 1;
#define COLOUR(part, field, value) \
  WITH(swav_crop_plan, colours, field, value, REFUSED(part, swav_crop_execute(image, &changed, &recipe, pixels)))
  COLOUR("color_order", color_order[2], 4);
  COLOUR("color_factor", color_factor[1], NAN);
  COLOUR("sigma", sigma, NAN);
  COLOUR("sigma", sigma, 1e9f);
  REFUSED("image is NULL", swav_crop_execute(NULL, &plan, &recipe, pixels));
  REFUSED("plan is NULL", swav_crop_execute(image, NULL, &recipe, pixels));
  REFUSED("recipe is NULL", swav_crop_execute(image, &plan, NULL, pixels));
  REFUSED("pixels is NULL", swav_crop_execute(image, &plan, &recipe, NULL));
  REFUSED("channels", swav_crop_execute(gray, &plan, &recipe, pixels));
  WITH(swav_recipe, recipe, std[1], -1, REFUSED("std[1] is -1", swav_crop_execute(image, &plan, &changed, pixels)));
  REFUSED("image is NULL", swav_crop_render(NULL, &plan, samples));
  REFUSED("plan is NULL", swav_crop_render(image, NULL, samples));
  REFUSED("samples is NULL", swav_crop_render(image, &plan, NULL));
  swav_image_destroy(image);
  swav_image_destroy(gray);
}

void refuse_images(void) {
  images();
  recipes();
  plans();
}
