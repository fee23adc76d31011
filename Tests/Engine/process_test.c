/* What a host program does to its process: it forks, sets a locale, unloads plugins. process_test MODE: exit 0 is right; the
 * modes are the rows of `modes`, one test each. A child that hangs is ended by an alarm. */
#define _GNU_SOURCE
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swav.h"

#define CHECK(condition)                                                                                  \
  do {                                                                                                    \
    if (!(condition)) {                                                                                   \
      fprintf(stderr, "%s:%d: %s is not so; %s\n", __FILE__, __LINE__, #condition, swav_error_message()); \
      exit(1);                                                                                            \
    }                                                                                                     \
  } while (0)

enum { SIDE = 16, BATCH = 4, FEATURES = 64, GRACE_SECONDS = 60, PIXELS = SIDE * SIDE * 3 };

static swav_network *create(void) {
  swav_network_config config = swav_network_config_default();
  config.depth = 18;
  config.base_width = 8;
  config.stem = SWAV_STEM_SMALL;
  config.hidden = 16;
  config.dim = 8;
  config.prototypes[0] = 10;
  swav_network *network = NULL;
  CHECK(swav_network_create(&config, 1, &network) == SWAV_OK);
  return network;
}

static swav_trainer *create_trainer(swav_network *network) {
  swav_trainer_config config = swav_trainer_config_default();
  config.group_count = 1;
  config.crop_sizes[0] = SIDE;
  config.batch = BATCH;
  swav_trainer *trainer = NULL;
  CHECK(swav_trainer_create(network, &config, &trainer) == SWAV_OK);
  return trainer;
}

static void fill(float *pixels, int count) {
  for (int i = 0; i < count; ++i) pixels[i] = (float)(i * 31 % 97) / 48 - 1;
}

static void embed(swav_network *network, float *features) {
  float pixels[PIXELS];
  fill(pixels, PIXELS);
  CHECK(swav_network_embed(network, SWAV_OUTPUT_FEATURES, pixels, 1, SIDE, SIDE, features) == SWAV_OK);
}

static double step(swav_trainer *trainer) {
  static float pixels[2 * BATCH * PIXELS];
  fill(pixels, 2 * BATCH * PIXELS);
  const float *crops[1] = {pixels};
  const swav_step_input input = {crops, 0.05, false, false, true};
  swav_step_report report;
  CHECK(swav_trainer_step(trainer, &input, &report) == SWAV_OK);
  return report.loss;
}

/* In a child: features as the parent's, whole exit through the handlers of exit(). */
static void embed_as(swav_network *network, const float *wanted) {
  alarm(GRACE_SECONDS);
  float features[FEATURES];
  embed(network, features);
  CHECK(memcmp(features, wanted, sizeof features) == 0);
}

static void wait_for(pid_t child) {
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(!WIFSIGNALED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

/* The expected features, from a process of its own, so that this one has not computed. */
static void features_of_another_process(float *features) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    float result[FEATURES];
    embed(create(), result);
    _exit(write(ends[1], result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
  }
  wait_for(child);
  CHECK(read(ends[0], features, FEATURES * sizeof *features) == FEATURES * (ssize_t)sizeof *features);
}

static void fork_before_anything(void) {
  float wanted[FEATURES];
  features_of_another_process(wanted);
  for (int i = 0; i < 2; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      embed_as(create(), wanted);
      exit(0);
    }
    wait_for(child);
  }
  embed_as(create(), wanted);
}

static void fork_with_an_open_network(void) {
  float wanted[FEATURES];
  features_of_another_process(wanted);
  swav_network *network = create();
  const pid_t child = fork();
  if (child == 0) {
    embed_as(network, wanted);
    exit(0);
  }
  wait_for(child);
  embed_as(network, wanted);
}

static void fork_after_use(void) {
  swav_network *network = create();
  swav_trainer *trainer = create_trainer(network);
  step(trainer);
  float features[FEATURES];
  embed(network, features);
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    embed_as(network, features);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      embed_as(network, features);
      exit(0);
    }
    wait_for(grandchild);
    const double loss = step(trainer); /* the copy goes on as the parent's does */
    CHECK(write(ends[1], &loss, sizeof loss) == sizeof loss);
    exit(0);
  }
  wait_for(child);
  double loss = 0;
  CHECK(read(ends[0], &loss, sizeof loss) == sizeof loss);
  embed_as(network, features);
  CHECK(step(trainer) == loss);
  swav_trainer_destroy(trainer);
  swav_network_destroy(network);
}

static volatile bool stop = false;

static void *train(void *trainer) {
  while (!stop) step(trainer);
  return NULL;
}

static void fork_during_calls_of_others(void) {
  swav_network *network = create(), *other = create();
  swav_trainer *trainer = create_trainer(other);
  float features[FEATURES];
  embed(network, features);
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) CHECK(pthread_create(&threads[i], NULL, train, trainer) == 0);
  for (int i = 0; i < 40; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      embed_as(network, features);
      CHECK(step(trainer) > 0);
      exit(0);
    }
    wait_for(child);
  }
  stop = true;
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}

static void *ask_for_room(void *unused) {
  (void)unused;
  int64_t bytes = 0;
  while (!stop) CHECK(swav_memory_room(&bytes) == SWAV_OK && bytes > 0);
  return NULL;
}

/* In a process that has computed nothing yet. */
static void fork_during_a_look_at_memory(void) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, ask_for_room, NULL) == 0);
  for (int i = 0; i < 1000; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(GRACE_SECONDS);
      int64_t bytes = 0;
      CHECK(swav_memory_room(&bytes) == SWAV_OK && bytes > 0);
      _exit(0);
    }
    wait_for(child);
  }
  stop = true;
  CHECK(pthread_join(thread, NULL) == 0);
}

/* _Fork runs no handlers, so the engine cannot know what it took with it: an error at once. */
static void copy_without_handlers(void) {
#if __GLIBC_PREREQ(2, 34)
  swav_network *network = create();
  const pid_t child = _Fork();
  if (child == 0) {
    alarm(GRACE_SECONDS);
    float features[FEATURES], pixels[PIXELS];
    fill(pixels, PIXELS);
    CHECK(swav_network_embed(network, SWAV_OUTPUT_FEATURES, pixels, 1, SIDE, SIDE, features) == SWAV_ERROR_UNSUPPORTED);
    CHECK(strstr(swav_error_message(), "fork()") != NULL);
    _exit(0);
  }
  wait_for(child);
#endif
}

static swav_input_description input_of(swav_network *network) {
  swav_input_description input;
  CHECK(swav_network_input(network, &input) == SWAV_OK);
  return input;
}

/* Files that are written under a locale with a decimal comma and read under one with a point, and the other way round. */
static void numbers_under_a_comma(void) {
  char path[] = "/tmp/swav-test-XXXXXX";
  const int file = mkstemp(path);
  CHECK(file >= 0);
  close(file);
  const char *const locales[2] = {"de_DE.UTF-8", "C"};
  swav_network *network = create();
  for (int written = 0; written < 2; ++written) {
    swav_input_description wanted = {48, {0.25f, 0.1f, 1e-7f}, {0.125f, 0.3f, 12345.678f}};
    CHECK(setlocale(LC_ALL, locales[written]) != NULL);
    CHECK((strcmp(localeconv()->decimal_point, ",") == 0) == (written == 0));
    CHECK(swav_network_describe_input(network, &wanted) == SWAV_OK);
    CHECK(swav_network_save(network, path) == SWAV_OK);
    CHECK(setlocale(LC_ALL, locales[1 - written]) != NULL);
    swav_network *again = NULL;
    CHECK(swav_network_open(path, NULL, &again, NULL) == SWAV_OK);
    const swav_input_description read = input_of(again);
    CHECK(read.size == wanted.size);
    CHECK(memcmp(read.mean, wanted.mean, 3 * sizeof(float)) == 0 && memcmp(read.std, wanted.std, 3 * sizeof(float)) == 0);
    swav_network_destroy(again);
  }
  remove(path);
  CHECK(setlocale(LC_ALL, "de_DE.UTF-8") != NULL);
  swav_input_description wrong = input_of(network);
  wrong.std[1] = -0.5f;
  CHECK(swav_network_describe_input(network, &wrong) == SWAV_ERROR_ARGUMENT);
  CHECK(strstr(swav_error_message(), "-0.5") != NULL);
  char text[16]; /* and the host's own locale is as it was */
  snprintf(text, sizeof text, "%.1f", 0.5);
  CHECK(strcmp(text, "0,5") == 0);
}

/* The caller's rounding, and what it does with denormals, change nothing. */
static void arithmetic_of_the_caller(void) {
  float wanted[FEATURES], found[FEATURES], pixels[PIXELS];
  features_of_another_process(wanted);
  fill(pixels, PIXELS);
  CHECK(fesetround(FE_UPWARD) == 0);
  swav_network *network = create();
  CHECK(swav_network_embed(network, SWAV_OUTPUT_FEATURES, pixels, 1, SIDE, SIDE, found) == SWAV_OK);
  CHECK(memcmp(found, wanted, sizeof found) == 0);
  uint8_t samples[3 * 33 * 17];
  float crop[8 * 8 * 3], upward[8 * 8 * 3];
  for (size_t i = 0; i < sizeof samples; ++i) samples[i] = (uint8_t)(i * 31 % 251);
  swav_image *image = NULL;
  swav_crop_plan plan;
  const swav_recipe recipe = swav_recipe_default();
  CHECK(swav_image_create(samples, 33, 17, 3, 8, &image) == SWAV_OK);
  CHECK(swav_crop_plan_centre(8, 33, 17, &plan) == SWAV_OK);
  CHECK(swav_crop_execute(image, &plan, &recipe, upward) == SWAV_OK);
  CHECK(fegetround() == FE_UPWARD); /* and the caller has them back */
  CHECK(fesetround(FE_TONEAREST) == 0);
  CHECK(swav_crop_execute(image, &plan, &recipe, crop) == SWAV_OK);
  CHECK(memcmp(crop, upward, sizeof crop) == 0);
  swav_image_destroy(image);
  swav_network_destroy(network);
}

static const struct {
  const char *name;
  void (*run)(void);
} modes[] = {
    {"fork_before_anything", fork_before_anything},
    {"fork_with_an_open_network", fork_with_an_open_network},
    {"fork_after_use", fork_after_use},
    {"fork_during_calls_of_others", fork_during_calls_of_others},
    {"fork_during_a_look_at_memory", fork_during_a_look_at_memory},
    {"arithmetic_of_the_caller", arithmetic_of_the_caller},
    {"copy_without_handlers", copy_without_handlers},
    {"numbers_under_a_comma", numbers_under_a_comma},
};

int main(int count, char **arguments) {
  for (size_t i = 0; count == 2 && i < sizeof modes / sizeof modes[0]; ++i) {
    if (strcmp(arguments[1], modes[i].name) == 0) return modes[i].run(), 0;
  }
  fprintf(stderr, "process_test: a mode is needed\n");
  return 64;
}
