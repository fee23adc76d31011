#include "api/api.h"
#include "evaluation/knn.h"
#include "evaluation/linear.h"

using namespace swav;

#define SWAV_NOT_NULL(function, argument) SWAV_REQUIRE(argument != nullptr, function ": " #argument " is NULL")

extern "C" {

swav_status swav_knn(const float* train, const int32_t* labels, int64_t count, const float* queries, int64_t query_count,
                     int64_t dim, int32_t classes, int32_t neighbours, float temperature, int32_t* predictions) {
  return api::interruptible([&] {
    SWAV_NOT_NULL("swav_knn", train);
    SWAV_NOT_NULL("swav_knn", labels);
    SWAV_NOT_NULL("swav_knn", queries);
    SWAV_NOT_NULL("swav_knn", predictions);
    knn_predict(train, labels, count, queries, query_count, dim, classes, neighbours, temperature, predictions);
  });
}

swav_status swav_linear_fit(const float* features, const int32_t* labels, int64_t count, int64_t dim, int32_t classes,
                            double penalty, int32_t max_iterations, float* weights) {
  return api::interruptible([&] {
    SWAV_NOT_NULL("swav_linear_fit", features);
    SWAV_NOT_NULL("swav_linear_fit", labels);
    SWAV_NOT_NULL("swav_linear_fit", weights);
    linear_fit(features, labels, count, dim, classes, penalty, max_iterations, weights);
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
