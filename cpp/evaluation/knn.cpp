#include "evaluation/knn.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "evaluation/features.h"
#include "kernels/kernels.h"

namespace swav {
namespace {

struct Neighbour {
  float cosine;
  int64_t row;
  // "Nearer than": the order of the heap's front is the farthest.
  bool operator<(const Neighbour& other) const { return cosine != other.cosine ? cosine > other.cosine : row < other.row; }
};

RowMatrix unit_rows(const float* features, int64_t count, int64_t dim) {
  RowMatrix unit(count, dim);
  parallel::for_each(feature_blocks(count), [&](int64_t block, int) {
    for (int64_t n = block * feature_block; n < std::min(count, (block + 1) * feature_block); ++n) {
      const double norm = std::sqrt(kernels().sum_squares(features + n * dim, dim));
      for (int64_t d = 0; d < dim; ++d) unit(n, d) = norm > 0 ? float(double(features[n * dim + d]) / norm) : 0;
    }
  });
  return unit;
}

// The nearest so far, at most `limit`, as a heap over borrowed memory; its front is the farthest of them.
struct Nearest {
  Neighbour* heap;
  int64_t limit;
  int64_t size;

  void offer(Neighbour candidate) {
    if (size == limit) {
      if (!(candidate < heap[0])) return;
      std::pop_heap(heap, heap + size--);
    }
    heap[size++] = candidate;
    std::push_heap(heap, heap + size);
  }
};

// The class with the most votes. Weights are relative to the nearest one's, so that they cannot overflow at any temperature.
int32_t vote(const Nearest& nearest, const int32_t* labels, float temperature, double* votes, int32_t classes) {
  std::sort_heap(nearest.heap, nearest.heap + nearest.size);  // sums in one order, whatever the heap's
  std::fill(votes, votes + classes, 0.0);
  for (int64_t i = 0; i < nearest.size; ++i) {
    const Neighbour& n = nearest.heap[i];
    votes[labels[n.row]] += std::exp((double(n.cosine) - double(nearest.heap[0].cosine)) / double(temperature));
  }
  return int32_t(std::max_element(votes, votes + classes) - votes);
}

}  // namespace

void knn_predict(const float* train, const int32_t* labels, int64_t count, const float* queries, int64_t query_count,
                 int64_t dim, int32_t classes, int32_t neighbours, float temperature, int32_t* predictions) {
  SWAV_REQUIRE(neighbours >= 1, "neighbours are %d; at least 1 is needed", neighbours);
  SWAV_REQUIRE(temperature > 0 && std::isfinite(temperature), "temperature is %g; a number above 0 is needed",
               double(temperature));
  check_features("training features", train, labels, count, dim, classes);
  check_features("query features", queries, nullptr, query_count, dim, classes);
  const int64_t values = (count + query_count) * dim, nearest_bytes = query_count * std::min<int64_t>(neighbours, count) * 16;
  require_memory(values * int64_t(sizeof(float)) + nearest_bytes + feature_blocks(query_count) * classes * 8,
                 "nearest neighbours", "fewer features at a time need less");
  const RowMatrix unit_train = unit_rows(train, count, dim), unit_queries = unit_rows(queries, query_count, dim);
  const int64_t limit = std::min<int64_t>(neighbours, count);
  std::vector<Neighbour> heaps(size_t(query_count * limit));
  std::vector<double> votes(size_t(feature_blocks(query_count) * classes));
  parallel::for_each(feature_blocks(query_count), [&](int64_t block, int) {
    const int64_t begin = block * feature_block, rows = std::min(feature_block, query_count - begin);
    Nearest nearest[feature_block];
    for (int64_t q = 0; q < rows; ++q) nearest[q] = {heaps.data() + (begin + q) * limit, limit, 0};
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor, feature_block, feature_block> cosines;
    for (int64_t at = 0; at < count; at += feature_block) {
      const int64_t columns = std::min(feature_block, count - at);
      cosines.noalias() = unit_queries.middleRows(begin, rows) * unit_train.middleRows(at, columns).transpose();
      for (int64_t q = 0; q < rows; ++q) {
        for (int64_t n = 0; n < columns; ++n) nearest[q].offer({cosines(q, n), at + n});
      }
    }
    for (int64_t q = 0; q < rows; ++q) {
      predictions[begin + q] = vote(nearest[q], labels, temperature, votes.data() + block * classes, classes);
    }
  });
}

}  // namespace swav
