#include "evaluation/svm.h"

#include <linear.h>

#include <algorithm>
#include <cmath>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"

namespace swav {
namespace {

void print_nothing(const char*) {}

// Rows as liblinear takes them: numbers with their column from 1 on, those that are 0 left out, then the bias, then an end.
class Rows {
 public:
  Rows(const float* features, int64_t count, int64_t dim) : stride_(dim + 2), nodes_(size_t(count * stride_)) {
    parallel::for_each(feature_blocks(count), [&](int64_t block, int) {
      for (int64_t n = block * feature_block; n < std::min(count, (block + 1) * feature_block); ++n) {
        feature_node* node = row(n);
        for (int64_t d = 0; d < dim; ++d) {
          const float x = features[n * dim + d];
          if (x != 0) *node++ = {int(d + 1), double(x)};
        }
        *node++ = {int(dim + 1), 1.0};
        *node = {-1, 0};
      }
    });
  }

  feature_node* row(int64_t n) { return nodes_.data() + n * stride_; }

 private:
  int64_t stride_;
  std::vector<feature_node> nodes_;
};

// One class. weights [dim + 1].
void fit(Rows& rows, const int8_t* targets, int64_t count, int64_t dim, double cost, const swav_svm_config& config,
         float* weights) {
  std::vector<double> signs;
  std::vector<feature_node*> used;
  for (int64_t n = 0; n < count; ++n) {
    if (targets[n] == 0) continue;
    signs.push_back(targets[n]);
    used.push_back(rows.row(n));
  }
  std::fill(weights, weights + dim + 1, 0.0f);
  const auto positives = std::count(signs.begin(), signs.end(), 1.0);
  if (positives == 0 || positives == int64_t(signs.size())) return;
  problem data{int(signs.size()), int(dim + 1), signs.data(), used.data(), 1.0};
  int labels[1] = {1};
  double factors[1] = {config.positive_weight};
  parameter settings{};
  settings.solver_type = L2R_L2LOSS_SVC;
  settings.eps = config.tolerance;
  settings.C = cost;
  settings.nr_weight = 1;
  settings.weight_label = labels;
  settings.weight = factors;
#if LIBLINEAR_VERSION >= 240
  settings.regularize_bias = 1;  // as it always was before
#endif
  model* found = train(&data, &settings);
  // The sign of the weights is that of the label which comes first.
  const double sign = found->label[0] == 1 ? 1 : -1;
  for (int64_t d = 0; d <= dim; ++d) weights[d] = float(sign * found->w[d]);
  free_and_destroy_model(&found);
}

}  // namespace

void svm_fit(const float* features, const int8_t* targets, int64_t count, int64_t dim, int32_t classes, const double* costs,
             const swav_svm_config& config, float* weights) {
  check_features("features", features, nullptr, count, dim, classes);
  SWAV_REQUIRE(count <= INT32_MAX && dim < most_feature_dim, "%lld rows of %lld numbers are more than liblinear takes",
               (long long)count, (long long)dim);
  SWAV_REQUIRE(config.positive_weight > 0 && std::isfinite(config.positive_weight),
               "positive_weight is %g; a number above 0 is needed", config.positive_weight);
  SWAV_REQUIRE(config.tolerance > 0 && std::isfinite(config.tolerance), "tolerance is %g; a number above 0 is needed",
               config.tolerance);
  for (int32_t c = 0; c < classes; ++c)
    SWAV_REQUIRE(costs[c] > 0 && std::isfinite(costs[c]), "cost %d is %g; a number above 0 is needed", c, costs[c]);
  for (int64_t i = 0; i < classes * count; ++i)
    SWAV_REQUIRE(targets[i] >= -1 && targets[i] <= 1, "target %lld is %d; -1, 0 or 1 is allowed", (long long)i, targets[i]);
  // As many classes at a time as there are threads: between them the caller is told, and may call off.
  const int32_t together = std::min(classes, std::max(1, parallel::threads()));
  // liblinear asks for its own without looking whether it gets it: of each class copies of the problem and several arrays a
  // row.
  constexpr int64_t row_bytes = 128;
  require_memory(count * (dim + 2) * int64_t(sizeof(feature_node)) + together * (row_bytes * count + 64 * dim),
                 "a support vector machine", "fewer features need less");
  set_print_string_function(&print_nothing);
  Rows rows(features, count, dim);
  const Progress progress(config.progress, config.context);
  std::vector<float> found(size_t(classes * (dim + 1)));
  for (int32_t begin = 0; begin < classes; begin += together) {
    progress(begin, classes);
    parallel::for_each(std::min(together, classes - begin), [&](int64_t i, int) {
      const int64_t c = begin + i;
      fit(rows, targets + c * count, count, dim, costs[c], config, found.data() + c * (dim + 1));
    });
  }
  progress(classes, classes);
  std::copy(found.begin(), found.end(), weights);
}

}  // namespace swav
