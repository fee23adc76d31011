// Kernels over rows, batch-norm's coefficients and the residual passes, against their formulas in double.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <string>

#include "kernel_samples.h"
#include "ops/batch_norm.h"
#include "ops/residual.h"
#include "thread_group.h"

using namespace swav;
using namespace swav::test;

namespace {

constexpr int64_t row_counts[] = {1, 2, 3, 17};

// A matrix [rows][stride] of which each row's first n are used.
struct Matrix {
  int64_t rows, n, stride;
  size_t at(int64_t r, int64_t c) const { return size_t(r * stride + c); }
  int64_t size() const { return (rows - 1) * stride + n; }
};

// Calls test(kernel, matrix) for every instruction set and the sizes around its vectors, with and without a gap between rows.
template <class F>
void for_matrices(F test) {
  for (const Kernels* kernel : machine_kernels()) {
    for (int64_t n : sizes_around(kernel->lanes)) {
      for (int64_t rows : row_counts) {
        CAPTURE(kernel->isa);
        CAPTURE(n);
        CAPTURE(rows);
        test(*kernel, Matrix{rows, n, n + (rows % 2) * 3});
      }
    }
  }
}

bool gaps_untouched(const Guarded<float>& x, const Floats& before, const Matrix& m) {
  bool same = x.margins_intact();
  for (int64_t i = 0; i < m.size(); ++i) same = same && (i % m.stride < m.n || x[i] == before[size_t(i)]);
  return same;
}

// Values of batch-norm with memory of their own.
struct NormValues {
  Arena arena;
  BatchNormValues v;
  explicit NormValues(int64_t channels) {
    arena.lay_out([&] { v.take(arena, channels); });
  }
};

// Sums of row blocks of a matrix [rows][channels], as the kernels make them.
struct Blocks {
  Floats first, second;
  int64_t count;
  Blocks(int64_t rows, int64_t block_rows, int64_t channels)
      : first(size_t((rows + block_rows - 1) / block_rows * channels)),
        second(first),
        count((rows + block_rows - 1) / block_rows) {}
  BlockSums sums() { return {first.data(), second.data()}; }
};

Blocks moments_of(const Floats& y, int64_t rows, int64_t block_rows, int64_t channels) {
  Blocks blocks(rows, block_rows, channels);
  for (int64_t b = 0; b < blocks.count; ++b) {
    const int64_t row0 = b * block_rows;
    kernels().block_moments(y.data() + row0 * channels, channels, std::min(block_rows, rows - row0), channels,
                            blocks.first.data() + b * channels, blocks.second.data() + b * channels);
  }
  return blocks;
}

struct Moments {
  double mean = 0, variance = 0;  // biased
};

Moments moments(const Floats& y, int64_t rows, int64_t channels, int64_t c) {
  Moments m;
  for (int64_t r = 0; r < rows; ++r) m.mean += double(y[size_t(r * channels + c)]) / double(rows);
  for (int64_t r = 0; r < rows; ++r) m.variance += std::pow(double(y[size_t(r * channels + c)]) - m.mean, 2) / double(rows);
  return m;
}

}  // namespace

TEST_CASE("moments of a block are its mean and sum of squared deviations, also far from zero") {
  for (double offset : {0.0, 1000.0}) {
    for_matrices([&](const Kernels& kernel, const Matrix& m) {
      const Floats y = normals(1, m.size(), 1, offset);
      Guarded<float> mean(m.n), m2(m.n);
      kernel.block_moments(y.data(), m.stride, m.rows, m.n, mean.data(), m2.data());
      for (int64_t c = 0; c < m.n; ++c) {
        double expected = 0, squares = 0;
        for (int64_t r = 0; r < m.rows; ++r) expected += double(y[m.at(r, c)]) / double(m.rows);
        for (int64_t r = 0; r < m.rows; ++r) squares += std::pow(double(y[m.at(r, c)]) - expected, 2);
        // The corrected mean is right to its own rounding; deviations from the first mean carry its error, rows eps |offset|,
        // and the correction takes its square away up to rounding.
        CHECK(std::abs(double(mean[c]) - expected) <= 2 * FLT_EPSILON * (std::abs(expected) + 1));
        const double first_error = double(m.rows) * FLT_EPSILON * (std::abs(offset) + 3);
        CHECK(std::abs(double(m2[c]) - squares) <=
              double(m.rows + 4) * FLT_EPSILON * (squares + double(m.rows) * first_error * first_error));
      }
      CHECK(mean.margins_intact());
      CHECK(m2.margins_intact());
    });
  }
}

TEST_CASE("column sums and added rows are exact on integers and touch nothing else") {
  for_matrices([](const Kernels& kernel, const Matrix& m) {
    const Floats x = integers(1, m.size(), 9), bias = integers(2, m.n, 9);
    Guarded<float> sums(m.n), y(x);
    kernel.column_sums(x.data(), m.stride, m.rows, m.n, sums.data());
    kernel.add_row(y.data(), m.stride, m.rows, m.n, bias.data());
    bool equal = sums.margins_intact() && gaps_untouched(y, x, m);
    for (int64_t c = 0; c < m.n; ++c) {
      float total = 0;
      for (int64_t r = 0; r < m.rows; ++r) {
        total += x[m.at(r, c)];
        equal = equal && y[int64_t(m.at(r, c))] == x[m.at(r, c)] + bias[size_t(c)];
      }
      equal = equal && sums[c] == total;
    }
    CHECK(equal);
  });
}

TEST_CASE("the backward of ReLU masks the gradient and sums it, exactly on integers") {
  for_matrices([](const Kernels& kernel, const Matrix& m) {
    const Floats d = integers(1, m.size(), 9), y = integers(2, m.size(), 9);
    const Floats scale = integers(3, m.n, 2), shift = integers(4, m.n, 4), mean = integers(5, m.n, 3);
    Guarded<float> dx(d), sum(m.n), centred(m.n), known_sum(m.n), known_centred(m.n);
    kernel.relu_backward(dx.data(), y.data(), m.stride, m.rows, m.n, scale.data(), shift.data(), mean.data(), sum.data(),
                         centred.data());
    kernel.gradient_sums(dx.data(), y.data(), m.stride, m.rows, m.n, mean.data(), known_sum.data(), known_centred.data());
    bool equal = gaps_untouched(dx, d, m) && sum.margins_intact() && centred.margins_intact();
    for (int64_t c = 0; c < m.n; ++c) {
      float total = 0, total_centred = 0;
      for (int64_t r = 0; r < m.rows; ++r) {
        const size_t i = m.at(r, c);
        const float dz = y[i] * scale[size_t(c)] + shift[size_t(c)] > 0 ? d[i] : 0.0f;
        equal = equal && dx[int64_t(i)] == dz;
        total += dz;
        total_centred += dz * (y[i] - mean[size_t(c)]);
      }
      equal = equal && sum[c] == total && centred[c] == total_centred;
    }
    CHECK(equal);
    CHECK(known_sum.values() == sum.values());
    CHECK(known_centred.values() == centred.values());
    CHECK(known_sum.margins_intact());
    CHECK(known_centred.margins_intact());
  });
}

TEST_CASE("no gradient passes a residual sum where it is zero, and the rest is summed, exactly on integers") {
  for_matrices([](const Kernels& kernel, const Matrix& m) {
    const Floats d = integers(1, m.size(), 9), x = integers(2, m.size(), 1), y = integers(3, m.size(), 9);
    const Floats mean = integers(4, m.n, 3);
    Guarded<float> dx(d), sum(m.n), centred(m.n), known_sum(m.n), known_centred(m.n);
    kernel.masked_gradient_sums(dx.data(), x.data(), y.data(), m.stride, m.rows, m.n, mean.data(), sum.data(), centred.data());
    kernel.gradient_sums(dx.data(), y.data(), m.stride, m.rows, m.n, mean.data(), known_sum.data(), known_centred.data());
    bool equal = gaps_untouched(dx, d, m) && sum.margins_intact() && centred.margins_intact();
    for (int64_t c = 0; c < m.n; ++c) {
      for (int64_t r = 0; r < m.rows; ++r) {
        const size_t i = m.at(r, c);
        equal = equal && dx[int64_t(i)] == (x[i] > 0 ? d[i] : 0.0f);
      }
    }
    CHECK(equal);
    CHECK(known_sum.values() == sum.values());
    CHECK(known_centred.values() == centred.values());
  });
}

TEST_CASE("residual sums are exact on integers, with the identity and with a projection") {
  for_matrices([](const Kernels& kernel, const Matrix& m) {
    const int64_t count = m.rows * m.n;
    const Floats y = integers(1, count, 9), side = integers(2, count, 9);
    const Floats a = integers(3, m.n, 2), b = integers(4, m.n, 4), pa = integers(5, m.n, 2), pb = integers(6, m.n, 4);
    Guarded<float> plain(count), projected(count);
    kernel.residual_plain(y.data(), side.data(), m.rows, m.n, a.data(), b.data(), plain.data());
    kernel.residual_projected(y.data(), side.data(), m.rows, m.n, a.data(), b.data(), pa.data(), pb.data(), projected.data());
    bool equal = plain.margins_intact() && projected.margins_intact();
    for (int64_t i = 0; i < count; ++i) {
      const size_t k = size_t(i), c = size_t(i % m.n);
      const float main = y[k] * a[c] + b[c];
      equal = equal && plain[i] == std::max(main + side[k], 0.0f);
      equal = equal && projected[i] == std::max(main + side[k] * pa[c] + pb[c], 0.0f);
    }
    CHECK(equal);
  });
}

TEST_CASE("batch moments from blocks are those of all rows, whatever the block size") {
  const int64_t channels = 67;
  for (int64_t rows : {int64_t(1), int64_t(111), int64_t(112), int64_t(113), int64_t(700)}) {
    for (int64_t block_rows : {int64_t(28), int64_t(112)}) {
      const Floats y = normals(uint64_t(rows), rows * channels, 2, 50);
      NormValues values(channels);
      Blocks blocks = moments_of(y, rows, block_rows, channels);
      combine_moments(blocks.sums(), RowBlocks{rows, block_rows}, group_of_one(), values.v);
      CHECK(values.v.count == double(rows));
      for (int64_t c = 0; c < channels; ++c) {
        const Moments m = moments(y, rows, channels, c);
        CHECK(std::abs(double(values.v.mean[c]) - m.mean) <= 2 * FLT_EPSILON * 60);
        // Block means are rounded to float: their squared deviations carry that.
        CHECK(std::abs(double(values.v.variance[c]) - m.variance) <= 120 * FLT_EPSILON * (m.variance + 60 * FLT_EPSILON * 60));
      }
    }
  }
}

TEST_CASE("moments and gradient sums over ranks are those of all rows") {
  const int64_t channels = 5, rows = 60, share = rows / 3;
  const Floats y = normals(1, rows * channels), d = normals(2, rows * channels), gamma = normals(3, channels);
  NormValues whole(channels);
  Blocks blocks = moments_of(y, rows, rows, channels);
  combine_moments(blocks.sums(), RowBlocks{rows, rows}, group_of_one(), whole.v);
  Floats d_gamma(channels), d_beta(channels);
  kernels().gradient_sums(d.data(), y.data(), channels, rows, channels, whole.v.mean, blocks.first.data(),
                          blocks.second.data());
  backward_coefficients(blocks.sums(), 1, gamma.data(), group_of_one(), whole.v, d_gamma.data(), d_beta.data());
  ThreadGroup group(3);
  group.run([&](Communicator& rank) {
    const int64_t at = rank.rank() * share * channels;
    NormValues part(channels);
    Blocks own = moments_of(Floats(y.begin() + at, y.begin() + at + share * channels), share, share, channels);
    combine_moments(own.sums(), RowBlocks{share, share}, rank, part.v);
    kernels().gradient_sums(d.data() + at, y.data() + at, channels, share, channels, part.v.mean, own.first.data(),
                            own.second.data());
    Floats own_gamma(channels), own_beta(channels);
    backward_coefficients(own.sums(), 1, gamma.data(), rank, part.v, own_gamma.data(), own_beta.data());
    for (int64_t c = 0; c < channels; ++c) {  // 60 summands of about 1: 64 eps
      CHECK(std::abs(part.v.mean[c] - whole.v.mean[c]) <= 64 * FLT_EPSILON);
      CHECK(std::abs(part.v.variance[c] - whole.v.variance[c]) <= 64 * FLT_EPSILON);
      CHECK(std::abs(part.v.b[c] - whole.v.b[c]) <= 64 * FLT_EPSILON);
      CHECK(std::abs(part.v.c[c] - whole.v.c[c]) <= 64 * FLT_EPSILON);
    }
  });
}

TEST_CASE("batch-norm forward and backward are the formulas in double, the backward also by finite differences") {
  const int64_t rows = 37, channels = 19;
  const Floats y = normals(1, rows * channels, 2, 3), d = normals(2, rows * channels), gamma = normals(3, channels),
               beta = normals(4, channels);
  NormValues values(channels);
  BatchNormValues& v = values.v;
  Blocks blocks = moments_of(y, rows, 28, channels);
  combine_moments(blocks.sums(), RowBlocks{rows, 28}, group_of_one(), v);
  forward_coefficients(gamma.data(), beta.data(), v.mean, v.variance, v);
  Blocks sums(rows, rows, channels);
  kernels().gradient_sums(d.data(), y.data(), channels, rows, channels, v.mean, sums.first.data(), sums.second.data());
  Floats d_gamma(channels, 1.0f), d_beta(channels, 2.0f);  // gradients are added
  backward_coefficients(sums.sums(), 1, gamma.data(), group_of_one(), v, d_gamma.data(), d_beta.data());

  for (int64_t c = 0; c < channels; ++c) {
    const auto z_of = [&](const Doubles& column, double g) {  // batch-norm of one channel
      double mean = 0, variance = 0;
      for (double x : column) mean += x / double(rows);
      for (double x : column) variance += (x - mean) * (x - mean) / double(rows);
      Doubles z;
      for (double x : column) z.push_back(g * (x - mean) / std::sqrt(variance + 1e-5) + double(beta[size_t(c)]));
      return z;
    };
    const auto objective = [&](const Doubles& column, double g) {  // whose gradient by z is d
      const Doubles z = z_of(column, g);
      double total = 0;
      for (int64_t r = 0; r < rows; ++r) total += z[size_t(r)] * double(d[size_t(r * channels + c)]);
      return total;
    };
    Doubles column;
    for (int64_t r = 0; r < rows; ++r) column.push_back(double(y[size_t(r * channels + c)]));
    const double g = double(gamma[size_t(c)]), h = 1e-5;
    const Doubles z = z_of(column, g);
    double beta_sum = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const size_t i = size_t(r * channels + c);
      beta_sum += double(d[i]);
      // |scale y| <= 3 * 10 / 2 and a sum of two: a few roundings of 15.
      CHECK(std::abs(double(v.scale[c]) * double(y[i]) + double(v.shift[c]) - z[size_t(r)]) <= 4 * FLT_EPSILON * 15);
      Doubles up = column, down = column;
      up[size_t(r)] += h;
      down[size_t(r)] -= h;
      const double slope = (objective(up, g) - objective(down, g)) / (2 * h);
      const double dy = double(v.a[c]) * double(d[i]) + double(v.b[c]) * double(y[i]) + double(v.c[c]);
      CHECK(std::abs(dy - slope) <= 16 * FLT_EPSILON * 3 + 1e-8);  // second: h^2 and double's rounding over h
    }
    const double slope = (objective(column, g + h) - objective(column, g - h)) / (2 * h);
    CHECK(std::abs(double(d_gamma[size_t(c)]) - 1 - slope) <= double(rows) * FLT_EPSILON * 5);
    CHECK(std::abs(double(d_beta[size_t(c)]) - 2 - beta_sum) <= double(rows) * FLT_EPSILON * 2);
  }
}

TEST_CASE("the running variance gets n / (n - 1) of the batch's, the running mean a tenth of its mean") {
  const int64_t channels = 3;
  for (double count : {2.0, 10.0, 1e6}) {
    NormValues values(channels);
    values.v.count = count;
    Floats running_mean(channels, 4.0f), running_variance(channels, 2.0f);
    for (int64_t c = 0; c < channels; ++c) values.v.mean[c] = float(c), values.v.variance[c] = float(c + 1);
    update_running(values.v, running_mean.data(), running_variance.data());
    for (int64_t c = 0; c < channels; ++c) {
      CHECK(running_mean[size_t(c)] == float(0.9 * 4 + 0.1 * double(c)));
      CHECK(std::abs(double(running_variance[size_t(c)]) - (0.9 * 2 + 0.1 * count / (count - 1) * double(c + 1))) <=
            4 * FLT_EPSILON);
    }
  }
}

TEST_CASE("residual sums in one pass equal those of a pass each") {
  const int64_t channels = 33, rows = 2 * pass_block_rows(channels) + 5, count = rows * channels;
  const Floats side = normals(1, count), y[3] = {normals(2, count), normals(3, count), normals(4, count)};
  NormValues values(channels), side_values(channels);
  for (NormValues* v : {&values, &side_values}) {
    for (int64_t c = 0; c < channels; ++c) v->v.scale[c] = float(c % 3) - 0.7f, v->v.shift[c] = float(c % 5) / 3;
  }
  const ResidualLink links[] = {
      {y[0].data(), &values.v, side.data(), &side_values.v}, {y[1].data(), &values.v}, {y[2].data(), &values.v}};
  Guarded<float> at_once(count), one_by_one(count);
  residual_forward(links, 3, rows, at_once.data());
  for (const ResidualLink& link : links) residual_forward(&link, 1, rows, one_by_one.data());
  CHECK(at_once.values() == one_by_one.values());
  CHECK(at_once.margins_intact());
}

TEST_CASE("residual passes equal plain loops over more than one block, exactly on integers") {
  for (bool projected : {false, true}) {
    const int64_t channels = 17, rows = 2 * pass_block_rows(channels) + 5, count = rows * channels;
    const Floats y = integers(1, count, 9), side = integers(2, count, 9), d = integers(3, count, 5);
    NormValues main(channels), other(channels);
    for (NormValues* values : {&main, &other}) {
      for (int64_t c = 0; c < channels; ++c)
        values->v.scale[c] = float(c % 3 - 1), values->v.shift[c] = float(c % 5 - 2), values->v.mean[c] = float(c % 4);
    }
    Guarded<float> sum(count), dz(d);
    const ResidualLink link{y.data(), &main.v, side.data(), projected ? &other.v : nullptr};
    residual_forward(&link, 1, rows, sum.data());
    Blocks blocks(rows, pass_block_rows(channels), channels), side_blocks = blocks;
    ResidualGradient gradient{sum.data(), y.data(), &main.v, blocks.sums()};
    if (projected)
      gradient.projected = side.data(), gradient.projected_norm = &other.v, gradient.projected_sums = side_blocks.sums();
    residual_backward(dz.data(), gradient, rows);
    bool equal = sum.margins_intact() && dz.margins_intact();
    for (int64_t c = 0; c < channels; ++c) {
      float totals[3] = {}, expected[3] = {};  // sums of the blocks: dz, dz (y - mean), dz (side - mean)
      for (int64_t b = 0; b < blocks.count; ++b) {
        totals[0] += blocks.first[size_t(b * channels + c)];
        totals[1] += blocks.second[size_t(b * channels + c)];
        totals[2] += side_blocks.second[size_t(b * channels + c)];
      }
      for (int64_t r = 0; r < rows; ++r) {
        const size_t i = size_t(r * channels + c);
        const float s = side[i] * (projected ? main.v.scale[c] : 1.0f) + (projected ? main.v.shift[c] : 0.0f);
        const float total = std::max(y[i] * main.v.scale[c] + main.v.shift[c] + s, 0.0f), g = total > 0 ? d[i] : 0.0f;
        equal = equal && sum[int64_t(i)] == total && dz[int64_t(i)] == g;
        expected[0] += g;
        expected[1] += g * (y[i] - main.v.mean[c]);
        expected[2] += projected ? g * (side[i] - other.v.mean[c]) : 0.0f;
      }
      for (int i = 0; i < 3; ++i) equal = equal && totals[i] == expected[i];
    }
    CHECK_MESSAGE(equal, "projected ", projected);
  }
}
