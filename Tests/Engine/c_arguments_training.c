/* Of c_arguments_test: trainer, objective, schedule, evaluation. */
#include "c_arguments.h"

void refuse_objective(void) {
  const swav_codes_config config = swav_codes_config_default();
  float codes[8] = {7, 7, 7, 7, 7, 7, 7, 7};
  double loss = 7;
  REFUSED("scores is NULL", swav_codes(NULL, 4, 2, 4, &config, codes, NULL));
  REFUSED("config is NULL", swav_codes(pixels, 4, 2, 4, NULL, codes, NULL));
  REFUSED("codes is NULL", swav_codes(pixels, 4, 2, 4, &config, NULL, NULL));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("rows is ", swav_codes(pixels, wrong_counts[i], 2, 1, &config, codes, NULL));
    REFUSED("prototypes is ", swav_codes(pixels, 4, wrong_counts[i], 4, &config, codes, NULL));
    REFUSED("keep is ", swav_codes(pixels, 4, 2, wrong_counts[i], &config, codes, NULL));
  }
  REFUSED("keep is 0", swav_codes(pixels, 4, 2, 0, &config, codes, NULL));
  REFUSED("scores is ", swav_codes(pixels, INT32_MAX, INT32_MAX, 1, &config, codes, NULL));
#define CODES(part, field, value) \
  WITH(swav_codes_config, config, field, value, REFUSED(part, swav_codes(pixels, 4, 2, 4, &changed, codes, NULL)))
  CODES("epsilon is 0", epsilon, 0);
  CODES("epsilon is nan", epsilon, NAN);
  CODES("iterations are 0", iterations, 0);
  CODES("iterations are 2147483647", iterations, INT32_MAX);
  swav_codes_config relative = config;
  relative.relative = true;
  WITH(swav_codes_config, relative, epsilon_floor, -1,
       REFUSED("epsilon_floor is -1", swav_codes(pixels, 4, 2, 4, &changed, codes, NULL)));

  const int32_t first[8] = {0, 1, 0, 0, 0, 0, 0, 0}, twice[2] = {1, 1}, outside[1] = {3}, negative[1] = {-1};
#define LOSS(crops, batch, prototypes, assign, count) \
  swav_swapped_loss(pixels, crops, batch, prototypes, codes, assign, count, 0.1f, &loss, results)
  REFUSED("scores is NULL", swav_swapped_loss(NULL, 2, 2, 2, codes, first, 1, 0.1f, &loss, results));
  REFUSED("codes is NULL", swav_swapped_loss(pixels, 2, 2, 2, NULL, first, 1, 0.1f, &loss, results));
  REFUSED("assign is NULL", LOSS(2, 2, 2, NULL, 1));
  REFUSED("loss is NULL", swav_swapped_loss(pixels, 2, 2, 2, codes, first, 1, 0.1f, NULL, results));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("crops is ", LOSS(wrong_counts[i], 2, 2, first, 1));
    REFUSED("batch is ", LOSS(2, wrong_counts[i], 2, first, 1));
    REFUSED("prototypes is ", LOSS(2, 2, wrong_counts[i], first, 1));
  }
  REFUSED("crops is 1", LOSS(1, 2, 2, first, 1));
  REFUSED("scores is ", LOSS(INT32_MAX, INT32_MAX, 2, first, 1));
  REFUSED("assign_count is 0", LOSS(2, 2, 2, first, 0));
  REFUSED("assign_count is 3", LOSS(2, 2, 2, first, 3));
  REFUSED("assign_count is 2147483647", LOSS(INT32_MAX, 1, 1, first, INT32_MAX));
  REFUSED("given twice", LOSS(2, 2, 2, twice, 2));
  REFUSED("is 3", LOSS(3, 2, 2, outside, 1));
  REFUSED("is -1", LOSS(3, 2, 2, negative, 1));
  REFUSED("temperature is 0", swav_swapped_loss(pixels, 2, 2, 2, codes, first, 1, 0, &loss, results));
  REFUSED("temperature is nan", swav_swapped_loss(pixels, 2, 2, 2, codes, first, 1, NAN, &loss, results));
  if (loss != 7 || codes[0] != 7) ++failures;
}

static swav_trainer_config small_training(void) {
  swav_trainer_config config = swav_trainer_config_default();
  config.crop_sizes[0] = SIDE;
  config.crop_counts[1] = 1;
  config.crop_sizes[1] = 8;
  config.batch = 2;
  return config;
}

static void training_settings(swav_network *network) {
  const swav_trainer_config config = small_training();
  swav_trainer *trainer = NULL;
#define TRAINER(part, field, value) \
  WITH(swav_trainer_config, config, field, value, REFUSED(part, swav_trainer_create(network, &changed, &trainer)))
  TRAINER("group_count is 0", group_count, 0);
  TRAINER("group_count is 9", group_count, 9);
  TRAINER("group_count is 2147483647", group_count, INT32_MAX);
  TRAINER("crop_counts[1] is 0", crop_counts[1], 0);
  TRAINER("crop_counts[0] is 2147483647", crop_counts[0], INT32_MAX);
  TRAINER("pixels", crop_sizes[0], 7);
  TRAINER("pixels", crop_sizes[1], INT32_MAX);
  TRAINER("batch is 0", batch, 0);
  TRAINER("batch is 2147483647", batch, INT32_MAX);
  TRAINER("assign_count is 0", assign_count, 0);
  TRAINER("assign_count is 9", assign_count, 9);
  TRAINER("assign_count is 2147483647", assign_count, INT32_MAX);
  TRAINER("is 3", assign[1], 3);
  TRAINER("is -1", assign[0], -1);
  TRAINER("given twice", assign[1], 0);
  TRAINER("epsilon is -1", codes.epsilon, -1);
  TRAINER("iterations are 0", codes.iterations, 0);
  TRAINER("temperature is nan", temperature, NAN);
  TRAINER("queue_length is -1", queue_length, -1);
  TRAINER("queue_length is 2147483647", queue_length, INT32_MAX);
  for (int i = 0; i < WRONG_NUMBERS; ++i) TRAINER("optimizer is ", optimizer, (swav_optimizer)wrong_number(i, 3));
  TRAINER("momentum is 1", momentum, 1);
  TRAINER("trust is 0", trust, 0);
  TRAINER("weight decay is nan", weight_decay, NAN);
  swav_trainer_config adam = config;
  adam.optimizer = SWAV_OPTIMIZER_ADAMW;
  WITH(swav_trainer_config, adam, beta1, 1, REFUSED("beta1 is 1", swav_trainer_create(network, &changed, &trainer)));
  WITH(swav_trainer_config, adam, beta2, -1, REFUSED("beta2 is -1", swav_trainer_create(network, &changed, &trainer)));
  WITH(swav_trainer_config, adam, adam_epsilon, 0, REFUSED("epsilon is 0", swav_trainer_create(network, &changed, &trainer)));
  REFUSED("network is NULL", swav_trainer_create(NULL, &config, &trainer));
  REFUSED("config is NULL", swav_trainer_create(network, NULL, &trainer));
  REFUSED("trainer is NULL", swav_trainer_create(network, &config, NULL));
  if (trainer != NULL) ++failures;
  swav_trainer_destroy(NULL);
}

/* A group of this process alone: what is gathered and broadcast is what it has. */
static swav_status gather_own(void *context, const void *mine, int64_t bytes, void *all) {
  (void)context;
  memcpy(all, mine, (size_t)bytes);
  return SWAV_OK;
}

static swav_status broadcast_own(void *context, void *values, int64_t bytes, int32_t root) {
  (void)context, (void)values, (void)bytes, (void)root;
  return SWAV_OK;
}

static swav_status begin_own(void *context, int32_t tag, const void *sent, int64_t stride, int64_t bytes, void *received) {
  (void)context, (void)tag, (void)stride;
  memcpy(received, sent, (size_t)bytes);
  return SWAV_OK;
}

static swav_status advance_own(void *context, int32_t tag, bool wait, bool *done) {
  (void)context, (void)tag, (void)wait;
  *done = true;
  return SWAV_OK;
}

static swav_status wait_for_own(void *context) {
  (void)context;
  return SWAV_OK;
}

static void groups(swav_network *network) {
  const swav_trainer_config config = small_training();
  const swav_group_config group = swav_group_config_default();
  swav_communicator alone = {0};
  alone.size = 1;
  alone.gather = gather_own;
  alone.broadcast = broadcast_own;
  alone.barrier = wait_for_own;
  swav_trainer *trainer = NULL;
#define GROUP(part, field, value)              \
  WITH(swav_communicator, alone, field, value, \
       REFUSED(part, swav_trainer_create_in_group(network, &config, &changed, &group, &trainer)))
  GROUP("communicator.size is 0", size, 0);
  GROUP("communicator.rank is 1 of 1", rank, 1);
  GROUP("communicator.rank is -1", rank, -1);
  GROUP("gather, broadcast or barrier is NULL", gather, NULL);
  GROUP("gather, broadcast or barrier is NULL", broadcast, NULL);
  GROUP("gather, broadcast or barrier is NULL", barrier, NULL);
  GROUP("one of begin and advance is NULL", begin, begin_own);
  GROUP("one of begin and advance is NULL", advance, advance_own);
  swav_communicator three = alone;
  three.size = 3;
  REFUSED("batch is 2, and there are 3 ranks", swav_trainer_create_in_group(network, &config, &three, &group, &trainer));
  WITH(swav_group_config, group, norm_ranks, -1,
       REFUSED("norm_ranks is -1", swav_trainer_create_in_group(network, &config, &alone, &changed, &trainer)));
  REFUSED("network is NULL", swav_trainer_create_in_group(NULL, &config, &alone, &group, &trainer));
  REFUSED("config is NULL", swav_trainer_create_in_group(network, NULL, &alone, &group, &trainer));
  WITH(swav_group_config, group, parts, -1,
       REFUSED("parts is -1", swav_trainer_create_in_group(network, &config, &alone, &changed, &trainer)));
  WITH(swav_group_config, group, parts, 257,
       REFUSED("parts is 257", swav_trainer_create_in_group(network, &config, NULL, &changed, &trainer)));
  WITH(
      swav_group_config, group, parts, 4,
      REFUSED("parts is 4, and there are 3 ranks", swav_trainer_create_in_group(network, &config, &three, &changed, &trainer)));
  WITH(swav_group_config, group, parts, 3,
       REFUSED("batch is 2, and there are 3 parts", swav_trainer_create_in_group(network, &config, NULL, &changed, &trainer)));
  REFUSED("group is NULL", swav_trainer_create_in_group(network, &config, &alone, NULL, &trainer));
  REFUSED("trainer is NULL", swav_trainer_create_in_group(network, &config, &alone, &group, NULL));
  if (trainer != NULL) ++failures;
  WORKS(swav_trainer_create_in_group(network, &config, &alone, &group, &trainer));
  const float *crops[2] = {pixels, pixels};
  const swav_step_input input = {crops, 0.1, false, false, true};
  swav_step_report report;
  WORKS(swav_trainer_step(trainer, &input, &report));
  swav_trainer_destroy(trainer);

  REFUSED("communicator is NULL", swav_mpi_open(NULL));
  if (swav_mpi_ranks() < 1) ++failures;
  WORKS(swav_mpi_watch(1, NULL, NULL)); /* where there is nothing to wait for: nothing */
  WORKS(swav_mpi_close());
  swav_mpi_abort(1); /* of a group that is not open: nothing */
}

static void training(swav_network *network, const char *path) {
  const swav_trainer_config config = small_training();
  swav_trainer *trainer = NULL;
  WORKS(swav_trainer_create(network, &config, &trainer));
  swav_memory_plan memory;
  swav_step_times times;
  swav_layer_times layer;
  swav_step_report report;
  swav_health health;
  swav_tensor_health tensor_health;
  const float *crops[2] = {pixels, pixels};
  const swav_step_input input = {crops, 0.1, false, false, true};
  REFUSED("trainer is NULL", swav_trainer_memory(NULL, &memory));
  REFUSED("plan is NULL", swav_trainer_memory(trainer, NULL));
  REFUSED("trainer is NULL", swav_trainer_step(NULL, &input, &report));
  REFUSED("input is NULL", swav_trainer_step(trainer, NULL, &report));
  REFUSED("report is NULL", swav_trainer_step(trainer, &input, NULL));
  WITH(swav_step_input, input, crops, NULL, REFUSED("crops is NULL", swav_trainer_step(trainer, &changed, &report)));
  crops[1] = NULL;
  REFUSED("crops[1] is NULL", swav_trainer_step(trainer, &input, &report));
  crops[1] = pixels;
  WITH(swav_step_input, input, learning_rate, NAN, REFUSED("rate is nan", swav_trainer_step(trainer, &changed, &report)));
  WITH(swav_step_input, input, learning_rate, -1, REFUSED("rate is -1", swav_trainer_step(trainer, &changed, &report)));
  REFUSED("was not made or failed", swav_trainer_health(trainer, &health));
  const int64_t features = 2 * 32; /* images, feature_dim */
  REFUSED("before the first step", swav_trainer_read_gradient(trainer, 0, results, 4 * 3 * 9));
  REFUSED("before a step, or after one that failed", swav_trainer_read_features(trainer, results, features));
  WORKS(swav_trainer_step(trainer, &input, &report));
  WORKS(swav_trainer_read_features(trainer, results, features));
  REFUSED("trainer is NULL", swav_trainer_read_features(NULL, results, features));
  REFUSED("values is NULL", swav_trainer_read_features(trainer, NULL, features));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", swav_trainer_read_features(trainer, results, wrong_counts[i]));
  }
  REFUSED("trainer is NULL", swav_trainer_read_gradient(NULL, 0, results, 4 * 3 * 9));
  REFUSED("values is NULL", swav_trainer_read_gradient(trainer, 0, NULL, 4 * 3 * 9));
  REFUSED("index is -1", swav_trainer_read_gradient(trainer, -1, results, 1));
  REFUSED("index is 1099511627776", swav_trainer_read_gradient(trainer, INT64_C(1) << 40, results, 1));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", swav_trainer_read_gradient(trainer, 0, results, wrong_counts[i]));
  }
  REFUSED("trainer is NULL", swav_trainer_health(NULL, &health));
  REFUSED("health is NULL", swav_trainer_health(trainer, NULL));
  REFUSED("trainer is NULL", swav_trainer_tensor_health(NULL, 0, &tensor_health));
  REFUSED("health is NULL", swav_trainer_tensor_health(trainer, 0, NULL));
  REFUSED("index is -1", swav_trainer_tensor_health(trainer, -1, &tensor_health));
  REFUSED("index is 2147483647", swav_trainer_tensor_health(trainer, INT32_MAX, &tensor_health));
  REFUSED("trainer is NULL", swav_trainer_step_times(NULL, &times));
  REFUSED("times is NULL", swav_trainer_step_times(trainer, NULL));
  REFUSED("trainer is NULL", swav_trainer_layer_times(NULL, 0, &layer));
  REFUSED("times is NULL", swav_trainer_layer_times(trainer, 0, NULL));
  REFUSED("layer -1", swav_trainer_layer_times(trainer, -1, &layer));
  REFUSED("layer 2147483647", swav_trainer_layer_times(trainer, INT32_MAX, &layer));
  REFUSED("trainer is NULL", swav_trainer_save(NULL, path, NULL));
  REFUSED("path is NULL", swav_trainer_save(trainer, NULL, NULL));
  REFUSED("trainer is NULL", swav_trainer_save_step(NULL, NULL, path, NULL));
  REFUSED("input is NULL", swav_trainer_save_step(trainer, NULL, path, NULL));
  swav_step_report replayed;
  REFUSED("trainer is NULL", swav_trainer_replay(NULL, path, &replayed));
  REFUSED("path is NULL", swav_trainer_replay(trainer, NULL, &replayed));
  REFUSED("report is NULL", swav_trainer_replay(trainer, path, NULL));
  WORKS(swav_trainer_save(trainer, path, NULL));
  REFUSED("trainer is NULL", swav_trainer_load(NULL, path, NULL));
  REFUSED("path is NULL", swav_trainer_load(trainer, NULL, NULL));
  char note[4];
  size_t size = 0;
  REFUSED("path is NULL", swav_checkpoint_note(NULL, note, sizeof note, &size));
  REFUSED("size is NULL", swav_checkpoint_note(path, note, sizeof note, NULL));
  REFUSED("buffer is NULL", swav_checkpoint_note(path, NULL, 4, &size));
  remove(path);
  swav_trainer_destroy(trainer);
}

static void schedule(void) {
  const swav_schedule good = {1, 0, 0.1, 40, 10};
  double rate = 7;
  REFUSED("schedule is NULL", swav_learning_rate(NULL, 0, &rate));
  REFUSED("rate is NULL", swav_learning_rate(&good, 0, NULL));
  const double wrong[] = {-1, 40, -0.5, NAN, INFINITY};
  for (int i = 0; i < 5; ++i) REFUSED("step is ", swav_learning_rate(&good, wrong[i], &rate));
#define SCHEDULE(part, field, value) \
  WITH(swav_schedule, good, field, value, REFUSED(part, swav_learning_rate(&changed, 0, &rate)))
  SCHEDULE("base learning rate is nan", base_rate, NAN);
  SCHEDULE("final learning rate is -1", final_rate, -1);
  SCHEDULE("warm-up is inf", start_rate, INFINITY);
  SCHEDULE("steps are 0", steps, 0);
  SCHEDULE("steps are 9223372036854775807", steps, INT64_MAX);
  SCHEDULE("warm-up steps are 50", warmup_steps, 50);
  SCHEDULE("warm-up steps are -1", warmup_steps, -1);
  if (rate != 7) ++failures;
}

static const int32_t labels[4] = {0, 1, 0, 1}, above[4] = {0, 1, 2, 1}, below[4] = {0, -1, 0, 1};

static void neighbours(void) {
  int32_t predictions[4] = {7, 7, 7, 7};
  const swav_knn_config config = swav_knn_config_default();
#define KNN(labels, count, queries, dim, classes) \
  swav_knn(pixels, labels, count, pixels, queries, dim, classes, &config, predictions)
  REFUSED("train is NULL", swav_knn(NULL, labels, 4, pixels, 4, 2, 2, &config, predictions));
  REFUSED("labels is NULL", KNN(NULL, 4, 4, 2, 2));
  REFUSED("queries is NULL", swav_knn(pixels, labels, 4, NULL, 4, 2, 2, NULL, predictions));
  REFUSED("predictions is NULL", swav_knn(pixels, labels, 4, pixels, 4, 2, 2, &config, NULL));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", KNN(labels, wrong_counts[i], 4, 2, 2));
    REFUSED("query_count is ", KNN(labels, 4, wrong_counts[i], 2, 2));
    REFUSED("features ", KNN(labels, 4, 4, wrong_counts[i], 2));
  }
  REFUSED("count is 0", KNN(labels, 0, 4, 2, 2));
  REFUSED("is 2; 0 to 1", KNN(above, 4, 4, 2, 2));
  REFUSED("is -1; 0 to 1", KNN(below, 4, 4, 2, 2));
  REFUSED("classes are 0", KNN(labels, 4, 4, 2, 0));
#define SETTING(part, field, value)           \
  WITH(swav_knn_config, config, field, value, \
       REFUSED(part, swav_knn(pixels, labels, 4, pixels, 4, 2, 2, &changed, predictions)))
  SETTING("neighbours are 0", neighbours, 0);
  SETTING("neighbours are -2147483648", neighbours, INT32_MIN);
  SETTING("temperature is 0", temperature, 0);
  SETTING("temperature is nan", temperature, NAN);
  WITH(swav_knn_config, config, leave_one_out, true,
       REFUSED("1 training row", swav_knn(pixels, labels, 1, NULL, 0, 2, 2, &changed, predictions)));
  if (predictions[0] != 7) ++failures;
}

static void clusters(void) {
  int64_t rows[4] = {7, 7, 7, 7};
  float cosines[4] = {7, 7, 7, 7};
  swav_nearest_config one = swav_nearest_config_default();
  one.neighbours = 1;
#define NEAREST(count, queries, dim) swav_nearest(pixels, count, pixels, queries, dim, &one, rows, cosines)
  REFUSED("bank is NULL", swav_nearest(NULL, 4, pixels, 4, 2, &one, rows, cosines));
  REFUSED("queries is NULL", swav_nearest(pixels, 4, NULL, 4, 2, &one, rows, cosines));
  REFUSED("rows is NULL", swav_nearest(pixels, 4, pixels, 4, 2, &one, NULL, cosines));
  REFUSED("cosines is NULL", swav_nearest(pixels, 4, pixels, 4, 2, &one, rows, NULL));
  REFUSED("neighbours is 10; 1 to 4", swav_nearest(pixels, 4, pixels, 4, 2, NULL, rows, cosines));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", NEAREST(wrong_counts[i], 4, 2));
    REFUSED("query_count is ", NEAREST(4, wrong_counts[i], 2));
    REFUSED("dim is ", NEAREST(4, 4, wrong_counts[i]));
  }
#define NEIGHBOUR(part, field, value) \
  WITH(swav_nearest_config, one, field, value, REFUSED(part, swav_nearest(pixels, 4, pixels, 4, 2, &changed, rows, cosines)))
  NEIGHBOUR("neighbours is 0", neighbours, 0);
  NEIGHBOUR("neighbours is -2147483648", neighbours, INT32_MIN);
  WITH(swav_nearest_config, one, leave_one_out, true,
       REFUSED("1 to 0", swav_nearest(pixels, 1, NULL, 0, 2, &changed, rows, cosines)));
  if (rows[0] != 7 || cosines[0] != 7) ++failures;

  int32_t assignment[4] = {7, 7, 7, 7};
  swav_kmeans_config two = swav_kmeans_config_default();
  two.clusters = 2;
#define KMEANS(count, dim) swav_kmeans(pixels, count, dim, &two, cosines, assignment, NULL)
  REFUSED("rows is NULL", swav_kmeans(NULL, 4, 2, &two, cosines, assignment, NULL));
  REFUSED("centres is NULL", swav_kmeans(pixels, 4, 2, &two, NULL, assignment, NULL));
  REFUSED("assignment is NULL", swav_kmeans(pixels, 4, 2, &two, cosines, NULL, NULL));
  REFUSED("clusters are 10", swav_kmeans(pixels, 4, 2, NULL, cosines, assignment, NULL));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", KMEANS(wrong_counts[i], 2));
    REFUSED("dim is ", KMEANS(4, wrong_counts[i]));
  }
#define CLUSTER(part, field, value) \
  WITH(swav_kmeans_config, two, field, value, REFUSED(part, swav_kmeans(pixels, 4, 2, &changed, cosines, assignment, NULL)))
  CLUSTER("clusters are 0", clusters, 0);
  CLUSTER("clusters are 5", clusters, 5);
  CLUSTER("iterations are 0", iterations, 0);
  if (assignment[0] != 7 || cosines[0] != 7) ++failures;
}

static void regression(void) {
  int32_t predictions[4] = {7, 7, 7, 7};
  float weights[6] = {7, 7, 7, 7, 7, 7};
  const swav_linear_config config = swav_linear_config_default();
#define FIT(labels, count, dim, classes) swav_linear_fit(pixels, labels, count, dim, classes, &config, weights)
  REFUSED("features is NULL", swav_linear_fit(NULL, labels, 4, 2, 2, &config, weights));
  REFUSED("labels is NULL", FIT(NULL, 4, 2, 2));
  REFUSED("weights is NULL", swav_linear_fit(pixels, labels, 4, 2, 2, NULL, NULL));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", FIT(labels, wrong_counts[i], 2, 2));
    REFUSED("dim is ", FIT(labels, 4, wrong_counts[i], 2));
    REFUSED("count is ", swav_linear_predict(weights, 2, 2, pixels, wrong_counts[i], predictions));
    REFUSED("dim is ", swav_linear_predict(weights, wrong_counts[i], 2, pixels, 4, predictions));
  }
  REFUSED("is 2; 0 to 1", FIT(above, 4, 2, 2));
  REFUSED("is -1; 0 to 1", FIT(below, 4, 2, 2));
  REFUSED("classes is 0", FIT(labels, 4, 2, 0));
  REFUSED("weights is ", FIT(labels, 1, INT32_MAX, INT32_MAX));
#define REGRESSION(part, field, value) \
  WITH(swav_linear_config, config, field, value, REFUSED(part, swav_linear_fit(pixels, labels, 4, 2, 2, &changed, weights)))
  REGRESSION("penalty is -1", penalty, -1);
  REGRESSION("penalty is nan", penalty, NAN);
  REGRESSION("iterations are 0", max_iterations, 0);
  REFUSED("weights is NULL", swav_linear_predict(NULL, 2, 2, pixels, 4, predictions));
  REFUSED("features is NULL", swav_linear_predict(weights, 2, 2, NULL, 4, predictions));
  REFUSED("predictions is NULL", swav_linear_predict(weights, 2, 2, pixels, 4, NULL));
  REFUSED("classes is -1", swav_linear_predict(weights, 2, -1, pixels, 4, predictions));
  if (predictions[0] != 7 || weights[0] != 7) ++failures;
}

void refuse_evaluation(void) {
  schedule();
  neighbours();
  clusters();
  regression();
  refuse_protocols();
}

void refuse_training(swav_network *network, const char *path) {
  training_settings(network);
  groups(network);
  training(network, path);
  refuse_classifiers(network, path);
}
