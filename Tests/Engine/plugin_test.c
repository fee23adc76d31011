/* A host of plugins: plugin_test LIBRARY loads the library, computes with it, unloads it, and lives on; three times. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "swav.h"

/* A function of the library; C has no cast between pointers to data and to functions, POSIX says that the bytes may be copied.
 */
#define LOAD(function)                                \
  do {                                                \
    void *symbol = dlsym(library, "swav_" #function); \
    if (symbol == NULL) return 1;                     \
    memcpy(&function, &symbol, sizeof symbol);        \
  } while (0)

static int use(void *library) {
  swav_network_config (*network_config_default)(void);
  swav_status (*network_create)(const swav_network_config *, uint64_t, swav_network **);
  swav_status (*network_embed)(swav_network *, swav_output, const float *, int64_t, int32_t, int32_t, float *);
  void (*network_destroy)(swav_network *);
  LOAD(network_config_default);
  LOAD(network_create);
  LOAD(network_embed);
  LOAD(network_destroy);
  swav_network_config config = network_config_default();
  config.depth = 18;
  config.base_width = 8;
  config.hidden = 0;
  config.dim = 0;
  config.head_count = 0;
  swav_network *network = NULL;
  static float pixels[8 * 32 * 32 * 3], features[8 * 64];
  if (network_create(&config, 1, &network) != SWAV_OK) return 1;
  if (network_embed(network, SWAV_OUTPUT_FEATURES, pixels, 8, 32, 32, features) != SWAV_OK) return 1;
  network_destroy(network);
  return 0;
}

int main(int count, char **arguments) {
  for (int round = 0; count == 2 && round < 3; ++round) {
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || use(library) != 0) {
      fprintf(stderr, "plugin_test: round %d failed\n", round);
      return 1;
    }
    dlclose(library);
    const struct timespec pause = {0, 100000000}; /* for the threads that the library started */
    nanosleep(&pause, NULL);
  }
  return count == 2 ? 0 : 64;
}
