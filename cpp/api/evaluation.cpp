#include "api/api.h"
#include "evaluation/kmeans.h"
#include "evaluation/knn.h"
#include "evaluation/linear.h"
#include "evaluation/nearest.h"
#include "evaluation/retrieval.h"
#include "evaluation/svm.h"

using namespace swav;

static void check_linear(const char* function, int64_t count, int64_t dim, int32_t classes) {
  api::check_count(function, "count", count);
  api::check_count(function, "dim", dim);
  api::check_count(function, "classes", classes);
  api::check_array(function, "features", {count, dim});
  api::check_array(function, "weights", {classes, dim + 1});
}

extern "C" {

swav_knn_config swav_knn_config_default(void) { return {20, 0.07f, false, false, nullptr, nullptr}; }

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

swav_nearest_config swav_nearest_config_default(void) { return {10, false, false, nullptr, nullptr}; }

swav_status swav_nearest(const float* bank, int64_t count, const float* queries, int64_t query_count, int64_t dim,
                         const swav_nearest_config* config, int64_t* rows, float* cosines) {
  return api::interruptible([&] {
    const swav_nearest_config settings = config != nullptr ? *config : swav_nearest_config_default();
    const bool leaves_out = settings.leave_one_out;
    api::check_pointers("swav_nearest", {{"bank", bank}, {"rows", rows}, {"cosines", cosines}});
    if (!leaves_out) {
      api::check_pointers("swav_nearest", {{"queries", queries}});
      api::check_count("swav_nearest", "query_count", query_count);
    }
    api::check_count("swav_nearest", "count", count);
    api::check_count("swav_nearest", "dim", dim);
    const int64_t limit = settings.neighbours, others = count - (leaves_out ? 1 : 0);
    SWAV_REQUIRE(limit >= 1 && limit <= others, "swav_nearest: neighbours is %lld; 1 to %lld are allowed", (long long)limit,
                 (long long)others);
    api::check_array("swav_nearest", "bank", {count, dim});
    api::check_array("swav_nearest", "queries", {leaves_out ? 1 : query_count, dim});
    api::check_array("swav_nearest", "rows", {leaves_out ? count : query_count, limit});
    if (!settings.unit_rows) {
      check_features("rows of the bank", bank, nullptr, count, dim, 1);
      if (!leaves_out) check_features("queries", queries, nullptr, query_count, dim, 1);
    }
    const NearestSearch search{bank, count, leaves_out ? nullptr : queries, query_count, dim, limit, settings.unit_rows};
    find_nearest(search, Progress(settings.progress, settings.context), [&](int64_t query, const Neighbour* nearest) {
      for (int64_t i = 0; i < limit; ++i) {
        rows[query * limit + i] = nearest[i].row;
        cosines[query * limit + i] = nearest[i].cosine;
      }
    });
  });
}

swav_kmeans_config swav_kmeans_config_default(void) { return {10, 0, 100, false, nullptr, nullptr}; }

swav_status swav_kmeans(const float* rows, int64_t count, int64_t dim, const swav_kmeans_config* config, float* centres,
                        int32_t* assignment, double* inertia) {
  return api::interruptible([&] {
    const swav_kmeans_config settings = config != nullptr ? *config : swav_kmeans_config_default();
    api::check_pointers("swav_kmeans", {{"rows", rows}, {"centres", centres}, {"assignment", assignment}});
    api::check_count("swav_kmeans", "count", count);
    api::check_count("swav_kmeans", "dim", dim);
    api::check_array("swav_kmeans", "rows", {count, dim});
    const double found = kmeans(rows, count, dim, settings, centres, assignment);
    if (inertia != nullptr) *inertia = found;
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

swav_status swav_linear_scores(const float* weights, int64_t dim, int32_t classes, const float* features, int64_t count,
                               float* scores) {
  return api::interruptible([&] {
    api::check_pointers("swav_linear_scores", {{"weights", weights}, {"features", features}, {"scores", scores}});
    check_linear("swav_linear_scores", count, dim, classes);
    linear_scores(weights, dim, classes, features, count, scores);
  });
}

swav_retrieval_config swav_retrieval_config_default(void) { return {false, nullptr, nullptr}; }

swav_status swav_retrieval(const float* bank, const int32_t* labels, int64_t count, const float* queries,
                           const int32_t* query_labels, int64_t query_count, int64_t dim, const swav_retrieval_config* config,
                           double* precision, int64_t* rank) {
  return api::interruptible([&] {
    const swav_retrieval_config settings = config != nullptr ? *config : swav_retrieval_config_default();
    api::check_pointers("swav_retrieval", {{"bank", bank}, {"labels", labels}, {"precision", precision}, {"rank", rank}});
    if (!settings.leave_one_out) {
      api::check_pointers("swav_retrieval", {{"queries", queries}, {"query_labels", query_labels}});
      api::check_count("swav_retrieval", "query_count", query_count);
    }
    api::check_count("swav_retrieval", "count", count);
    const RetrievalInput input{bank, labels, count, settings.leave_one_out ? nullptr : queries, query_labels, query_count, dim};
    retrieve(input, Progress(settings.progress, settings.context), precision, rank);
  });
}

swav_svm_config swav_svm_config_default(void) { return {2, 1e-3, nullptr, nullptr}; }

swav_status swav_svm_fit(const float* features, const int8_t* targets, int64_t count, int64_t dim, int32_t classes,
                         const double* costs, const swav_svm_config* config, float* weights) {
  return api::interruptible([&] {
    api::check_pointers("swav_svm_fit", {{"features", features}, {"targets", targets}, {"costs", costs}, {"weights", weights}});
    check_linear("swav_svm_fit", count, dim, classes);
    svm_fit(features, targets, count, dim, classes, costs, config != nullptr ? *config : swav_svm_config_default(), weights);
  });
}

}  // extern "C"
