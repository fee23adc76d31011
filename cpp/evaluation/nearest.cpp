#include "evaluation/nearest.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "kernels/kernels.h"

namespace swav {
namespace {

// Rows of the bank and of queries in one product. Together with the packed bank, which the product reads once for 28 or 56
// queries, 2048 x 2048 cosines take 16 MiB each at 2048 numbers a row: the last-level cache of a server has both.
constexpr int64_t bank_block = 2048, query_slab = 2048;
// Bytes for the queries that one pass over the bank is for: rows of unit norm, and the nearest so far.
constexpr int64_t pass_bytes = int64_t{256} << 20;
constexpr int64_t least_pass = 8;  // queries
// So many queries at most are multiplied row by row: packing the bank would take longer than all else.
constexpr int64_t few_queries = 4;
// Cosines that are looked at together: most often none of them is among the nearest.
constexpr int64_t glance = 64;

// The nearest so far, at most `limit`, as a heap over borrowed memory; its front is the farthest of them.
struct Nearest {
  Neighbour* heap;
  int64_t limit;
  int64_t size = 0;

  void push(Neighbour candidate) {
    heap[size++] = candidate;
    std::push_heap(heap, heap + size);
  }

  // Cosines of rows first, first + 1, ...; rows come in order, so that an equal one is never nearer.
  void offer(const Kernels& kernel, const float* cosines, int64_t n, int64_t first) {
    int64_t i = 0;
    for (; i < n && size < limit; ++i) push({cosines[i], first + i});
    for (; i < n; i += glance) {
      const int64_t end = std::min(n, i + glance);
      if (!(kernel.row_max(cosines + i, end - i) > heap[0].cosine)) continue;
      for (int64_t j = i; j < end; ++j) {
        if (!(cosines[j] > heap[0].cosine)) continue;
        std::pop_heap(heap, heap + size--);
        push({cosines[j], first + j});
      }
    }
  }
};

void unit_rows(const float* rows, int64_t count, int64_t dim, float* unit) {
  parallel::for_each(feature_blocks(count), [&](int64_t block, int) {
    for (int64_t n = block * feature_block; n < std::min(count, (block + 1) * feature_block); ++n) {
      const double norm = std::sqrt(kernels().sum_squares(rows + n * dim, dim));
      for (int64_t d = n * dim; d < (n + 1) * dim; ++d) unit[d] = norm > 0 ? float(double(rows[d]) / norm) : 0;
    }
  });
}

// cosines [rows][columns] of a few queries with rows of the bank, all of unit norm.
void multiply_few(const float* queries, int64_t rows, const float* bank, int64_t columns, int64_t dim, float* cosines) {
  parallel::for_each(feature_blocks(columns), [&](int64_t task, int) {
    for (int64_t n = task * feature_block; n < std::min(columns, (task + 1) * feature_block); ++n) {
      for (int64_t q = 0; q < rows; ++q) cosines[q * columns + n] = dot(queries + q * dim, bank + n * dim, dim);
    }
  });
}

// Rows that are not finite give cosines that are not: the sum tells, as no cosine is large.
void require_finite(const float* cosines, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double(cosines[i]);
  if (!std::isfinite(sum)) fail(SWAV_ERROR_NUMERIC, "a cosine is not finite; finite features are needed");
}

}  // namespace

void find_nearest(const NearestSearch& s, const Progress& progress, NeighbourConsumer consumer) {
  const bool leaves_out = s.queries == nullptr;
  const float* queries = leaves_out ? s.bank : s.queries;
  const int64_t query_count = leaves_out ? s.count : s.query_count;
  const int64_t a_query = s.limit * int64_t(sizeof(Neighbour)) + s.dim * int64_t(sizeof(float));
  const int64_t pass = std::min(query_count, std::max(least_pass, pass_bytes / a_query));
  const bool is_few = s.unit_rows && query_count <= few_queries;
  // Few queries take one parallel region: the threads wait for each other once.
  const int64_t block = is_few ? s.count : std::min(bank_block, s.count), slab = std::min(query_slab, pass);
  require_memory(pass * a_query + int64_t(sizeof(float)) * ((is_few ? 0 : 3 * block * s.dim) + slab * block),
                 "nearest neighbours", "fewer neighbours need less");
  FeatureProduct product(s.dim, is_few ? 1 : block);
  std::vector<float> unit_bank(s.unit_rows ? 0 : size_t(block * s.dim)), unit_queries(s.unit_rows ? 0 : size_t(pass * s.dim));
  std::vector<float> cosines(size_t(slab * block));
  std::vector<Neighbour> heaps(size_t(pass * s.limit));
  std::vector<Nearest> nearest(size_t(pass), Nearest{nullptr, s.limit});
  for (int64_t begin = 0; begin < query_count; begin += pass) {
    const int64_t rows = std::min(pass, query_count - begin);
    if (!s.unit_rows) unit_rows(queries + begin * s.dim, rows, s.dim, unit_queries.data());
    const float* left = s.unit_rows ? queries + begin * s.dim : unit_queries.data();
    for (int64_t q = 0; q < rows; ++q) nearest[size_t(q)] = {heaps.data() + q * s.limit, s.limit};
    for (int64_t at = 0; at < s.count; at += block) {
      const int64_t columns = std::min(block, s.count - at);
      if (!s.unit_rows) unit_rows(s.bank + at * s.dim, columns, s.dim, unit_bank.data());
      const float* right = s.unit_rows ? s.bank + at * s.dim : unit_bank.data();
      if (!is_few) product.pack(right, columns, s.dim);
      for (int64_t q0 = 0; q0 < rows; q0 += slab) {
        progress(begin + rows * at / s.count, query_count);
        const int64_t some = std::min(slab, rows - q0);
        if (is_few) {
          multiply_few(left + q0 * s.dim, some, right, columns, s.dim, cosines.data());
        } else {
          product.multiply(left + q0 * s.dim, some, cosines.data());
        }
        if (s.unit_rows) require_finite(cosines.data(), some * columns);
        parallel::for_each(feature_blocks(some), [&](int64_t task, int) {
          for (int64_t q = task * feature_block; q < std::min(some, (task + 1) * feature_block); ++q) {
            float* row = cosines.data() + q * columns;
            const int64_t own = begin + q0 + q - at;
            if (leaves_out && own >= 0 && own < columns) row[own] = -2;  // farther than any
            nearest[size_t(q0 + q)].offer(kernels(), row, columns, at);
          }
        });
      }
    }
    parallel::for_each(rows, [&](int64_t q, int) {
      Neighbour* found = nearest[size_t(q)].heap;
      std::sort_heap(found, found + s.limit);
    });
    for (int64_t q = 0; q < rows; ++q) consumer(begin + q, nearest[size_t(q)].heap);
  }
  progress(query_count, query_count);
}

}  // namespace swav
