// What a product reads: rows of channels, with batch-norm done on the way into the packed panel, so that no normalised copy of
// an activation and no batch-norm gradient is ever written to memory.
#pragma once

#include <cstdint>

#include "ops/values.h"

namespace swav {

enum class Transform {
  plain,      // x
  norm_relu,  // max(a * x + b, 0)
  gradient    // a * x + b * partner + c: backward of batch-norm, x = d(normalised), partner = the convolution's output
};

// Borrowed: data [pixels][channels], coefficients [channels]. The partner is stored as the data are.
struct Operand {
  ConstValues data = {};
  Transform transform = Transform::plain;
  ConstValues partner = {};
  const float* a = nullptr;
  const float* b = nullptr;
  const float* c = nullptr;
};

// How packed rows lie: panels of `width` channels, `step` floats apart; by default in one piece.
struct Panels {
  int64_t width = INT64_MAX / 2, step = 0;
};

// Packs channels [channel, channel + n) of `count` rows of floats. rows[r] points at channel `channel` of a pixel, or is NULL
// for padding.
inline void pack(const Kernels& kernels, const Operand& operand, const float* const* rows, int64_t count, int64_t channel,
                 int64_t n, float* to, int64_t to_stride, Panels panels = {}) {
  const int64_t width = panels.width, step = panels.step;
  switch (operand.transform) {
    case Transform::plain: return kernels.pack_plain(rows, count, n, to, to_stride, width, step);
    case Transform::norm_relu:
      return kernels.pack_norm_relu(rows, count, n, operand.a + channel, operand.b + channel, to, to_stride, width, step);
    case Transform::gradient:
      return kernels.pack_gradient(rows, operand.partner.floats() - operand.data.floats(), count, n, operand.a + channel,
                                   operand.b + channel, operand.c + channel, to, to_stride, width, step);
  }
}

// The same of rows of bfloat16 into rows of bfloat16.
inline void pack(const BfloatKernels& kernels, const Operand& operand, const bfloat16* const* rows, int64_t count,
                 int64_t channel, int64_t n, bfloat16* to, int64_t to_stride) {
  switch (operand.transform) {
    case Transform::plain: return kernels.bfloat_rows_plain(rows, count, n, to, to_stride);
    case Transform::norm_relu:
      return kernels.bfloat_rows_norm_relu(rows, count, n, operand.a + channel, operand.b + channel, to, to_stride);
    case Transform::gradient:
      return kernels.bfloat_rows_gradient(rows, operand.partner.halves() - operand.data.halves(), count, n, operand.a + channel,
                                          operand.b + channel, operand.c + channel, to, to_stride);
  }
}

// The same as floats, for products whose operands are widened.
inline void pack_widened(const BfloatKernels& kernels, const Operand& operand, const bfloat16* const* rows, int64_t count,
                         int64_t channel, int64_t n, float* to, int64_t to_stride, Panels panels = {}) {
  const int64_t width = panels.width, step = panels.step;
  switch (operand.transform) {
    case Transform::plain: return kernels.bfloat_values_plain(rows, count, n, to, to_stride, width, step);
    case Transform::norm_relu:
      return kernels.bfloat_values_norm_relu(rows, count, n, operand.a + channel, operand.b + channel, to, to_stride, width,
                                             step);
    case Transform::gradient:
      return kernels.bfloat_values_gradient(rows, operand.partner.halves() - operand.data.halves(), count, n,
                                            operand.a + channel, operand.b + channel, operand.c + channel, to, to_stride, width,
                                            step);
  }
}

// Words of pairs of rows, `to_stride` words apart.
inline void pack_pairs(const BfloatKernels& kernels, const Operand& operand, const bfloat16* const* rows, int64_t pairs,
                       int64_t channel, int64_t n, float* to, int64_t to_stride, Panels panels = {}) {
  const int64_t width = panels.width, step = panels.step;
  switch (operand.transform) {
    case Transform::plain: return kernels.bfloat_pairs_plain(rows, pairs, n, to, to_stride, width, step);
    case Transform::norm_relu:
      return kernels.bfloat_pairs_norm_relu(rows, pairs, n, operand.a + channel, operand.b + channel, to, to_stride, width,
                                            step);
    case Transform::gradient:
      return kernels.bfloat_pairs_gradient(rows, operand.partner.halves() - operand.data.halves(), pairs, n,
                                           operand.a + channel, operand.b + channel, operand.c + channel, to, to_stride, width,
                                           step);
  }
}

}  // namespace swav
