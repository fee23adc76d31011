#include "image/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace swav::image {
namespace {

constexpr int precision_bits = 32 - 8 - 2;  // an 8-bit sample times weights that sum to 2^22 stays below 2^30

uint8_t clip8(int32_t sum) { return uint8_t(std::clamp(sum >> precision_bits, 0, 255)); }

uint16_t clip16(double sum) { return uint16_t(std::clamp(std::floor(sum + 0.5), 0.0, 65535.0)); }

// One row of `count` pixels. input[0] is sample 0 of the row.
template <int C>
void row_pass(const uint8_t* input, const Filter& filter, int count, uint8_t* output) {
  for (int i = 0; i < count; ++i) {
    const int32_t* weight = filter.fixed.data() + int64_t(i) * filter.stride;
    const uint8_t* in = input + int64_t(filter.lowest + filter.start[size_t(i)]) * C;
    int32_t sum[C];
    for (int c = 0; c < C; ++c) sum[c] = 1 << (precision_bits - 1);
    for (int k = 0; k < filter.length[size_t(i)]; ++k) {
      for (int c = 0; c < C; ++c) sum[c] += in[k * C + c] * weight[k];
    }
    for (int c = 0; c < C; ++c) output[i * C + c] = clip8(sum[c]);
  }
}

template <int C>
void row_pass(const uint16_t* input, const Filter& filter, int count, uint16_t* output) {
  for (int i = 0; i < count; ++i) {
    const double* weight = filter.weight.data() + int64_t(i) * filter.stride;
    const uint16_t* in = input + int64_t(filter.lowest + filter.start[size_t(i)]) * C;
    double sum[C] = {};
    for (int k = 0; k < filter.length[size_t(i)]; ++k) {
      for (int c = 0; c < C; ++c) sum[c] += in[k * C + c] * weight[k];
    }
    for (int c = 0; c < C; ++c) output[i * C + c] = clip16(sum[c]);
  }
}

// One output row from rows `stride` samples apart, of which rows[0] is the first that this output needs.
void column_pass(const uint8_t* rows, int64_t stride, const Filter& filter, int i, int64_t samples, std::vector<int32_t>& sums,
                 uint8_t* output) {
  sums.assign(size_t(samples), 1 << (precision_bits - 1));
  int32_t* const sum = sums.data();
  const int32_t* weight = filter.fixed.data() + int64_t(i) * filter.stride;
  for (int k = 0; k < filter.length[size_t(i)]; ++k) {
    const uint8_t* row = rows + k * stride;
    const int32_t w = weight[k];
    for (int64_t x = 0; x < samples; ++x) sum[x] += row[x] * w;
  }
  for (int64_t x = 0; x < samples; ++x) output[x] = clip8(sum[x]);
}

void column_pass(const uint16_t* rows, int64_t stride, const Filter& filter, int i, int64_t samples, std::vector<int32_t>&,
                 uint16_t* output) {
  const double* weight = filter.weight.data() + int64_t(i) * filter.stride;
  for (int64_t x = 0; x < samples; ++x) {
    double sum = 0;
    for (int k = 0; k < filter.length[size_t(i)]; ++k) sum += rows[k * stride + x] * weight[k];
    output[x] = clip16(sum);
  }
}

}  // namespace

void Filter::prepare(double begin, double in, int out, int first, int count) {
  const double scale = in / out;
  const int end = int(std::ceil(begin + in));
  const double support = std::max(scale, 1.0);  // half the width of the triangle, in input samples
  stride = int(std::ceil(support)) * 2 + 1;
  lowest = std::max(0, int(begin + (first + 0.5) * scale - support + 0.5));
  start.resize(size_t(count));
  length.resize(size_t(count));
  weight.resize(size_t(count) * size_t(stride));
  fixed.resize(size_t(count) * size_t(stride));
  for (int i = 0; i < count; ++i) {
    const double centre = begin + (first + i + 0.5) * scale;
    const int low = std::max(0, int(centre - support + 0.5));
    const int high = std::min(end, int(centre + support + 0.5));
    double* const w = weight.data() + int64_t(i) * stride;
    int32_t* const f = fixed.data() + int64_t(i) * stride;
    double total = 0;
    for (int k = 0; k < high - low; ++k) {
      w[k] = std::max(0.0, 1.0 - std::abs((k + low - centre + 0.5) * (1.0 / support)));
      total += w[k];
    }
    for (int k = 0; k < high - low; ++k) {
      if (total != 0) w[k] /= total;
      f[k] = int32_t(0.5 + w[k] * (1 << precision_bits));
    }
    start[size_t(i)] = low - lowest;
    length[size_t(i)] = high - low;
  }
  needed = start.back() + length.back();
}

namespace {

// A block of samples: rows `stride` samples apart.
template <class T>
struct Block {
  const T* samples;
  int64_t stride;
};

// Rows of `source` -> dense rows of `count` pixels.
template <class T>
void horizontal_pass(Block<T> source, int rows, const Filter& filter, int count, int channels, T* output) {
  for (int y = 0; y < rows; ++y, output += int64_t(count) * channels) {
    const T* in = source.samples + y * source.stride;
    if (channels == 1) row_pass<1>(in, filter, count, output);
    if (channels == 3) row_pass<3>(in, filter, count, output);
  }
}

// `source` begins with the lowest row that the filter needs. Writes `count` dense rows of `samples`.
template <class T>
void vertical_pass(Block<T> source, const Filter& filter, int count, int64_t samples, std::vector<int32_t>& sums, T* output) {
  for (int i = 0; i < count; ++i) {
    const T* first = source.samples + filter.start[size_t(i)] * source.stride;
    column_pass(first, source.stride, filter, i, samples, sums, output + i * samples);
  }
}

}  // namespace

template <class T>
void resize(const T* source, int64_t stride, const ResizeShape& s, ResizeScratch& scratch, T* output) {
  const bool horizontal = s.resized_width != s.width, vertical = s.resized_height != s.height;
  Filter& across = scratch.horizontal;
  Filter& down = scratch.vertical;
  if (horizontal) across.prepare(0, s.width, s.resized_width, s.offset_x, s.size);
  if (vertical) down.prepare(0, s.height, s.resized_height, s.offset_y, s.size);
  const int64_t row = int64_t(s.size) * s.channels;
  const int top = vertical ? down.lowest : s.offset_y, rows = vertical ? down.needed : s.size;
  const T* const from = source + top * stride;
  if (horizontal && vertical && s.vertical_first()) {
    // All columns are carried along: a crop needs nearly all of them.
    const int64_t wide = int64_t(s.width) * s.channels;
    T* const between = scratch.rows.reserve_as<T>(size_t(wide) * size_t(s.size));
    vertical_pass<T>({from, stride}, down, s.size, wide, scratch.sums, between);
    horizontal_pass<T>({between, wide}, s.size, across, s.size, s.channels, output);
  } else if (horizontal) {
    T* const between = vertical ? scratch.rows.reserve_as<T>(size_t(row) * size_t(rows)) : output;
    horizontal_pass<T>({from, stride}, rows, across, s.size, s.channels, between);
    if (vertical) vertical_pass<T>({between, row}, down, s.size, row, scratch.sums, output);
  } else {
    const T* const left = from + int64_t(s.offset_x) * s.channels;
    if (vertical) return vertical_pass<T>({left, stride}, down, s.size, row, scratch.sums, output);
    for (int y = 0; y < rows; ++y) std::memcpy(output + y * row, left + y * stride, size_t(row) * sizeof(T));
  }
}

template void resize<uint8_t>(const uint8_t*, int64_t, const ResizeShape&, ResizeScratch&, uint8_t*);
template void resize<uint16_t>(const uint16_t*, int64_t, const ResizeShape&, ResizeScratch&, uint16_t*);

}  // namespace swav::image
