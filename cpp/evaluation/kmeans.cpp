#include "evaluation/kmeans.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"
#include "kernels/kernels.h"

namespace swav {
namespace {

// Products of rows with all centres that are made at a time, in numbers: they stay in the cache.
constexpr int64_t slab_numbers = int64_t{1} << 21;

// The rows of blocks of 64 each, which one task handles.
template <class F>
void for_each_row(int64_t count, F&& body) {
  parallel::for_each(feature_blocks(count), [&](int64_t block, int worker) {
    for (int64_t n = block * feature_block; n < std::min(count, (block + 1) * feature_block); ++n) body(n, worker);
  });
}

class KMeans {
 public:
  KMeans(const float* rows, int64_t count, int64_t dim, int32_t clusters, bool unit_centres, float* centres,
         int32_t* assignment)
      : rows_(rows),
        count_(count),
        dim_(dim),
        clusters_(clusters),
        unit_centres_(unit_centres),
        centres_(centres),
        assignment_(assignment),
        slab_(std::min(count, std::max<int64_t>(1, slab_numbers / clusters / feature_block) * feature_block)),
        product_(dim, clusters),
        scores_(size_t(slab_ * clusters)),
        distance_(size_t(count), 0.0f),
        members_(size_t(count)),
        first_(size_t(clusters) + 1),
        sums_(size_t(parallel::threads()) * size_t(dim)),
        shifted_(size_t(dim) * size_t(clusters)),
        offsets_(size_t(clusters)) {}

  // k-means++: each next centre is a row, drawn with the probability of its squared distance to the nearest one so far.
  void start(uint64_t seed, const Progress& progress, int64_t total) {
    Random random(seed, Purpose::clusters);
    int64_t next = std::min<int64_t>(count_ - 1, int64_t(random.uniform() * double(count_)));
    for (int32_t k = 0; k < clusters_; ++k) {
      if (k % 64 == 0) progress(0, total);
      put_centre(k, next);
      if (k + 1 == clusters_) break;
      for_each_row(count_, [&](int64_t n, int) {
        const float d = squared_distance(rows_ + n * dim_, centres_ + k * dim_, dim_);
        distance_[size_t(n)] = k == 0 ? d : std::min(d, distance_[size_t(n)]);
      });
      next = draw(random);
    }
    std::fill_n(assignment_, count_, -1);
  }

  // Gives each row its nearest centre; returns how many have another one than before.
  int64_t assign() {
    shift();
    product_.pack(shifted_.data(), clusters_, dim_);
    std::vector<int64_t> changed(size_t(feature_blocks(count_)), 0);
    for (int64_t at = 0; at < count_; at += slab_) {
      const int64_t some = std::min(slab_, count_ - at);
      product_.multiply(rows_ + at * dim_, some, scores_.data());
      for_each_row(some, [&](int64_t i, int) {
        const float* score = scores_.data() + i * clusters_;
        int32_t best = 0;
        float most = score[0] - offsets_[0];
        for (int32_t k = 1; k < clusters_; ++k) {
          const float x = score[k] - offsets_[size_t(k)];
          if (x > most) best = k, most = x;
        }
        const int64_t n = at + i;
        // From the rows themselves: what is left of the product after its largest parts cancel is mostly rounding.
        // A product beyond a float tells nothing: the distance says so at the end.
        const float d = squared_distance(rows_ + n * dim_, centres_ + best * dim_, dim_);
        distance_[size_t(n)] = std::isfinite(most) ? d : HUGE_VALF;
        // slab_ is a multiple of feature_block unless it is all rows, so blocks of a slab are blocks of the whole.
        if (assignment_[n] != best) assignment_[n] = best, ++changed[size_t(n / feature_block)];
      });
    }
    int64_t sum = 0;
    for (const int64_t c : changed) sum += c;
    return sum;
  }

  // Moves each centre to the mean of its rows.
  void move() {
    sort();
    parallel::for_each(clusters_, [&](int64_t k, int worker) {
      const int64_t begin = first_[size_t(k)], end = first_[size_t(k) + 1];
      if (begin == end) return;
      double* sum = sums_.data() + int64_t(worker) * dim_;
      std::fill_n(sum, dim_, 0.0);
      for (int64_t m = begin; m < end; ++m) {
        const float* row = rows_ + members_[size_t(m)] * dim_;
        for (int64_t d = 0; d < dim_; ++d) sum[d] += double(row[d]);
      }
      const double length = unit_centres_ ? norm(sum) : double(end - begin);
      // Rows that cancel each other out have no direction: their centre stays.
      if (!(length > 0)) return;
      for (int64_t d = 0; d < dim_; ++d) centres_[k * dim_ + d] = float(sum[d] / length);
    });
    refill();
  }

  double inertia() const {
    double sum = 0;
    for (const float d : distance_) sum += double(d);
    return sum;
  }

 private:
  // Centre k becomes a row.
  void put_centre(int32_t k, int64_t row) {
    float* const centre = centres_ + int64_t(k) * dim_;
    std::copy_n(rows_ + row * dim_, dim_, centre);
    if (!unit_centres_) return;
    const double length = std::sqrt(kernels().sum_squares(centre, dim_));
    for (int64_t d = 0; length > 0 && d < dim_; ++d) centre[d] = float(double(centre[d]) / length);
  }

  // With m the mean of the centres, |x - c|^2 is least where x (c - m) - (m (c - m) + |c - m|^2 / 2) is largest: what rows and
  // centres have in common, which may be most of them, is not in the products.
  void shift() {
    std::vector<double> mean(size_t(dim_), 0.0);
    for (int32_t k = 0; k < clusters_; ++k) {
      for (int64_t d = 0; d < dim_; ++d) mean[size_t(d)] += double(centres_[k * dim_ + d]) / clusters_;
    }
    for (int32_t k = 0; k < clusters_; ++k) {
      double offset = 0;
      for (int64_t d = 0; d < dim_; ++d) {
        const float from_mean = float(double(centres_[k * dim_ + d]) - mean[size_t(d)]);
        shifted_[size_t(k * dim_ + d)] = from_mean;
        offset += double(from_mean) * (mean[size_t(d)] + 0.5 * double(from_mean));
      }
      offsets_[size_t(k)] = float(offset);
    }
  }

  int64_t draw(Random& random) const {
    double total = 0;
    for (const float d : distance_) total += double(d);
    double left = random.uniform() * total;
    int64_t last = 0;
    for (int64_t n = 0; n < count_; ++n) {
      if (distance_[size_t(n)] <= 0) continue;
      last = n;
      left -= double(distance_[size_t(n)]);
      if (left < 0) return n;
    }
    return last;
  }

  double norm(const double* sum) const {
    double squares = 0;
    for (int64_t d = 0; d < dim_; ++d) squares += sum[d] * sum[d];
    return std::sqrt(squares);
  }

  // Rows by cluster, in order.
  void sort() {
    std::fill(first_.begin(), first_.end(), 0);
    for (int64_t n = 0; n < count_; ++n) ++first_[size_t(assignment_[n]) + 1];
    for (size_t k = 0; k < size_t(clusters_); ++k) first_[k + 1] += first_[k];
    std::vector<int64_t> next(first_.begin(), first_.end() - 1);
    for (int64_t n = 0; n < count_; ++n) members_[size_t(next[size_t(assignment_[n])]++)] = n;
  }

  // Puts centres without rows where rows are farthest from theirs.
  void refill() {
    for (int32_t k = 0; k < clusters_; ++k) {
      if (first_[size_t(k)] != first_[size_t(k) + 1]) continue;
      const auto farthest = std::max_element(distance_.begin(), distance_.end());
      if (!(*farthest > 0)) return;
      put_centre(k, farthest - distance_.begin());
      *farthest = 0;
    }
  }

  const float* rows_;
  int64_t count_, dim_;
  int32_t clusters_;
  bool unit_centres_;
  float* centres_;
  int32_t* assignment_;
  int64_t slab_;
  FeatureProduct product_;
  std::vector<float> scores_, distance_;
  std::vector<int64_t> members_, first_;
  std::vector<double> sums_;
  std::vector<float> shifted_, offsets_;  // of assign's products
};

}  // namespace

double kmeans(const float* rows, int64_t count, int64_t dim, const swav_kmeans_config& config, float* centres,
              int32_t* assignment) {
  SWAV_REQUIRE(config.clusters >= 1, "clusters are %d; at least 1 is needed", config.clusters);
  SWAV_REQUIRE(config.clusters <= count, "clusters are %d; there are %lld rows, and each needs one", config.clusters,
               (long long)count);
  SWAV_REQUIRE(config.iterations >= 1, "iterations are %d; at least 1 is needed", config.iterations);
  check_features("rows", rows, nullptr, count, dim, 1);
  const int64_t scores = std::max(slab_numbers, feature_block * int64_t{config.clusters});
  require_memory(4 * (scores + 3 * dim * config.clusters) + 12 * count, "k-means", "fewer clusters need less");
  const Progress progress(config.progress, config.context);
  KMeans search(rows, count, dim, config.clusters, config.unit_centres, centres, assignment);
  search.start(config.seed, progress, config.iterations);
  for (int32_t i = 0; search.assign() > 0 && i < config.iterations; ++i) {
    progress(i, config.iterations);
    search.move();
  }
  progress(config.iterations, config.iterations);
  const double inertia = search.inertia();
  if (!std::isfinite(inertia))
    fail(SWAV_ERROR_NUMERIC, "distances of rows are beyond what a float can say; divide all by one number");
  return inertia;
}

}  // namespace swav
