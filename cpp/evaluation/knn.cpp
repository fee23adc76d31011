#include "evaluation/knn.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "base/status.h"
#include "evaluation/nearest.h"
#include "kernels/kernels.h"

namespace swav {
namespace {

// What votes are counted in.
class Ballot {
 public:
  Ballot(int64_t limit, int32_t classes)
      : cosines_(size_t(limit)), shift_(size_t(limit)), weights_(size_t(limit)), votes_(size_t(classes), 0.0) {}

  // The class with the most votes. Weights are relative to the nearest one's, so that they cannot overflow at any temperature.
  int32_t winner(const Neighbour* nearest, const int32_t* labels, const swav_knn_config& config) {
    const int64_t n = int64_t(cosines_.size());
    weigh(nearest, config);
    for (int64_t i = 0; i < n; ++i) votes_[size_t(labels[nearest[i].row])] += double(weights_[size_t(i)]);
    int32_t best = labels[nearest[0].row];
    for (int64_t i = 1; i < n; ++i) {
      const int32_t label = labels[nearest[i].row];
      const double lead = votes_[size_t(label)] - votes_[size_t(best)];
      if (lead > 0 || (lead == 0 && label < best)) best = label;
    }
    for (int64_t i = 0; i < n; ++i) votes_[size_t(labels[nearest[i].row])] = 0;
    return best;
  }

 private:
  void weigh(const Neighbour* nearest, const swav_knn_config& config) {
    std::fill(weights_.begin(), weights_.end(), config.equal_votes ? 1.0f : 0.0f);
    if (config.equal_votes) return;
    const int64_t n = int64_t(cosines_.size());
    for (int64_t i = 0; i < n; ++i) cosines_[size_t(i)] = nearest[i].cosine;
    std::fill(shift_.begin(), shift_.end(), nearest[0].cosine);
    // The reciprocal of a subnormal number is infinite, and nothing times that is not a number.
    kernels().exp_accumulate(cosines_.data(), shift_.data(), std::min(1 / config.temperature, FLT_MAX), weights_.data(), n);
  }

  std::vector<float> cosines_, shift_, weights_;
  std::vector<double> votes_;  // zeros between two queries
};

}  // namespace

void knn_predict(const KnnInput& in, const swav_knn_config& config, int32_t* predictions) {
  const bool leaves_out = config.leave_one_out;
  const float temperature = config.temperature;
  SWAV_REQUIRE(config.neighbours >= 1, "neighbours are %d; at least 1 is needed", config.neighbours);
  SWAV_REQUIRE(temperature > 0 && std::isfinite(temperature), "temperature is %g; a number above 0 is needed",
               double(temperature));
  check_features("training features", in.train, in.labels, in.count, in.dim, in.classes);
  if (!leaves_out) check_features("query features", in.queries, nullptr, in.query_count, in.dim, in.classes);
  const int64_t others = in.count - (leaves_out ? 1 : 0);
  SWAV_REQUIRE(others >= 1, "there is 1 training row; leaving one out needs at least 2");
  const int64_t limit = std::min<int64_t>(config.neighbours, others);
  Ballot ballot(limit, in.classes);
  const NearestSearch search{in.train, in.count, leaves_out ? nullptr : in.queries, in.query_count, in.dim, limit};
  find_nearest(search, Progress(config.progress, config.context), [&](int64_t query, const Neighbour* nearest) {
    predictions[query] = ballot.winner(nearest, in.labels, config);
  });
}

}  // namespace swav
