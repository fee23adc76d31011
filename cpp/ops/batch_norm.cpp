#include "ops/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace swav {
namespace {

constexpr int64_t channel_group = 64;  // channels a task

template <class F>
void for_channels(int64_t channels, F&& body) {
  parallel::for_each((channels + channel_group - 1) / channel_group,
                     [&](int64_t group, int) { body(group * channel_group, std::min(channels, (group + 1) * channel_group)); });
}

// Sums of this rank's blocks, of one number or two for each channel, and one more.
double* rank_sums(int64_t channels) {
  const ScratchSize size = batch_norm_scratch(channels);
  return reinterpret_cast<double*>(TeamScratch(size, 1).get(0, Scratch::result, size.floats[int(Scratch::result)]));
}

}  // namespace

void BatchNormValues::take(Arena& arena, int64_t channel_count) {
  channels = channel_count;
  for (float** place : {&mean, &variance, &scale, &shift, &a, &b, &c}) *place = arena.take<float>(channels);
}

ScratchSize batch_norm_scratch(int64_t channels) {
  ScratchSize size;
  size.include(Scratch::result, 2 * (2 * channels + 1));
  return size;
}

// With several ranks: one collective for both moments. The squares around 0 are those around the mean and n mean^2, in double:
// what cancels then leaves 1e-16 mean^2 of error, where the values have 1e-7 of themselves.
static void combine_ranks(const BlockSums& parts, const RowBlocks& blocks, Communicator& communicator, double* sums,
                          BatchNormValues& v) {
  const int64_t channels = v.channels, count = blocks.count();
  double* squares = sums + channels;
  for_channels(channels, [&](int64_t c0, int64_t c1) {
    for (int64_t c = c0; c < c1; ++c) squares[c] = 0;
    for (int64_t block = 0; block < count; ++block) {
      const double rows = double(blocks.end(block) - blocks.begin(block));
      for (int64_t c = c0; c < c1; ++c) {
        const double mean = double(parts.first[block * channels + c]);
        squares[c] += double(parts.second[block * channels + c]) + rows * mean * mean;
      }
    }
  });
  double& total = sums[2 * channels];
  total = double(blocks.rows);
  communicator.sum(sums, 2 * channels + 1);
  for (int64_t c = 0; c < channels; ++c) {
    const double mean = sums[c] / total;
    v.mean[c] = float(mean);
    v.variance[c] = float(std::max(squares[c] / total - mean * mean, 0.0));
  }
  v.count = total;
}

void combine_moments(const BlockSums& parts, const RowBlocks& blocks, Communicator& communicator, BatchNormValues& v) {
  const int64_t channels = v.channels, count = blocks.count();
  const double total = double(blocks.rows);
  double* sums = rank_sums(channels);
  auto weight = [&](int64_t block) { return double(blocks.end(block) - blocks.begin(block)); };
  for_channels(channels, [&](int64_t c0, int64_t c1) {
    for (int64_t c = c0; c < c1; ++c) sums[c] = 0;
    for (int64_t block = 0; block < count; ++block) {
      const double rows = weight(block);
      for (int64_t c = c0; c < c1; ++c) sums[c] += rows * double(parts.first[block * channels + c]);
    }
  });
  if (!communicator.alone()) return combine_ranks(parts, blocks, communicator, sums, v);
  for (int64_t c = 0; c < channels; ++c) v.mean[c] = float(sums[c] / total);
  for_channels(channels, [&](int64_t c0, int64_t c1) {
    double mean[channel_group];
    for (int64_t c = c0; c < c1; ++c) mean[c - c0] = sums[c] / total, sums[c] = 0;
    for (int64_t block = 0; block < count; ++block) {
      const double rows = weight(block);
      for (int64_t c = c0; c < c1; ++c) {
        const double d = double(parts.first[block * channels + c]) - mean[c - c0];
        sums[c] += double(parts.second[block * channels + c]) + rows * d * d;
      }
    }
  });
  for (int64_t c = 0; c < channels; ++c) v.variance[c] = float(std::max(sums[c] / total, 0.0));
  v.count = total;
}

void forward_coefficients(const float* gamma, const float* beta, const float* mean, const float* variance, BatchNormValues& v) {
  for (int64_t c = 0; c < v.channels; ++c) {
    const double scale = double(gamma[c]) / std::sqrt(double(variance[c]) + batch_norm_epsilon);
    v.scale[c] = float(scale);
    v.shift[c] = float(double(beta[c]) - scale * double(mean[c]));
  }
}

void backward_coefficients(const BlockSums& blocks, int64_t block_count, const float* gamma, Communicator& communicator,
                           BatchNormValues& v, float* d_gamma, float* d_beta) {
  const int64_t channels = v.channels;
  double* sums = rank_sums(channels);
  for_channels(channels, [&](int64_t c0, int64_t c1) {
    for (int64_t c = c0; c < c1; ++c) sums[c] = sums[channels + c] = 0;
    for (int64_t block = 0; block < block_count; ++block) {
      for (int64_t c = c0; c < c1; ++c) {
        sums[c] += double(blocks.first[block * channels + c]);
        sums[channels + c] += double(blocks.second[block * channels + c]);
      }
    }
  });
  auto deviation = [&](int64_t c) { return 1.0 / std::sqrt(double(v.variance[c]) + batch_norm_epsilon); };
  for (int64_t c = 0; c < channels; ++c) {
    d_beta[c] += float(sums[c]);
    d_gamma[c] += float(sums[channels + c] * deviation(c));
  }
  if (!communicator.alone()) communicator.sum(sums, 2 * channels);
  for (int64_t c = 0; c < channels; ++c) {
    const double r = deviation(c), a = double(gamma[c]) * r;
    const double b = -a * r * r * sums[channels + c] / v.count;
    v.a[c] = float(a);
    v.b[c] = float(b);
    v.c[c] = float(-a * sums[c] / v.count - b * double(v.mean[c]));
  }
}

void update_running(const BatchNormValues& v, float* running_mean, float* running_variance) {
  const double unbiased = v.count > 1 ? v.count / (v.count - 1) : 1.0;
  for (int64_t c = 0; c < v.channels; ++c) {
    running_mean[c] = float((1 - batch_norm_momentum) * double(running_mean[c]) + batch_norm_momentum * double(v.mean[c]));
    running_variance[c] =
        float((1 - batch_norm_momentum) * double(running_variance[c]) + batch_norm_momentum * unbiased * double(v.variance[c]));
  }
}

}  // namespace swav
