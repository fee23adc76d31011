/* Of c_arguments_test: retrieval, support vector machines, scores, classifiers. */
#include "c_arguments.h"

static const int32_t labels[4] = {0, 1, 0, 1}, below[4] = {0, -1, 0, 1}, above[4] = {0, 1, 2, 1};

static void retrieval(void) {
  double precision[4] = {7, 7, 7, 7};
  int64_t rank[4] = {7, 7, 7, 7};
#define RETRIEVE(labels, count, queries, dim) \
  swav_retrieval(pixels, labels, count, pixels, labels, queries, dim, NULL, precision, rank)
  REFUSED("bank is NULL", swav_retrieval(NULL, labels, 4, pixels, labels, 4, 2, NULL, precision, rank));
  REFUSED("labels is NULL", swav_retrieval(pixels, NULL, 4, pixels, labels, 4, 2, NULL, precision, rank));
  REFUSED("queries is NULL", swav_retrieval(pixels, labels, 4, NULL, labels, 4, 2, NULL, precision, rank));
  REFUSED("query_labels is NULL", swav_retrieval(pixels, labels, 4, pixels, NULL, 4, 2, NULL, precision, rank));
  REFUSED("precision is NULL", swav_retrieval(pixels, labels, 4, pixels, labels, 4, 2, NULL, NULL, rank));
  REFUSED("rank is NULL", swav_retrieval(pixels, labels, 4, pixels, labels, 4, 2, NULL, precision, NULL));
  REFUSED("is -1", RETRIEVE(below, 4, 4, 2));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", RETRIEVE(labels, wrong_counts[i], 4, 2));
    REFUSED("query_count is ", RETRIEVE(labels, 4, wrong_counts[i], 2));
    REFUSED("bank's features ", RETRIEVE(labels, 4, 4, wrong_counts[i]));
  }
  swav_retrieval_config alone = swav_retrieval_config_default();
  alone.leave_one_out = true;
  REFUSED("at least 2", swav_retrieval(pixels, labels, 1, NULL, NULL, 0, 2, &alone, precision, rank));
  if (precision[0] != 7 || rank[0] != 7) ++failures;
}

static void machines(void) {
  const int8_t targets[8] = {1, -1, 1, -1, -1, 1, -1, 1}, wrong[8] = {1, -1, 2, 1, 1, 1, 1, 1};
  const double costs[2] = {1, 1}, none[2] = {1, 0};
  float weights[6] = {7, 7, 7, 7, 7, 7}, scores[8] = {7, 7, 7, 7, 7, 7, 7, 7};
  const swav_svm_config config = swav_svm_config_default();
#define SVM(targets, count, dim, classes, costs) swav_svm_fit(pixels, targets, count, dim, classes, costs, &config, weights)
  REFUSED("features is NULL", swav_svm_fit(NULL, targets, 4, 2, 2, costs, &config, weights));
  REFUSED("targets is NULL", SVM(NULL, 4, 2, 2, costs));
  REFUSED("costs is NULL", SVM(targets, 4, 2, 2, NULL));
  REFUSED("weights is NULL", swav_svm_fit(pixels, targets, 4, 2, 2, costs, NULL, NULL));
  REFUSED("target 2 is 2", SVM(wrong, 4, 2, 2, costs));
  REFUSED("cost 1 is 0", SVM(targets, 4, 2, 2, none));
  REFUSED("classes is 0", SVM(targets, 4, 2, 0, costs));
  for (int i = 0; i < WRONG_COUNTS; ++i) {
    REFUSED("count is ", SVM(targets, wrong_counts[i], 2, 2, costs));
    REFUSED("dim is ", SVM(targets, 4, wrong_counts[i], 2, costs));
    REFUSED("count is ", swav_linear_scores(weights, 2, 2, pixels, wrong_counts[i], scores));
    REFUSED("dim is ", swav_linear_scores(weights, wrong_counts[i], 2, pixels, 4, scores));
  }
#define MACHINE(part, field, value) \
  WITH(swav_svm_config, config, field, value, REFUSED(part, swav_svm_fit(pixels, targets, 4, 2, 2, costs, &changed, weights)))
  MACHINE("positive_weight is 0", positive_weight, 0);
  MACHINE("tolerance is nan", tolerance, NAN);
  REFUSED("weights is NULL", swav_linear_scores(NULL, 2, 2, pixels, 4, scores));
  REFUSED("features is NULL", swav_linear_scores(weights, 2, 2, NULL, 4, scores));
  REFUSED("scores is NULL", swav_linear_scores(weights, 2, 2, pixels, 4, NULL));
  REFUSED("classes is 0", swav_linear_scores(weights, 2, 0, pixels, 4, scores));
  if (weights[0] != 7 || scores[0] != 7) ++failures;
}

void refuse_protocols(void) {
  retrieval();
  machines();
}

static swav_classifier_config small_classifier(void) {
  swav_classifier_config config = swav_classifier_config_default();
  config.classes = 2;
  config.dim = 2;
  config.size = SIDE;
  config.batch = 4;
  return config;
}

static void settings(swav_network *network) {
  const swav_classifier_config config = small_classifier();
  swav_classifier *none = NULL;
  REFUSED("config is NULL", swav_classifier_create(network, NULL, &none));
  REFUSED("classifier is NULL", swav_classifier_create(network, &config, NULL));
#define CLASSIFIER(network, part, field, value) \
  WITH(swav_classifier_config, config, field, value, REFUSED(part, swav_classifier_create(network, &changed, &none)))
  CLASSIFIER(NULL, "classes are 0", classes, 0);
  CLASSIFIER(NULL, "classes are -2147483648", classes, INT32_MIN);
  CLASSIFIER(NULL, "dim is 0", dim, 0);
  CLASSIFIER(NULL, "dim is 9223372036854775807", dim, INT64_MAX);
  CLASSIFIER(NULL, "batch is 0", batch, 0);
  CLASSIFIER(NULL, "batch is 2147483647", batch, INT32_MAX);
  CLASSIFIER(network, "size is 0", size, 0);
  CLASSIFIER(network, "size is 2147483647", size, INT32_MAX);
  CLASSIFIER(NULL, "label_smoothing is 1", label_smoothing, 1);
  CLASSIFIER(NULL, "label_smoothing is nan", label_smoothing, NAN);
  CLASSIFIER(NULL, "momentum", momentum, 1);
  CLASSIFIER(NULL, "weight decay", weight_decay, -1);
  CLASSIFIER(NULL, "deviation is inf", deviation, INFINITY);
  if (none != NULL) ++failures;
}

void refuse_classifiers(swav_network *network, const char *path) {
  settings(network);
  const swav_classifier_config config = small_classifier();
  swav_classifier *classifier = NULL;
  WORKS(swav_classifier_create(NULL, &config, &classifier));
  const swav_classifier_input input = {pixels, labels, 4, 0, 0.1};
  swav_classifier_report report = {7, 7, 7};
  float weights[6];
  swav_memory_plan plan;
  REFUSED("classifier is NULL", swav_classifier_step(NULL, &input, &report));
  REFUSED("input is NULL", swav_classifier_step(classifier, NULL, &report));
  REFUSED("report is NULL", swav_classifier_step(classifier, &input, NULL));
#define STEP(part, field, value) \
  WITH(swav_classifier_input, input, field, value, REFUSED(part, swav_classifier_step(classifier, &changed, &report)))
  STEP("values is NULL", values, NULL);
  STEP("labels is NULL", labels, NULL);
  STEP("label 1 is -1", labels, below);
  STEP("label 2 is 2", labels, above);
  STEP("count is 0", count, 0);
  STEP("count is 5; 1 to 4", count, 5);
  STEP("classifier_rate is nan", classifier_rate, NAN);
  STEP("classifier_rate is -1", classifier_rate, -1);
  if (report.loss != 7) ++failures;
  WORKS(swav_classifier_step(classifier, &input, &report));
  REFUSED("classifier is NULL", swav_classifier_memory(NULL, &plan));
  REFUSED("plan is NULL", swav_classifier_memory(classifier, NULL));
  REFUSED("classifier is NULL", swav_classifier_read(NULL, weights));
  REFUSED("weights is NULL", swav_classifier_read(classifier, NULL));
  REFUSED("classifier is NULL", swav_classifier_save(NULL, path, NULL));
  REFUSED("path is NULL", swav_classifier_save(classifier, NULL, NULL));
  WORKS(swav_classifier_save(classifier, path, NULL));
  REFUSED("classifier is NULL", swav_classifier_load(NULL, path));
  REFUSED("path is NULL", swav_classifier_load(classifier, NULL));
  WORKS(swav_classifier_load(classifier, path));
  remove(path);
  swav_classifier_destroy(classifier);
  swav_classifier_destroy(NULL);
}
