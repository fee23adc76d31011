#include "api/api.h"
#include "evaluation/knn.h"
#include "evaluation/linear.h"

using namespace swav;

static void check_linear(const char* function, int64_t count, int64_t dim, int32_t classes) {
  api::check_count(function, "count", count);
  api::check_count(function, "dim", dim);
  api::check_count(function, "classes", classes);
  api::check_array(function, "features", {count, dim});
  api::check_array(function, "weights", {classes, dim + 1});
}

extern "C" {

swav_knn_config swav_knn_config_default(void) { return {20, 0.07f, false, nullptr, nullptr}; }

swav_status swav_knn(const float* train, const int32_t* labels, int64_t count, const float* queries, int64_t query_count,
                     int64_t dim, int32_t classes, const swav_knn_config* config, int32_t* predictions) {
  return api::interruptible([&] {
    const swav_knn_config settings = config != nullptr ? *config : swav_knn_config_default();
    api::check_pointers("swav_knn", {{"train", train}, {"labels", labels}, {"predictions", predictions}});
    if (!settings.leave_one_out) {
      api::check_pointers("swav_knn", {{"queries", queries}});
      api::check_count("swav_knn", "query_count", query_count);
    }
    api::check_count("swav_knn", "count", count);
    knn_predict({train, labels, count, queries, query_count, dim, classes}, settings, predictions);
  });
}

swav_linear_config swav_linear_config_default(void) { return {1e-3, 200, nullptr, nullptr}; }

swav_status swav_linear_fit(const float* features, const int32_t* labels, int64_t count, int64_t dim, int32_t classes,
                            const swav_linear_config* config, float* weights) {
  return api::interruptible([&] {
    api::check_pointers("swav_linear_fit", {{"features", features}, {"labels", labels}, {"weights", weights}});
    check_linear("swav_linear_fit", count, dim, classes);
    linear_fit(features, labels, count, dim, classes, config != nullptr ? *config : swav_linear_config_default(), weights);
  });
}

swav_status swav_linear_predict(const float* weights, int64_t dim, int32_t classes, const float* features, int64_t count,
                                int32_t* predictions) {
  return api::interruptible([&] {
    api::check_pointers("swav_linear_predict", {{"weights", weights}, {"features", features}, {"predictions", predictions}});
    check_linear("swav_linear_predict", count, dim, classes);
    linear_predict(weights, dim, classes, features, count, predictions);
  });
}

}  // extern "C"
