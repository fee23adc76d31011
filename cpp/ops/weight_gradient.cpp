// Backward of a product towards its weights: the product of the transposed rows with the gradient of the target.
#include "base/arena.h"
#include "base/parallel.h"
#include "ops/row_walker.h"

namespace swav {
namespace {

// The matrix [depth][columns] is cut into blocks; the sum over rows into ranges with results of their own, added up in order.
struct GradientBlocking {
  int64_t block_depth, depth_blocks;
  int64_t block_columns, column_blocks;
  int64_t range_rows, ranges;
};

constexpr int64_t chunk_rows = 192;  // packed at a time: with the sizes below 2 x 190 KiB packed and 250 KiB of results
constexpr int64_t most_columns = 256, most_depth = 252;
constexpr int64_t wanted_tasks = 32;
constexpr int64_t reduce_chunk = 288;                  // depths that reduce treats at a time
constexpr int64_t workspace_limit = int64_t{4} << 20;  // floats, for results of more than one range
static_assert(chunk_rows <= RowWalker::most_rows);

GradientBlocking gradient_blocking(const Gather& g) {
  const Kernels& kernel = kernels();
  GradientBlocking b;
  const int64_t depth = g.depth(), m = g.rows();
  b.block_depth = round_up(ceil_div(depth, ceil_div(depth, most_depth)), kernel.tile_rows);
  b.depth_blocks = ceil_div(depth, b.block_depth);
  b.block_columns = round_up(ceil_div(g.columns, ceil_div(g.columns, most_columns)), kernel.tile_columns);
  b.column_blocks = ceil_div(g.columns, b.block_columns);
  const int64_t chunks = ceil_div(m, chunk_rows);
  const int64_t most_ranges = std::max<int64_t>(1, workspace_limit / (depth * g.columns));
  b.ranges = std::clamp<int64_t>(ceil_div(wanted_tasks, b.depth_blocks * b.column_blocks), 1, std::min(chunks, most_ranges));
  b.range_rows = ceil_div(chunks, b.ranges) * chunk_rows;
  b.ranges = ceil_div(m, b.range_rows);
  return b;
}

}  // namespace

// Rows of results in the order of the master array, transposed.
void add_weight_gradient(const Gather& g, const WeightLayout& layout, int64_t ranges, const float* results, float* gradient,
                         uint32_t used) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, depth = g.depth(), size = depth * g.columns;
  const int64_t chunks = ceil_div(depth, reduce_chunk);
  parallel::for_each(ceil_div(g.columns, width) * chunks, [&](int64_t task, int) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(g.columns - n0, width);
    const int64_t begin = task % chunks * reduce_chunk, count = std::min(depth - begin, reduce_chunk);
    float* tile = scratch(Scratch::operand, reduce_chunk * width);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t k = layout.depth_at[size_t(begin + i)];
      const float* part = results + k * g.columns + n0;
      float* row = tile + i * width;
      if (!(used >> (k / g.channels) & 1)) {
        std::fill(row, row + n, 0.0f);
        continue;
      }
      std::copy(part, part + n, row);
      for (int64_t range = 1; range < ranges; ++range) {
        for (int64_t c = 0; c < n; ++c) row[c] += part[range * size + c];
      }
    }
    kernel.transpose_add(tile, width, count, n, gradient + n0 * layout.column_stride + begin, layout.column_stride);
  });
}

int64_t weight_gradient_workspace(const Gather& g) { return gradient_blocking(g).ranges * g.depth() * g.columns; }

void weight_gradient(const Gather& g, const WeightLayout& layout, const Operand& source, const Operand& d_target,
                     float* workspace, float* gradient) {
  const Kernels& kernel = kernels();
  const GradientBlocking b = gradient_blocking(g);
  const int64_t m = g.rows(), depth = g.depth(), width = kernel.tile_columns;
  const int64_t x_stride = b.block_depth + 16;  // not a multiple of the first-level cache's 4 KiB
  const RowWalker walker(kernel, g, source);
  parallel::for_each(b.ranges * b.depth_blocks * b.column_blocks, [&](int64_t task, int) {
    const int64_t range = task / (b.depth_blocks * b.column_blocks);
    const int64_t k0 = task / b.column_blocks % b.depth_blocks * b.block_depth, k1 = std::min(depth, k0 + b.block_depth);
    const int64_t n0 = task % b.column_blocks * b.block_columns, n1 = std::min<int64_t>(g.columns, n0 + b.block_columns);
    const int64_t begin = range * b.range_rows, end = std::min(m, begin + b.range_rows);
    float* x = scratch(Scratch::operand, chunk_rows * x_stride);
    float* dy = scratch(Scratch::gradient, chunk_rows * b.block_columns);
    const float* rows[chunk_rows];
    for (int64_t row = begin; row < end; row += chunk_rows) {
      const int64_t count = std::min(chunk_rows, end - row);
      walker.pack(row, count, k0, k1, x, x_stride);
      for (int64_t i = 0; i < count; ++i) rows[i] = d_target.data + (row + i) * g.columns + n0;
      // Behind the last column a panel keeps what it held: those products are computed and never stored.
      pack(kernel, d_target, rows, count, n0, n1 - n0, dy, width, count * width);
      for (int64_t n = n0; n < n1; n += width) {
        for (int64_t k = k0; k < k1; k += kernel.tile_rows) {
          kernel.product_depth(count, x + (k - k0), x_stride, dy + (n - n0) * count,
                               workspace + (range * depth + k) * g.columns + n, g.columns,
                               int(std::min<int64_t>(kernel.tile_rows, k1 - k)), std::min(width, n1 - n), row > begin);
        }
      }
    }
  });
  add_weight_gradient(g, layout, b.ranges, workspace, gradient);
}

}  // namespace swav
