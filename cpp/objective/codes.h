// Codes: the soft cluster assignment of a batch by Sinkhorn-Knopp (paper section 3.1, eq. 3 to 5).
//
// With E = exp(scores / epsilon), the paper scales rows and columns of E in turn until every prototype holds an equal share of
// the images and every image sums to 1: code[n][k] = E[n][k] exp(-f[k]) / (sum over k of the same), where the
// potential f[k] is the logarithm of all the scalings of prototype k. Only f is kept between iterations, K numbers:
//   prototypes' step  f[k] <- f[k] + ln sum_n code[n][k]
//   images' step      code[n] <- softmax(scores[n] / epsilon - f)
// so each iteration is one pass over the scores, E is never stored, and constants (1/K, 1/N, the total) cancel in the softmax.
// The sums are taken in units of their mean N / K from the second step on: else all of f would move by its logarithm in each.
//
// It cannot overflow or divide by zero, whatever epsilon: f starts from each prototype's largest score, so its first sum is at
// least 1. After that step sum_n exp(t[n][k]) = 1 for t = scores / epsilon - f, hence t <= 0 and some image has t >= -ln N; its
// code is then at least 1 / (N K), so the next sum is too. Later t may be above 0: an image whose terms would overflow, or
// vanish, is taken relative to its largest. Rounding: f is held as a pair of floats in units of the scores, (score - high) /
// epsilon - low, so t has the relative error of one subtraction: codes are within 4e-7 * max(1, |t|) of the exact ones,
// relatively, |t| the largest for that image.
#pragma once

#include <cstdint>

#include "comm/communicator.h"
#include "swav.h"

namespace swav {

// Floats of workspace that compute_codes and score_spread need; 8-byte aligned memory of the caller's.
int64_t codes_workspace(int64_t rows, int64_t prototypes);

// scores [rows][prototypes] of this rank -> codes [keep][prototypes] of the last `keep` rows, each summing to 1; earlier rows
// are the queue. The order of the rows matters only to rounding. scores are read only and must not overlap codes. Collective: 1
// maximum of prototypes + 1 values and `iterations` sums of `prototypes` values over the ranks. Throws SWAV_ERROR_NUMERIC, on
// all ranks, when a score of any rank is not finite; codes are then undefined. marginal_error, where it is not NULL, gets how
// far the codes of all rows are from equal shares, after the last iteration: the largest |share of a prototype * K - 1|; one
// pass and one sum of `prototypes` values more.
void compute_codes(const float* scores, int64_t rows, int64_t prototypes, int64_t keep, double epsilon, int iterations,
                   Communicator& group, float* workspace, float* codes, double* marginal_error = nullptr);

// The spread of scores [rows][prototypes]: their standard deviation over all ranks' rows (n - 1), mean over prototypes; 0 for a
// single row. Collective: two sums of `prototypes` (+ 1) values.
double score_spread(const float* scores, int64_t rows, int64_t prototypes, Communicator& group, float* workspace);

// epsilon of this batch: config.epsilon, or when relative max(config.epsilon_floor, config.epsilon * spread).
// A float, so that what is reported is exactly what is used.
float codes_epsilon(const swav_codes_config& config, double spread);

// Throws SWAV_ERROR_ARGUMENT unless epsilon (and the floor when relative) is in [1e-6, 1e6] and iterations in [1, 1000].
void check(const swav_codes_config& config);

}  // namespace swav
