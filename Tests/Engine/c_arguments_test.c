/* Every function of include/swav.h with every wrong argument: refused with SWAV_ERROR_ARGUMENT and one line that names it,
 * outputs as they were, and no crash. That no function is left out is checked by c_functions.cmake. */
#include "c_arguments.h"

int failures = 0;
const int64_t wrong_counts[WRONG_COUNTS] = {-1, INT64_MIN, INT64_C(1) << 40, INT64_MAX};
float pixels[MANY], results[MANY];
uint8_t samples[PIXELS];
unsigned char picture[1 << 16];
size_t picture_size;

int wrong_number(int index, int count) {
  const int numbers[WRONG_NUMBERS] = {-1, count, 99, INT32_MIN, INT32_MAX};
  return numbers[index];
}

void expect(const char *file, int line, const char *call, swav_status status, swav_status wanted, const char *part) {
  const char *message = swav_error_message();
  if (status == wanted && (part == NULL || (*part && strstr(message, part) && !strchr(message, '\n')))) return;
  fprintf(stderr, "%s:%d: %s gave %d: %s; wanted %d, %s\n", file, line, call, (int)status, message, (int)wanted,
          part ? part : "no message");
  ++failures;
}

static void runtime(void) {
  REFUSED("info is NULL", swav_runtime(NULL));
  REFUSED("bytes is NULL", swav_memory_room(NULL));
  REFUSED("gflops is NULL", swav_measure_peak(NULL));
  REFUSED("threads is -1", swav_set_threads(-1));
  REFUSED("threads is 4097", swav_set_threads(4097));
  REFUSED("threads is -1", swav_set_caller_threads(-1, NULL));
  REFUSED("threads is 2147483647", swav_set_caller_threads(INT32_MAX, NULL));
  WORKS(swav_set_caller_threads(0, NULL));
  swav_runtime_info info;
  WORKS(swav_runtime(&info));
  int64_t room = -1;
  WORKS(swav_memory_room(&room));
  if (room < 0) ++failures;
  double gflops = 0;
  WORKS(swav_measure_peak(&gflops));
  if (swav_version() != SWAV_VERSION || info.version != SWAV_VERSION || gflops <= 0) ++failures;
  const volatile int32_t flag = 0;
  if (swav_watch_cancellation(&flag) != NULL || swav_is_cancelled() || swav_watch_cancellation(NULL) != &flag) ++failures;
}

int main(int count, char **arguments) {
  if (count != 2) return 64;
  for (int i = 0; i < PIXELS; ++i) samples[i] = (uint8_t)(i * 7 % 251);
  for (int i = 0; i < MANY; ++i) pixels[i] = (float)(i * 31 % 97) / 97;
  runtime();
  refuse_images();
  swav_network *network = small_network();
  refuse_networks(network, arguments[1]);
  refuse_training(network, arguments[1]);
  swav_network_destroy(network);
  refuse_objective();
  refuse_evaluation();
  if (failures > 0) fprintf(stderr, "c_arguments_test: %d failures\n", failures);
  return failures > 0;
}
