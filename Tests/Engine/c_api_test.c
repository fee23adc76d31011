/* A C11 program that uses include/swav.h alone: create, save, open, embed an encoded image, and train on two threads at once.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "swav.h"

#define CHECK(condition)                                                                                  \
  do {                                                                                                    \
    if (!(condition)) {                                                                                   \
      fprintf(stderr, "%s:%d: %s is not so; %s\n", __FILE__, __LINE__, #condition, swav_error_message()); \
      exit(1);                                                                                            \
    }                                                                                                     \
  } while (0)

enum { SIDE = 40, DIM = 8, BATCH = 4, STEPS = 3, LARGE = 2 * BATCH * 16 * 16 * 3, SMALL = 2 * BATCH * 8 * 8 * 3 };

static swav_network *create(uint64_t seed) {
  swav_network_config config = swav_network_config_default();
  config.depth = 18;
  config.base_width = 4;
  config.stem = SWAV_STEM_SMALL;
  config.hidden = 16;
  config.dim = DIM;
  config.prototypes[0] = 10;
  swav_network *network = NULL;
  CHECK(swav_network_create(&config, seed, &network) == SWAV_OK);
  return network;
}

/* A gradient picture as JPEG; the caller frees it. */
static unsigned char *picture(size_t *size) {
  uint8_t samples[SIDE * SIDE * 3];
  for (int i = 0; i < SIDE * SIDE * 3; ++i) samples[i] = (uint8_t)(i * 7 % 251);
  CHECK(swav_image_encode_jpeg(samples, SIDE, SIDE, 3, 90, NULL, 0, size) == SWAV_ERROR_LIMIT);
  unsigned char *bytes = malloc(*size);
  CHECK(bytes != NULL);
  CHECK(swav_image_encode_jpeg(samples, SIDE, SIDE, 3, 90, bytes, *size, size) == SWAV_OK);
  return bytes;
}

static void embed(swav_network *network, float *embedding) {
  size_t size = 0;
  unsigned char *bytes = picture(&size);
  CHECK(swav_network_embed_bytes(network, bytes, size, 16, SWAV_OUTPUT_EMBEDDINGS, embedding) == SWAV_OK);
  free(bytes);
  double square = 0;
  for (int i = 0; i < DIM; ++i) square += (double)embedding[i] * (double)embedding[i];
  CHECK(fabs(square - 1) < 1e-5);
}

/* Trains a network of its own; the loss of the last step goes to *argument. */
static void *train(void *argument) {
  swav_network *network = create(3);
  swav_trainer_config config = swav_trainer_config_default();
  config.crop_sizes[0] = 16;
  config.crop_counts[1] = 2;
  config.crop_sizes[1] = 8;
  config.batch = BATCH;
  swav_trainer *trainer = NULL;
  CHECK(swav_trainer_create(network, &config, &trainer) == SWAV_OK);
  float *large = malloc(LARGE * sizeof *large), *small = malloc(SMALL * sizeof *small);
  CHECK(large != NULL && small != NULL);
  swav_step_report report;
  for (int step = 0; step < STEPS; ++step) {
    for (int i = 0; i < LARGE; ++i) large[i] = sinf((float)(i * (step + 1)));
    for (int i = 0; i < SMALL; ++i) small[i] = cosf((float)(i * (step + 1)));
    const float *crops[2] = {large, small};
    swav_step_input input = {crops, 0.1, false, false, true};
    CHECK(swav_trainer_step(trainer, &input, &report) == SWAV_OK);
  }
  *(double *)argument = report.loss;
  free(large);
  free(small);
  swav_trainer_destroy(trainer);
  swav_network_destroy(network);
  return NULL;
}

static void check_files(const char *path) {
  float created[DIM], opened[DIM];
  swav_network *network = create(1);
  embed(network, created);
  CHECK(swav_network_save(network, path) == SWAV_OK);
  swav_network_destroy(network);
  swav_load_report report;
  CHECK(swav_network_open(path, NULL, &network, &report) == SWAV_OK);
  CHECK(report.missing == 0 && report.unexpected == 0);
  embed(network, opened);
  CHECK(memcmp(created, opened, sizeof created) == 0);
  swav_network_destroy(network);
  remove(path);
  CHECK(swav_network_open(path, NULL, &network, NULL) == SWAV_ERROR_IO);
  CHECK(strstr(swav_error_message(), path) != NULL);
}

int main(int argc, char **argv) {
  CHECK(argc == 2); /* a path to write to */
  CHECK(swav_version() == SWAV_VERSION);
  check_files(argv[1]);

  double losses[2] = {0, 1};
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) CHECK(pthread_create(&threads[i], NULL, train, &losses[i]) == 0);
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(losses[0] == losses[1]); /* equal inputs, equal bits */
  CHECK(losses[0] > 0 && losses[0] < 10);

  swav_network_destroy(NULL);
  swav_trainer_destroy(NULL);
  swav_image_destroy(NULL);
  return 0;
}
