// Backward of a product towards its weights: the product of the transposed rows with the gradient of the target.
#include "base/parallel.h"
#include "ops/row_walker.h"

namespace swav {
namespace {

// Packed at a time: rows x (channels + columns) of a block, 650 to 750 KB with the gaps of panels, stay in the second-level
// cache, where results pass through tile by tile.
constexpr int64_t chunk_rows = 128;
constexpr int64_t most_width = 1280;                   // of a block: channels and columns, for the same reason
constexpr int64_t reduce_chunk = 288;                  // depths that reduce treats at a time
constexpr int64_t workspace_limit = int64_t{4} << 20;  // floats, for results of more than one range
static_assert(chunk_rows <= RowWalker::most_rows);

WeightGradientBlocking blocking_of(const Gather& g) {
  return weight_gradient_blocking(g, kernels().tile_rows, kernels().tile_columns, chunk_rows);
}

int64_t panel_slot() { return round_up(kernels().tile_rows, kernels().lanes); }  // floats of a panel's row

}  // namespace

// Each block of columns packs all panels again, each block of panels all columns, which mostly are gradients made of two maps:
// the fewest such reads.
WeightGradientBlocking weight_gradient_blocking(const Gather& g, int64_t tile_rows, int64_t tile_columns, int64_t chunk_rows) {
  WeightGradientBlocking best{};
  int64_t fewest = INT64_MAX;
  // Wider blocks leave no room for a panel.
  const int64_t first = std::max<int64_t>(1, ceil_div(g.columns, most_width - tile_rows));
  for (int64_t column_blocks = first; column_blocks <= ceil_div(g.columns, tile_columns); ++column_blocks) {
    WeightGradientBlocking b{};
    b.tap_panels = ceil_div(g.channels, tile_rows);
    b.panels = g.tap_count * b.tap_panels;
    b.block_columns = round_up(ceil_div(g.columns, column_blocks), tile_columns);
    b.column_blocks = ceil_div(g.columns, b.block_columns);
    if (b.column_blocks * g.depth() >= fewest) break;  // and so is what follows
    const int64_t room = (most_width - b.block_columns) / tile_rows;
    if (room < 1) continue;
    b.panel_blocks = ceil_div(b.panels, room);
    b.block_panels = ceil_div(b.panels, b.panel_blocks);
    b.panel_blocks = ceil_div(b.panels, b.block_panels);
    const int64_t reads = b.column_blocks * g.depth() + 2 * b.panel_blocks * g.columns;
    if (reads < fewest) best = b, fewest = reads;
  }
  const int64_t chunks = ceil_div(g.rows(), chunk_rows);
  const int64_t most_ranges = std::max<int64_t>(1, workspace_limit / (g.depth() * g.columns));
  const int64_t wanted = ceil_div(wanted_tasks, best.panel_blocks * best.column_blocks);
  best.ranges = std::clamp<int64_t>(wanted, 1, std::min(chunks, most_ranges));
  best.range_rows = ceil_div(chunks, best.ranges) * chunk_rows;
  best.ranges = ceil_div(g.rows(), best.range_rows);
  return best;
}

ScratchSize add_gradient_scratch(int64_t width) {
  ScratchSize size;
  size.include(Scratch::operand, reduce_chunk * width);
  return size;
}

ScratchSize weight_gradient_scratch(const Gather& g) {
  const WeightGradientBlocking b = blocking_of(g);
  ScratchSize size = add_gradient_scratch(kernels().tile_columns);
  size.include(Scratch::operand, b.block_panels * chunk_rows * panel_slot());
  size.include(Scratch::gradient, chunk_rows * b.block_columns);
  return size;
}

int64_t gradient_result_count(const Gather& g, int64_t width) { return g.depth() * round_up(g.columns, width); }

// Rows of results in the order of the master array, transposed.
void add_weight_gradient(const Gather& g, const WeightLayout& layout, int64_t width, int64_t ranges, const float* results,
                         float* gradient, uint32_t used) {
  const Kernels& kernel = kernels();
  const int64_t depth = g.depth(), size = gradient_result_count(g, width);
  const int64_t chunks = ceil_div(depth, reduce_chunk);
  const TeamScratch scratch(add_gradient_scratch(width));
  parallel::for_each(ceil_div(g.columns, width) * chunks, [&](int64_t task, int worker) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(g.columns - n0, width);
    const int64_t begin = task % chunks * reduce_chunk, count = std::min(depth - begin, reduce_chunk);
    float* tile = scratch.get(worker, Scratch::operand, reduce_chunk * width);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t k = layout.depth_at[size_t(begin + i)];
      const bool written = used >> (k / g.channels) & 1;
      // No ranges to add are zeros.
      kernel.column_sums(results + n0 * depth + k * width, size, written ? ranges : 0, n, tile + i * width);
    }
    kernel.transpose_add(tile, width, count, n, gradient + n0 * layout.column_stride + begin, layout.column_stride);
  });
}

int64_t weight_gradient_workspace(const Gather& g) {
  return blocking_of(g).ranges * gradient_result_count(g, kernels().tile_columns);
}

void weight_gradient(const Gather& g, const WeightLayout& layout, const Operand& source, const Operand& d_target,
                     float* workspace, float* gradient) {
  const Kernels& kernel = kernels();
  const WeightGradientBlocking b = blocking_of(g);
  const int64_t m = g.rows(), width = kernel.tile_columns;
  const int64_t slot = panel_slot();
  const RowWalker walker(kernel, g, source);
  const TeamScratch scratch(weight_gradient_scratch(g));
  parallel::for_each(b.ranges * b.panel_blocks * b.column_blocks, [&](int64_t task, int worker) {
    const int64_t range = task / (b.panel_blocks * b.column_blocks);
    const int64_t p0 = task / b.column_blocks % b.panel_blocks * b.block_panels, p1 = std::min(b.panels, p0 + b.block_panels);
    const int64_t n0 = task % b.column_blocks * b.block_columns, n1 = std::min<int64_t>(g.columns, n0 + b.block_columns);
    const int64_t begin = range * b.range_rows, end = std::min(m, begin + b.range_rows);
    float* x = scratch.get(worker, Scratch::operand, b.block_panels * chunk_rows * slot);
    float* dy = scratch.get(worker, Scratch::gradient, chunk_rows * b.block_columns);
    float* results = workspace + range * gradient_result_count(g, width);
    const float* rows[chunk_rows];
    for (int64_t row = begin; row < end; row += chunk_rows) {
      const int64_t count = std::min(chunk_rows, end - row), step = count * slot;
      for (int64_t p = p0; p < p1;) {  // the panels of a tap
        const int64_t tap = p / b.tap_panels, first = p % b.tap_panels, some = std::min(b.tap_panels - first, p1 - p);
        const int64_t c0 = first * kernel.tile_rows, c1 = std::min<int64_t>(g.channels, (first + some) * kernel.tile_rows);
        walker.addresses(row, count, g.taps[size_t(tap)], c0, rows);
        pack(kernel, source, rows, count, c0, c1 - c0, x + (p - p0) * step, slot, {kernel.tile_rows, step});
        p += some;
      }
      for (int64_t i = 0; i < count; ++i) rows[i] = d_target.data.floats() + (row + i) * g.columns + n0;
      // Behind the last column a panel keeps what it held: those products are computed and never stored.
      pack(kernel, d_target, rows, count, n0, n1 - n0, dy, width, {width, count * width});
      Lookahead lookahead((p1 - p0) * ceil_div(n1 - n0, width), count);
      const int64_t next = row + chunk_rows, next_end = std::min(end, next + chunk_rows);
      if (b.column_blocks == 1) walker.look_ahead(next, next_end, lookahead);
      if (b.panel_blocks == 1 && next < end) {
        for (const ConstValues map : {d_target.data, d_target.partner}) {
          if (map) lookahead.add(map.at(next * g.columns), map.at(next_end * g.columns));
        }
      }
      for (int64_t n = n0; n < n1; n += width) {
        for (int64_t p = p0; p < p1; ++p) {
          const int64_t c = p % b.tap_panels * kernel.tile_rows, k = p / b.tap_panels * g.channels + c;
          kernel.product_depth(count, x + (p - p0) * step, slot, dy + (n - n0) * count, results + n * g.depth() + k * width,
                               width, int(std::min<int64_t>(kernel.tile_rows, g.channels - c)), std::min(width, n1 - n),
                               row > begin, lookahead.next());
        }
      }
    }
  });
  add_weight_gradient(g, layout, width, b.ranges, workspace, gradient);
}

}  // namespace swav
