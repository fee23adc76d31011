#include "api/api.h"
#include "evaluation/knn.h"
#include "evaluation/linear.h"

using namespace swav;

#define SWAV_NOT_NULL(function, argument) SWAV_REQUIRE(argument != nullptr, function ": " #argument " is NULL")

extern "C" {

swav_knn_config swav_knn_config_default(void) { return {20, 0.07f, false, nullptr, nullptr}; }

swav_status swav_knn(const float* train, const int32_t* labels, int64_t count, const float* queries, int64_t query_count,
                     int64_t dim, int32_t classes, const swav_knn_config* config, int32_t* predictions) {
  return api::interruptible([&] {
    const swav_knn_config settings = config != nullptr ? *config : swav_knn_config_default();
    SWAV_NOT_NULL("swav_knn", train);
    SWAV_NOT_NULL("swav_knn", labels);
    SWAV_REQUIRE(queries != nullptr || settings.leave_one_out, "swav_knn: queries is NULL");
    SWAV_NOT_NULL("swav_knn", predictions);
    knn_predict({train, labels, count, queries, query_count, dim, classes}, settings, predictions);
  });
}

swav_linear_config swav_linear_config_default(void) { return {1e-3, 200, nullptr, nullptr}; }

swav_status swav_linear_fit(const float* features, const int32_t* labels, int64_t count, int64_t dim, int32_t classes,
                            const swav_linear_config* config, float* weights) {
  return api::interruptible([&] {
    SWAV_NOT_NULL("swav_linear_fit", features);
    SWAV_NOT_NULL("swav_linear_fit", labels);
    SWAV_NOT_NULL("swav_linear_fit", weights);
    linear_fit(features, labels, count, dim, classes, config != nullptr ? *config : swav_linear_config_default(), weights);
  });
}

swav_status swav_linear_predict(const float* weights, int64_t dim, int32_t classes, const float* features, int64_t count,
                                int32_t* predictions) {
  return api::interruptible([&] {
    SWAV_NOT_NULL("swav_linear_predict", weights);
    SWAV_NOT_NULL("swav_linear_predict", features);
    SWAV_NOT_NULL("swav_linear_predict", predictions);
    linear_predict(weights, dim, classes, features, count, predictions);
  });
}

}  // extern "C"
