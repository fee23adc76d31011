#include "objective/health.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "objective/pieces.h"

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

int64_t prototypes_used_workspace(int64_t rows, int64_t prototypes) { return prototypes + rows; }

int64_t prototypes_used(const float* codes, int64_t rows, int64_t prototypes, Communicator& group, float* workspace) {
  float *used = workspace, *largest = workspace + prototypes;
  const Pieces pieces = few_pieces(rows);
  parallel::for_each(pieces.count, [&](int64_t piece, int) {
    for (int64_t n = pieces.begin(piece); n < pieces.end(piece); ++n) {
      const float* row = codes + n * prototypes;
      largest[n] = kernels().row_max(row, prototypes);
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

}  // namespace swav
