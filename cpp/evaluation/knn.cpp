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
  explicit Ballot(int64_t limit)
      : cosines_(size_t(limit)), shift_(size_t(limit)), weights_(size_t(limit)), votes_(size_t(limit)) {}

  // The class with the most votes. Weights are relative to the nearest one's, so that they cannot overflow at any temperature.
  int32_t winner(const Neighbour* nearest, const int32_t* labels, const swav_knn_config& config) {
    weigh(nearest, config);
    for (size_t i = 0; i < votes_.size(); ++i) votes_[i] = {labels[nearest[i].row], int32_t(i), weights_[i]};
    // By class, those of a class in the order of their nearness: sums are the same whatever the labels are called.
    std::sort(votes_.begin(), votes_.end(),
              [](const Vote& a, const Vote& b) { return a.label != b.label ? a.label < b.label : a.place < b.place; });
    int32_t best = votes_[0].label;
    double most = -1;
    for (size_t begin = 0, end = 0; begin < votes_.size(); begin = end) {
      double sum = 0;
      for (; end < votes_.size() && votes_[end].label == votes_[begin].label; ++end) sum += double(votes_[end].weight);
      if (sum > most) best = votes_[begin].label, most = sum;
    }
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
  struct Vote {
    int32_t label, place;
    float weight;
  };
  std::vector<Vote> votes_;
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
  Ballot ballot(limit);
  const NearestSearch search{in.train, in.count, leaves_out ? nullptr : in.queries, in.query_count, in.dim, limit};
  find_nearest(search, Progress(config.progress, config.context), [&](int64_t query, const Neighbour* nearest) {
    predictions[query] = ballot.winner(nearest, in.labels, config);
  });
}

}  // namespace swav
