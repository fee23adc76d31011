#include "network/backbone.h"

#include <algorithm>
#include <utility>

#include "base/parallel.h"
#include "base/status.h"
#include "base/stopwatch.h"
#include "kernels/kernels.h"
#include "ops/row_walker.h"

namespace swav {

namespace {

// Of so many residual sums in a row the last one is kept. Another one is rebuilt in one pass over memory, which reads two maps
// to `kept_sums` and writes one: 2 to 3 % of the step for a fifth of its memory.
constexpr size_t kept_sums = 4;

}  // namespace

void PassBufferSize::include(const PassBufferSize& other) {
  rebuilt = std::max(rebuilt, other.rebuilt);
  sum = std::max(sum, other.sum);
  for (int i = 0; i < 2; ++i) inner[i] = std::max(inner[i], other.inner[i]);
}

PassBuffers PassBufferSize::take(Arena& arena, Storage storage) const {
  PassBuffers b;
  b.rebuilt = take_values(arena, storage, rebuilt);
  b.sum = take_values(arena, storage, sum);
  b.next_sum = take_values(arena, storage, sum);
  for (int i = 0; i < 2; ++i) b.inner[i] = take_values(arena, storage, inner[i]);
  return b;
}

Backbone::Backbone(const Description& d, int64_t images, int32_t height, int32_t width, Purpose purpose, bool direct,
                   Storage storage)
    : images_(images), feature_dim_(d.feature_dim), purpose_(purpose), storage_(storage), max_pool_(d.max_pool) {
  SWAV_REQUIRE(images >= 1, "the number of images is %lld; at least 1 is needed", static_cast<long long>(images));
  SWAV_REQUIRE(height >= SWAV_MIN_SIDE && width >= SWAV_MIN_SIDE && height <= SWAV_MAX_SIDE && width <= SWAV_MAX_SIDE,
               "images are %d x %d pixels; %d to %d is allowed", width, height, SWAV_MIN_SIDE, SWAV_MAX_SIDE);
  // No map has more values than this, and some hundred of them, in bytes, still fit 63 bits.
  int64_t values = 0;
  const bool counts = !__builtin_mul_overflow(images, int64_t(height) * width * d.feature_dim, &values);
  if (!counts || values > int64_t{1} << 50) {
    fail(SWAV_ERROR_MEMORY, "%lld images of %d x %d pixels need more memory than any machine has",
         static_cast<long long>(images), width, height);
  }
  auto make = [&](const ConvolutionLayer& layer, int32_t h, int32_t w) {
    return std::make_unique<Layer>(layer, images, h, w, Convolution::Input::activation, direct, storage);
  };
  stem_ = std::make_unique<Layer>(d.stem, images, height, width, Convolution::Input::image, direct, storage);
  const ConvolutionShape& s = stem_->convolution().shape();
  int32_t h = s.out_height(), w = s.out_width();
  pool_ = {images, h, w, s.filters};
  if (max_pool_) h = pool_.out_height(), w = pool_.out_width();
  for (const BlockLayer& layer : d.blocks) {
    Block block;
    block.name = layer.main[0].name.substr(0, layer.main[0].name.rfind('.'));
    int32_t block_h = h, block_w = w;
    for (const ConvolutionLayer& convolution : layer.main) {
      block.main.push_back(make(convolution, block_h, block_w));
      block_h = block.main.back()->convolution().shape().out_height();
      block_w = block.main.back()->convolution().shape().out_width();
    }
    if (layer.projected) block.projection = make(layer.projection, h, w);
    h = block_h;
    w = block_w;
    blocks_.push_back(std::move(block));
  }
  last_pixels_ = int64_t(h) * w;
}

void Backbone::include(WorkspaceSize& workspace) const {
  workspace.include(stem_->convolution());
  if (max_pool_) workspace.include_sums(max_pool_blocks(pool_), pool_.channels);
  workspace.include_sums(ceil_div(stem_->rows(), pass_block_rows(pool_.channels)), pool_.channels);
  for (const Block& block : blocks_) {
    for (const auto& layer : block.main) workspace.include(layer->convolution());
    if (block.projection) workspace.include(block.projection->convolution());
    const int64_t channels = block.main.back()->convolution().shape().filters;
    workspace.include_sums(ceil_div(block.rows(), pass_block_rows(channels)), channels);
  }
}

PassBufferSize Backbone::buffer_size() const {
  PassBufferSize size;
  size.sum = stem_->out_count();
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    size.sum = std::max(size.sum, block.count());
    if (!keeps_sum(i)) size.rebuilt = std::max(size.rebuilt, block.count());
    for (size_t l = 0; l < block.main.size(); ++l) {
      size.sum = std::max(size.sum, block.main[l]->convolution().shape().in_count());
      const size_t from_last = block.main.size() - 2 - l;  // of inner: the gradient of this layer's output
      if (l + 1 < block.main.size())
        size.inner[from_last % 2] = std::max(size.inner[from_last % 2], block.main[l]->out_count());
    }
  }
  return size;
}

bool Backbone::keeps_sum(size_t index) const {
  if (purpose_ == Purpose::inference) return true;
  if (index + 1 == blocks_.size()) return false;
  size_t place = index;  // within its stage, which a projection begins; its values are kept
  while (place > 0 && !blocks_[place].projection) --place;
  return (index - place) % kept_sums == kept_sums - 1;
}

void Backbone::take(Arena& arena) {
  stem_->take(arena);
  for (Block& block : blocks_) {
    for (auto& layer : block.main) layer->take(arena);
    if (block.projection) block.projection->take(arena);
  }
  activations_ = arena.next();
  const int64_t before = arena.used();
  frame_ = take_values(arena, storage_, stem_->convolution().framed_count());
  stem_out_count_ = max_pool_ ? pool_.out_count() : stem_->out_count();
  if (purpose_ == Purpose::training) take_for_training(arena);
  else take_for_inference(arena);
  activation_bytes_ = arena.used() - before;
}

void Backbone::take_for_training(Arena& arena) {
  stem_->y = take_values(arena, storage_, stem_->out_count());
  stem_out_ = take_values(arena, storage_, stem_out_count_);
  pool_index_ = max_pool_ ? arena.take<uint8_t>(pool_.out_count()) : nullptr;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    for (auto& layer : block.main) layer->y = take_values(arena, storage_, layer->out_count());
    if (block.projection) block.projection->y = take_values(arena, storage_, block.count());
    block.sum = keeps_sum(i) ? take_values(arena, storage_, block.count()) : Values();
  }
}

// Two buffers for sums, in turn, two for the convolutions of a block and one for its projection.
void Backbone::take_for_inference(Arena& arena) {
  int64_t sum = stem_out_count_, inner = stem_->out_count(), projected = 0;
  for (const Block& block : blocks_) {
    sum = std::max(sum, block.count());
    for (const auto& layer : block.main) inner = std::max(inner, layer->out_count());
    if (block.projection) projected = std::max(projected, block.count());
  }
  Values sums[2] = {take_values(arena, storage_, sum), take_values(arena, storage_, sum)};
  Values inners[2] = {take_values(arena, storage_, inner), take_values(arena, storage_, inner)};
  Values side = take_values(arena, storage_, projected);
  stem_->y = inners[0];
  stem_out_ = sums[1];
  pool_index_ = max_pool_ ? arena.take<uint8_t>(pool_.out_count()) : nullptr;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    for (size_t l = 0; l < block.main.size(); ++l) block.main[l]->y = inners[l % 2];
    if (block.projection) block.projection->y = side;
    block.sum = sums[i % 2];
  }
}

void Backbone::bind(Parameters& parameters, float* gradients) {
  stem_->bind(parameters, gradients);
  for (Block& block : blocks_) {
    for (auto& layer : block.main) layer->bind(parameters, gradients);
    if (block.projection) block.projection->bind(parameters, gradients);
  }
}

// An operand's values, written out.
static void write_rows(const Operand& operand, int64_t rows, int64_t n, float* to) {
  constexpr int64_t most = RowWalker::most_rows;
  parallel::for_each(ceil_div(rows, most), [&](int64_t block, int) {
    const float* from[most];
    const int64_t row0 = block * most, count = std::min(most, rows - row0);
    for (int64_t r = 0; r < count; ++r) from[r] = operand.data.floats() + (row0 + r) * n;
    pack(kernels(), operand, from, count, 0, n, to + row0 * n, n);
  });
}

// As floats first: rows of words have their pairs exchanged.
static void write_rows(const Operand& operand, int64_t rows, int64_t n, bfloat16* to) {
  constexpr int64_t most = RowWalker::most_rows, channels = 64;
  parallel::for_each(ceil_div(rows, most), [&](int64_t block, int) {
    for (int64_t row = block * most; row < std::min(rows, (block + 1) * most); ++row) {
      for (int64_t c = 0; c < n; c += channels) {
        float values[channels];
        const bfloat16* from = operand.data.halves() + row * n + c;
        pack_widened(bfloat_kernels(), operand, &from, 1, c, std::min(channels, n - c), values, channels);
        bfloat_kernels().to_bfloat(values, to + row * n + c, std::min(channels, n - c));
      }
    }
  });
}

void Backbone::forward_stem(const float* images, Statistics statistics, Communicator& communicator,
                            const Workspace& workspace) {
  {
    const Stopwatch watch(data_seconds_);
    stem_->convolution().pad_image(images, frame_);
  }
  stem_->forward({frame_}, statistics, communicator, workspace);
  const Stopwatch watch(normalization_seconds_);
  if (max_pool_) {
    max_pool_forward(pool_, stem_->y, stem_->norm.values, stem_out_, pool_index_);
    return;
  }
  // ReLU(batch-norm), written out: it is the first block's identity.
  const Operand activated = stem_->norm.activated(stem_->y);
  if (stem_out_.half()) write_rows(activated, stem_->rows(), pool_.channels, stem_out_.halves());
  else write_rows(activated, stem_->rows(), pool_.channels, stem_out_.floats());
}

void Backbone::forward(const float* images, Statistics statistics, Communicator& communicator, const Workspace& workspace,
                       const PassBuffers& buffers, float* features) {
  forward_stem(images, statistics, communicator, workspace);
  ConstValues input = stem_out_;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    if (block.projection) block.projection->forward({input}, statistics, communicator, workspace);
    Operand x{input};
    for (auto& layer : block.main) {
      layer->forward(x, statistics, communicator, workspace);
      x = layer->norm.activated(layer->y);
    }
    const Values sum = block.sum ? block.sum : buffers.rebuilt;
    {
      const Stopwatch watch(normalization_seconds_);
      const ResidualLink link = residual(i, input);
      residual_forward(&link, 1, block.rows(), sum);
    }
    input = sum;
  }
  const Stopwatch watch(normalization_seconds_);
  average_pool_forward(input, images_, last_pixels_, feature_dim_, features);
}

ResidualLink Backbone::residual(size_t index, ConstValues input) const {
  const Layer& last = *blocks_[index].main.back();
  const Layer* projection = blocks_[index].projection.get();
  return {last.y, &last.norm.values, projection ? ConstValues(projection->y) : input,
          projection ? &projection->norm.values : nullptr};
}

ConstValues Backbone::rebuild_input(size_t index, Values buffer) {
  if (index == 0) return stem_out_;
  if (blocks_[index - 1].sum) return blocks_[index - 1].sum;
  const Stopwatch watch(normalization_seconds_);
  // From the latest block whose input is there, or whose projection needs none: the sums between are made anew.
  size_t first = index - 1;
  while (first > 0 && !blocks_[first].projection && !blocks_[first - 1].sum) --first;
  ResidualLink links[kept_sums];
  links[0] = residual(first, first == 0 ? stem_out_ : blocks_[first - 1].sum);
  for (size_t i = first + 1; i < index; ++i) links[i - first] = residual(i, nullptr);
  residual_forward(links, int64_t(index - first), blocks_[index - 1].rows(), buffer);
  return buffer;
}

ResidualGradient Backbone::residual_gradient(size_t index, ConstValues sum, const Workspace& workspace) const {
  const Layer& last = *blocks_[index].main.back();
  ResidualGradient gradient{sum, last.y, &last.norm.values, workspace.sums};
  if (const Layer* projection = blocks_[index].projection.get()) {
    gradient.projected = projection->y;
    gradient.projected_norm = &projection->norm.values;
    gradient.projected_sums = workspace.side_sums;
  }
  return gradient;
}

void Backbone::backward_norms(size_t index, int64_t blocks, Communicator& communicator, const Workspace& workspace) {
  Block& block = blocks_[index];
  block.main.back()->backward_norm(workspace.sums, blocks, communicator);
  if (block.projection) block.projection->backward_norm(workspace.side_sums, blocks, communicator);
}

void Backbone::backward_block(size_t index, PassBuffers& buffers, Communicator& communicator, const Workspace& workspace) {
  Block& block = blocks_[index];
  Layer* projection = block.projection.get();
  // The block's own sum has done its work: its place is free for the input, which is the sum of the block before.
  const Operand input{rebuild_input(index, buffers.rebuilt)};

  Operand dy = block.main.back()->norm.gradient(buffers.sum, block.main.back()->y);
  for (size_t l = block.main.size() - 1; l > 0; --l) {
    Layer& layer = *block.main[l];
    Layer& before = *block.main[l - 1];
    layer.backward_weights(before.norm.activated(before.y), dy, workspace);
    const Values d = buffers.inner[(block.main.size() - 1 - l) % 2];
    layer.backward_data_through(before, dy, d, communicator, workspace);
    dy = before.norm.gradient(d, before.y);
  }
  Layer& first = *block.main.front();
  first.backward_weights(input, dy, workspace);
  if (projection != nullptr) {
    const Operand side = projection->norm.gradient(buffers.sum, projection->y);
    projection->backward_weights(input, side, workspace);
    projection->backward_data(side, buffers.next_sum, false, workspace);
    std::swap(buffers.sum, buffers.next_sum);
  }  // else the identity's gradient is in place already
  if (index == 0) return first.backward_data(dy, buffers.sum, true, workspace);
  // The gradient of the sum before is complete here, block by block, and in the cache.
  const ResidualGradient gradient = residual_gradient(index - 1, input.data, workspace);
  first.backward_data(dy, buffers.sum, true, workspace, [&](int64_t part, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
    gradient.apply(buffers.sum, part, row0, row1, c0, c1);
  });
  backward_norms(index - 1, first.convolution().backward_blocks().count(), communicator, workspace);
}

void Backbone::backward_stem(Values d_stem, Values spare, Communicator& communicator, const Workspace& workspace) {
  const Values d = max_pool_ ? spare : d_stem;
  backward_stem_norm(d_stem, d, communicator, workspace);
  stem_->backward_weights({frame_}, stem_->norm.gradient(d, stem_->y), workspace);
}

void Backbone::backward_stem_norm(Values d_stem, Values d, Communicator& communicator, const Workspace& workspace) {
  const Stopwatch watch(normalization_seconds_);
  const BatchNormValues& v = stem_->norm.values;
  int64_t blocks;
  if (max_pool_) {
    blocks = max_pool_blocks(pool_);
    max_pool_backward(pool_, d_stem, pool_index_, stem_->y, v, d, workspace.sums);
  } else {
    const int64_t n = v.channels, block_rows = pass_block_rows(n), rows = stem_->rows();
    blocks = ceil_div(rows, block_rows);
    parallel::for_each(blocks, [&](int64_t block, int) {
      const int64_t row0 = block * block_rows;
      relu_backward(d + row0 * n, stem_->y + row0 * n, n, std::min(block_rows, rows - row0), n, v.scale, v.shift, v.mean,
                    workspace.sums.first + block * n, workspace.sums.second + block * n);
    });
  }
  stem_->backward_norm(workspace.sums, blocks, communicator);
}

void Backbone::backward(const float* d_features, Communicator& communicator, const Workspace& workspace,
                        const PassBuffers& shared, FunctionRef<void(const float*)> added) {
  PassBuffers buffers = shared;
  const size_t last = blocks_.size() - 1;
  const ConstValues sum = rebuild_input(last + 1, buffers.rebuilt);
  {
    const Stopwatch watch(normalization_seconds_);
    average_pool_backward(d_features, images_, last_pixels_, feature_dim_, buffers.sum);
    residual_backward(buffers.sum, residual_gradient(last, sum, workspace), blocks_[last].rows());
    backward_norms(last, ceil_div(blocks_[last].rows(), pass_block_rows(blocks_[last].channels())), communicator, workspace);
  }
  for (size_t i = blocks_.size(); i-- > 0;) {
    backward_block(i, buffers, communicator, workspace);
    if (added) added(blocks_[i].main.front()->weight_gradient());
  }
  backward_stem(buffers.sum, buffers.next_sum, communicator, workspace);
}

void Backbone::for_each_norm(const std::function<void(Norm&)>& visit) {
  visit(stem_->norm);
  for (Block& block : blocks_) {
    for (auto& layer : block.main) visit(layer->norm);
    if (block.projection) visit(block.projection->norm);
  }
}

void Backbone::for_each_layer(const std::function<void(const Layer&)>& visit) const {
  visit(*stem_);
  for (const Block& block : blocks_) {
    for (const auto& layer : block.main) visit(*layer);
    if (block.projection) visit(*block.projection);
  }
}

void Backbone::reset_times() {
  data_seconds_ = normalization_seconds_ = 0;
  stem_->seconds = {};
  for (Block& block : blocks_) {
    for (auto& layer : block.main) layer->seconds = {};
    if (block.projection) block.projection->seconds = {};
  }
}

void Backbone::update_buffers() {
  for_each_norm([](Norm& norm) { norm.update_buffers(); });
}

void Backbone::for_each_activation(const std::function<void(const std::string&, ConstValues, int64_t)>& visit) const {
  visit("input image", frame_, stem_->convolution().framed_count());
  visit("conv1", stem_->y, stem_->out_count());
  for (const Block& block : blocks_) {
    for (size_t l = 0; l < block.main.size(); ++l) {
      visit(block.name + ".conv" + std::to_string(l + 1), block.main[l]->y, block.main[l]->out_count());
    }
    if (block.sum) visit(block.name, block.sum, block.count());
  }
}

}  // namespace swav
