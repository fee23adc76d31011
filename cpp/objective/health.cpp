#include "objective/health.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "objective/pieces.h"
#include "ops/convolution.h"
#include "ops/linear.h"

namespace swav {

int64_t code_entropy_workspace(int64_t rows) { return 2 * few_pieces(rows).count; }

double code_entropy(const float* codes, int64_t rows, int64_t prototypes, Communicator& group, float* workspace) {
  if (prototypes < 2) return 0;
  const Pieces pieces = few_pieces(rows);
  double* sums = reinterpret_cast<double*>(workspace);
  parallel::for_each(pieces.count, [&](int64_t piece, int) {
    sums[piece] = 0;
    for (int64_t n = pieces.begin(piece); n < pieces.end(piece); ++n) {
      sums[piece] += kernels().row_entropy(codes + n * prototypes, prototypes);
    }
  });
  double total = 0;
  for (int64_t piece = 0; piece < pieces.count; ++piece) total += sums[piece];
  group.sum(&total, 1);
  return total / (double(rows) * group.size() * std::log(double(prototypes)));
}

int64_t prediction_entropy_workspace(int64_t rows, int64_t prototypes) { return few_pieces(rows).count * (2 + prototypes); }

double prediction_entropy(const float* scores, int64_t rows, int64_t prototypes, float temperature, Communicator& group,
                          float* workspace) {
  if (prototypes < 2) return 0;
  const Pieces pieces = few_pieces(rows);
  const Kernels& kernel = kernels();
  double* sums = reinterpret_cast<double*>(workspace);
  parallel::for_each(pieces.count, [&](int64_t piece, int) {
    float* p = workspace + 2 * pieces.count + piece * prototypes;
    sums[piece] = 0;
    for (int64_t n = pieces.begin(piece); n < pieces.end(piece); ++n) {
      const float* row = scores + n * prototypes;
      double parts[3];  // of exp(t), q * t and q, for t = (score - largest) / temperature; q is not used
      kernel.softmax_cross(row, row, kernel.row_max(row, prototypes), 1 / temperature, p, parts, prototypes);
      kernel.scale_row(p, float(1 / parts[0]), p, prototypes);
      sums[piece] += kernel.row_entropy(p, prototypes);
    }
  });
  double total = std::accumulate(sums, sums + pieces.count, 0.0);
  group.sum(&total, 1);
  return total / (double(rows) * group.size() * std::log(double(prototypes)));
}

int64_t prototypes_used_workspace(int64_t rows) { return rows; }

int64_t prototypes_used(const float* codes, int64_t rows, int64_t prototypes, Communicator& group, float* used,
                        float* workspace) {
  float* largest = workspace;
  const Pieces pieces = few_pieces(rows);
  parallel::for_each(pieces.count, [&](int64_t piece, int) {
    for (int64_t n = pieces.begin(piece); n < pieces.end(piece); ++n) {
      largest[n] = kernels().row_max(codes + n * prototypes, prototypes);
    }
  });
  std::fill(used, used + prototypes, 0.0f);
  for (int64_t n = 0; n < rows; ++n) {
    const float* row = codes + n * prototypes;
    const int64_t best = std::find(row, row + prototypes, largest[n]) - row;
    if (best < prototypes) used[best] = 1;  // not found: a row of NaN
  }
  group.max(used, prototypes);
  return std::count(used, used + prototypes, 1.0f);
}

void mean_code(const float* codes, int64_t rows, int64_t prototypes, Communicator& group, double* mean) {
  constexpr int64_t block = 256;  // columns
  parallel::for_each((prototypes + block - 1) / block, [&](int64_t task, int) {
    const int64_t begin = task * block, end = std::min(prototypes, begin + block);
    std::fill(mean + begin, mean + end, 0.0);
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t k = begin; k < end; ++k) mean[k] += double(codes[n * prototypes + k]);
    }
  });
  group.sum(mean, prototypes);
  for (int64_t k = 0; k < prototypes; ++k) mean[k] /= double(rows) * group.size();
}

int64_t duplicate_prototypes(const float* prototypes, int64_t count, int64_t dim, float least) {
  std::vector<float> unit(size_t(count * dim)), norms(static_cast<size_t>(count));
  normalize_rows(prototypes, count, dim, unit.data(), norms.data());
  std::vector<char> duplicate(size_t(count), 0);
  constexpr int64_t block = 256;  // prototypes compared with all before them at a time
  std::vector<float> cosines(size_t(std::min(block, count) * count));
  for (int64_t begin = 0; begin < count; begin += block) {
    ConvolutionShape shape;
    shape.images = std::min(block, count - begin);
    shape.channels = int32_t(dim);
    shape.filters = int32_t(begin + shape.images);
    const Convolution product(shape);
    std::vector<float> workspace(size_t(product.workspace()));
    product.forward({unit.data() + begin * dim}, unit.data(), workspace.data(), cosines.data(), Epilogue());
    parallel::for_each(shape.images, [&](int64_t i, int) {
      const float* row = cosines.data() + i * shape.filters;
      duplicate[size_t(begin + i)] = std::any_of(row, row + begin + i, [=](float cosine) { return cosine >= least; });
    });
  }
  return std::count(duplicate.begin(), duplicate.end(), 1);
}

int64_t mean_similarity_workspace(int64_t dim) { return 2 * (dim + 1); }

double mean_similarity(const float* embeddings, int64_t rows, int64_t dim, Communicator& group, float* workspace) {
  // sum over pairs i != j of z_i . z_j = |sum z|^2 - sum |z|^2
  double* sums = reinterpret_cast<double*>(workspace);
  double& squares = sums[dim];
  squares = 0;
  for (int64_t d = 0; d < dim; ++d) {
    sums[d] = 0;
    for (int64_t n = 0; n < rows; ++n) {
      const double z = double(embeddings[n * dim + d]);
      sums[d] += z;
      squares += z * z;
    }
  }
  group.sum(sums, dim + 1);
  const double count = double(rows) * group.size();
  if (count < 2) return 0;
  double squared_sum = 0;
  for (int64_t d = 0; d < dim; ++d) squared_sum += sums[d] * sums[d];
  return (squared_sum - squares) / (count * (count - 1));
}

namespace {

// Sums over some rows of z z^T, lower triangle of [dim][dim], and behind it of z.
std::vector<double> gram_sums(const float* embeddings, int64_t rows, int64_t step, int64_t dim) {
  std::vector<double> sums(size_t(dim * (dim + 1)), 0.0);
  parallel::for_each(dim, [&](int64_t i, int) {
    double* row = sums.data() + i * dim;
    for (int64_t n = 0; n < rows; n += step) {
      const float* z = embeddings + n * dim;
      for (int64_t j = 0; j <= i; ++j) row[j] += double(z[i]) * double(z[j]);
      sums[size_t(dim * dim + i)] += double(z[i]);
    }
  });
  return sums;
}

}  // namespace

EmbeddingSpread embedding_spread(const float* embeddings, int64_t rows, int64_t dim, Communicator& group) {
  constexpr int64_t most_rows = 2048;
  const int64_t step = (rows + most_rows - 1) / most_rows;
  std::vector<double> sums = gram_sums(embeddings, rows, step, dim);
  group.sum(sums.data(), int64_t(sums.size()));
  const double count = double((rows + step - 1) / step) * group.size();
  EmbeddingSpread spread{0, 0, std::numeric_limits<double>::infinity()};
  for (int64_t i = 0; i < dim; ++i) {
    const double mean = sums[size_t(dim * dim + i)] / count;
    const double variance = std::max(0.0, sums[size_t(i * dim + i)] - count * mean * mean) / std::max(1.0, count - 1);
    const double deviation = std::sqrt(variance * double(dim));
    spread.deviation += deviation / double(dim);
    spread.least_deviation = std::min(spread.least_deviation, deviation);
  }
  // Row-major lower is column-major upper.
  const Eigen::Map<const Eigen::MatrixXd> gram(sums.data(), dim, dim);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram.transpose(), Eigen::EigenvaluesOnly);
  const Eigen::VectorXd singular = solver.eigenvalues().cwiseMax(0.0).cwiseSqrt();
  const double total = singular.sum();
  double entropy = 0;
  for (double value : singular) entropy -= value > 0 ? value / total * std::log(value / total) : 0;
  spread.rank = std::exp(entropy);
  return spread;
}

}  // namespace swav
