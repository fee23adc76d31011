#include "objective/codes.h"

#include <cfloat>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "objective/pieces.h"

namespace swav {
namespace {

// body(begin, end) for blocks of prototypes, in parallel.
template <class F>
void for_columns(int64_t prototypes, F body) {
  constexpr int64_t block = 512;
  parallel::for_each((prototypes + block - 1) / block,
                     [&](int64_t i, int) { body(i * block, std::min(prototypes, (i + 1) * block)); });
}

// The workspace, cut into arrays.
struct Space {
  double* sums;    // [K + 1]
  float* high;     // [K + 1] potential f of each prototype in units of the scores; first each prototype's largest score
  float* low;      // [K]     what high's rounding lost, over epsilon
  float* flags;    // [P]     NaN where a piece saw a score that is not finite
  float* partial;  // [P][K]  each piece's sum for each prototype
  float* scratch;  // [P][K]  each piece's largest scores, then its current row

  Space(float* workspace, int64_t pieces, int64_t prototypes) {
    sums = reinterpret_cast<double*>(workspace);
    high = workspace + 2 * (2 * prototypes + 1);
    low = high + prototypes + 1;
    flags = low + prototypes;
    partial = flags + pieces;
    scratch = partial + pieces * prototypes;
  }
};

struct Problem {
  const float* scores;
  int64_t prototypes;
  float scale;  // 1 / epsilon
  Pieces pieces;
  Space space;
  Communicator& group;

  const float* row(int64_t n) const { return scores + n * prototypes; }
  float* partial(int64_t piece) const { return space.partial + piece * prototypes; }
  float* scratch(int64_t piece) const { return space.scratch + piece * prototypes; }
};

// sums[k] = sum over pieces and ranks of partial[.][k].
void sum_pieces(const Problem& p) {
  for_columns(p.prototypes, [&](int64_t begin, int64_t end) {
    std::fill(p.space.sums + begin, p.space.sums + end, 0.0);
    for (int64_t piece = 0; piece < p.pieces.count; ++piece) {
      const float* partial = p.partial(piece);
      for (int64_t k = begin; k < end; ++k) p.space.sums[k] += double(partial[k]);
    }
  });
  p.group.sum(p.space.sums, p.prototypes);
}

// Of the sums of codes: the rows of all ranks.
double total_of(const Problem& p) { return std::accumulate(p.space.sums, p.space.sums + p.prototypes, 0.0); }

// f <- f + ln(sums / unit), as the pair (high, low).
void move_potentials(const Problem& p, double epsilon, double unit) {
  for (int64_t k = 0; k < p.prototypes; ++k) {
    const double f = double(p.space.high[k]) + epsilon * (double(p.space.low[k]) + std::log(p.space.sums[k] / unit));
    p.space.high[k] = float(f);
    p.space.low[k] = float((f - double(p.space.high[k])) / epsilon);
  }
}

// Each prototype's largest score, into high. Throws if any score of any rank is not finite.
void combine_maxima(const Problem& p) {
  float* high = p.space.high;
  const int64_t k_count = p.prototypes;
  high[k_count] = 0;
  for (int64_t piece = 0; piece < p.pieces.count; ++piece) {
    if (!(p.space.flags[piece] == 0)) high[k_count] = 1;
  }
  for_columns(k_count, [&](int64_t begin, int64_t end) {
    std::fill(high + begin, high + end, -FLT_MAX);
    for (int64_t piece = 0; piece < p.pieces.count; ++piece) {
      const float* largest = p.scratch(piece);
      for (int64_t k = begin; k < end; ++k) high[k] = std::max(high[k], largest[k]);
    }
  });
  p.group.max(high, k_count + 1);
  if (high[k_count] != 0) fail(SWAV_ERROR_NUMERIC, "codes: a score is not finite; finite scores are needed");
}

// The first prototypes' step: sums[k] = sum_n exp((score - largest[k]) / epsilon), high = largest, low = 0. Every piece takes
// its own largest scores as reference while its rows are in the cache, and is brought to the common reference afterwards.
void first_sums(const Problem& p) {
  const Kernels& kernel = kernels();
  const int64_t k_count = p.prototypes;
  parallel::for_each(p.pieces.count, [&](int64_t piece, int) {
    float *largest = p.scratch(piece), *partial = p.partial(piece);
    std::fill(largest, largest + k_count, -FLT_MAX);
    std::fill(partial, partial + k_count, 0.0f);
    float flag = 0;
    for (int64_t n = p.pieces.begin(piece); n < p.pieces.end(piece); ++n) flag += kernel.column_max(p.row(n), largest, k_count);
    for (int64_t n = p.pieces.begin(piece); n < p.pieces.end(piece); ++n) {
      kernel.exp_accumulate(p.row(n), largest, p.scale, partial, k_count);
    }
    p.space.flags[piece] = flag;
  });
  combine_maxima(p);
  std::fill(p.space.low, p.space.low + k_count, 0.0f);
  parallel::for_each(p.pieces.count, [&](int64_t piece, int) {
    kernel.exp_multiply(p.scratch(piece), p.space.high, p.scale, p.partial(piece), k_count);
  });
  sum_pieces(p);
}

// exp(t - shift) of one image's t, and its sum. shift is 0 unless the image is so far from everything, or so near, that its
// terms would vanish or overflow.
double image_terms(const Problem& p, const float* row, float* terms) {
  const Kernels& kernel = kernels();
  const float *high = p.space.high, *low = p.space.low;
  double sum = kernel.potential_exp(row, high, low, p.scale, 0, terms, p.prototypes);
  // Terms under exp(-87) = 2^-125.5 are lost: 2^-60 of the sum at most while that is above 2^-64 and K below 2^1.5 * 2^60.
  // Terms from exp(88) = 2^127 on are all taken for that.
  if (!(sum >= 0x1p-64 && sum <= 0x1p64)) {
    const float shift = kernel.potential_max(row, high, low, p.scale, p.prototypes);
    sum = kernel.potential_exp(row, high, low, p.scale, shift, terms, p.prototypes);
  }
  return sum;
}

// Images' step, and the sums for the next prototypes' step.
void code_sums(const Problem& p) {
  const Kernels& kernel = kernels();
  parallel::for_each(p.pieces.count, [&](int64_t piece, int) {
    float *terms = p.scratch(piece), *partial = p.partial(piece);
    std::fill(partial, partial + p.prototypes, 0.0f);
    for (int64_t n = p.pieces.begin(piece); n < p.pieces.end(piece); ++n) {
      const double sum = image_terms(p, p.row(n), terms);
      kernel.add_scaled(terms, float(1 / sum), partial, p.prototypes);
    }
  });
  sum_pieces(p);
}

// Each piece's moments about its first row, into partial (sums) and scratch (squares): no cancellation, as rows of a piece
// differ by the spread and not by the mean.
void piece_moments(const float* scores, const Pieces& pieces, int64_t prototypes, const Space& space) {
  parallel::for_each(pieces.count, [&](int64_t piece, int) {
    float *sums = space.partial + piece * prototypes, *squares = space.scratch + piece * prototypes;
    std::fill(sums, sums + prototypes, 0.0f);
    std::fill(squares, squares + prototypes, 0.0f);
    const float* origin = scores + pieces.begin(piece) * prototypes;
    for (int64_t n = pieces.begin(piece) + 1; n < pieces.end(piece); ++n) {
      kernels().column_moments(scores + n * prototypes, origin, sums, squares, prototypes);
    }
  });
}

// Last images' step: the codes of the last `keep` rows.
void write_codes(const Problem& p, int64_t keep, float* codes) {
  const Kernels& kernel = kernels();
  const int64_t skip = p.pieces.rows - keep;
  const Pieces kept = matrix_pieces(keep, p.prototypes);
  parallel::for_each(kept.count, [&](int64_t piece, int) {
    for (int64_t n = kept.begin(piece); n < kept.end(piece); ++n) {
      float* code = codes + n * p.prototypes;
      const double sum = image_terms(p, p.row(skip + n), code);
      kernel.scale_row(code, float(1 / sum), code, p.prototypes);
    }
  });
}

}  // namespace

int64_t codes_workspace(int64_t rows, int64_t prototypes) {
  const int64_t pieces = matrix_pieces(rows, prototypes).count;
  return 2 * (2 * prototypes + 1) + 2 * prototypes + 1 + pieces + 2 * pieces * prototypes;
}

void compute_codes(const float* scores, int64_t rows, int64_t prototypes, int64_t keep, double epsilon, int iterations,
                   Communicator& group, float* workspace, float* codes, double* marginal_error) {
  const Pieces pieces = matrix_pieces(rows, prototypes);
  const Problem p{scores, prototypes, float(1 / epsilon), pieces, Space(workspace, pieces.count, prototypes), group};
  first_sums(p);
  move_potentials(p, epsilon, 1);
  for (int i = 1; i < iterations; ++i) {
    code_sums(p);
    move_potentials(p, epsilon, total_of(p) / double(prototypes));
  }
  write_codes(p, keep, codes);
  if (marginal_error == nullptr) return;
  code_sums(p);
  const double total = total_of(p);
  *marginal_error = 0;
  for (int64_t k = 0; k < prototypes; ++k) {
    *marginal_error = std::max(*marginal_error, std::abs(p.space.sums[k] / total * double(prototypes) - 1));
  }
}

double score_spread(const float* scores, int64_t rows, int64_t prototypes, Communicator& group, float* workspace) {
  const Pieces pieces = matrix_pieces(rows, prototypes);
  const Space space(workspace, pieces.count, prototypes);
  piece_moments(scores, pieces, prototypes, space);
  const auto count = [&](int64_t piece) { return double(pieces.end(piece) - pieces.begin(piece)); };
  const auto offset = [&](int64_t piece, int64_t k) { return double(space.partial[piece * prototypes + k]); };
  const auto mean = [&](int64_t piece, int64_t k) {
    return double(scores[pieces.begin(piece) * prototypes + k]) + offset(piece, k) / count(piece);
  };
  double* sums = space.sums;
  for_columns(prototypes, [&](int64_t begin, int64_t end) {
    std::fill(sums + begin, sums + end, 0.0);
    for (int64_t piece = 0; piece < pieces.count; ++piece) {
      for (int64_t k = begin; k < end; ++k) sums[k] += mean(piece, k) * count(piece);
    }
  });
  sums[prototypes] = double(rows);
  group.sum(sums, prototypes + 1);
  const double total = sums[prototypes];
  if (total < 2) return 0;
  double* squares = sums + prototypes + 1;
  for_columns(prototypes, [&](int64_t begin, int64_t end) {
    std::fill(squares + begin, squares + end, 0.0);
    for (int64_t piece = 0; piece < pieces.count; ++piece) {
      for (int64_t k = begin; k < end; ++k) {
        const double distance = mean(piece, k) - sums[k] / total;
        squares[k] += double(space.scratch[piece * prototypes + k]) - offset(piece, k) * offset(piece, k) / count(piece) +
                      count(piece) * distance * distance;
      }
    }
  });
  group.sum(squares, prototypes);
  double spread = 0;
  for (int64_t k = 0; k < prototypes; ++k) spread += std::sqrt(std::max(squares[k], 0.0) / (total - 1));
  return spread / double(prototypes);
}

float codes_epsilon(const swav_codes_config& config, double spread) {
  if (!config.relative) return config.epsilon;
  return std::max(config.epsilon_floor, float(double(config.epsilon) * spread));
}

void check(const swav_codes_config& config) {
  // 1e-6: scores / epsilon then stay far inside float's range for any cosine; see also the rounding in the header.
  SWAV_REQUIRE(config.epsilon >= float(SWAV_MIN_TEMPERATURE) && config.epsilon <= float(SWAV_MAX_TEMPERATURE),
               "epsilon is %g; %g to %g is allowed", double(config.epsilon), SWAV_MIN_TEMPERATURE, SWAV_MAX_TEMPERATURE);
  SWAV_REQUIRE(!config.relative ||
                   (config.epsilon_floor >= float(SWAV_MIN_TEMPERATURE) && config.epsilon_floor <= float(SWAV_MAX_TEMPERATURE)),
               "epsilon_floor is %g; %g to %g is allowed", double(config.epsilon_floor), SWAV_MIN_TEMPERATURE,
               SWAV_MAX_TEMPERATURE);
  SWAV_REQUIRE(config.iterations >= 1 && config.iterations <= SWAV_MAX_ITERATIONS,
               "Sinkhorn iterations are %d; 1 to %d is allowed", config.iterations, SWAV_MAX_ITERATIONS);
}

}  // namespace swav
