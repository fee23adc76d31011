#include "network/frozen_backbone.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/cpu.h"
#include "base/parallel.h"
#include "kernels/bfloat_kernels.h"

namespace swav {
namespace {

// One row of pixels to integers: q = x * factor + offset, rounded and clipped.
template <class Number>
void quantize_row(const float* from, int64_t n, const float* factor, const float* offset, Number* to) {
  for (int64_t i = 0; i < n; ++i) {
    const float q = std::min(std::max(from[i] * factor[i] + offset[i], 0.0f), 255.0f);
    to[i] = Number(int32_t(q + 0.5f));
  }
}

template <class Number>
void fill_row(const float* zero, int64_t channels, int64_t n, Number* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = Number(int32_t(zero[i % channels] + 0.5f));
}

}  // namespace

// Integers: quads with AVX-512 VNNI, pairs elsewhere. Results do not depend on it.
Element element_of(Precision precision) {
  const bool quads = current_isa() == Isa::avx512 && used_features().has(Feature::avx512_vnni);
  switch (precision) {
    case Precision::int8: return quads ? Element::quads : Element::pairs;
    case Precision::bfloat16: return Element::bfloat16;
    case Precision::float32: break;
  }
  return Element::float32;
}

FrozenBackbone::FrozenBackbone(std::unique_ptr<FrozenGraph> graph, std::shared_ptr<const FrozenWeights> weights)
    : graph_(std::move(graph)), weights_(std::move(weights)) {
  char* memory = nullptr;
  arena_.lay_out([&] { memory = arena_.take<char>(graph_->memory()); });
  graph_->bind(memory);
  const TeamScratch reserved(graph_->scratch());  // stays in the store of this thread
}

// The images inside their frame: zeros around numbers with a fraction; around integers the nearest to what stands for zero.
void FrozenBackbone::frame(const float* images) {
  const FrozenMap& map = graph_->maps()[0];
  const int64_t n = int64_t(map.width) * map.channels, framed = n + 2 * map.margin * map.channels;
  const bool bfloats = graph_->element() == Element::bfloat16, integers = !bfloats && graph_->element() != Element::float32;
  std::vector<float> factor(integers ? size_t(n) : 0), offset(factor.size());
  for (size_t i = 0; i < factor.size(); ++i) {
    const MapScale& scale = weights_->input_scale();
    factor[i] = 1 / scale.scale[i % size_t(map.channels)];
    offset[i] = scale.zero[i % size_t(map.channels)];
  }
  const int64_t rows = map.height + 2 * map.margin;
  // Words of bfloat16 may reach over the last pixel, where they meet zero weights: what is there has to be a number.
  std::memset(map.data + map.images * map.image, 0, size_t(map.bytes() - map.images * map.image));
  parallel::for_each(map.images * rows, [&](int64_t task, int) {
    const int64_t image = task / rows, y = task % rows - map.margin;
    char* to = map.at(image, y, -map.margin);
    const bool inside = y >= 0 && y < map.height;
    const float* from = images + (image * map.height + (inside ? y : 0)) * n;
    char* pixels = map.at(image, y, 0);
    if (!integers) {
      std::memset(to, 0, size_t(map.row));
      if (inside && bfloats) bfloat_kernels().to_bfloat(from, reinterpret_cast<bfloat16*>(pixels), n);
      else if (inside) std::memcpy(pixels, from, size_t(n) * sizeof(float));
      return;
    }
    const float* zero = weights_->input_scale().zero.data();
    auto write = [&](auto* row, auto* middle) {
      fill_row(zero, map.channels, framed, row);
      if (inside) quantize_row(from, n, factor.data(), offset.data(), middle);
    };
    if (graph_->element() == Element::quads) {
      write(reinterpret_cast<uint8_t*>(to), reinterpret_cast<uint8_t*>(pixels));
    } else {
      write(reinterpret_cast<uint16_t*>(to), reinterpret_cast<uint16_t*>(pixels));
    }
  });
}

void FrozenBackbone::max_pool(const FrozenStep& step) const {
  const Kernels& kernel = kernels();
  const FrozenMap &from = graph_->maps()[size_t(step.sources[0])], &to = graph_->maps()[size_t(step.target)];
  parallel::for_each(to.images * to.height, [&](int64_t task, int) {
    const int64_t image = task / to.height, y = task % to.height;
    for (int64_t x = 0; x < to.width; ++x) {
      const char* rows[9];
      int count = 0;
      for (int64_t sy = std::max<int64_t>(0, 2 * y - 1); sy <= std::min<int64_t>(from.height - 1, 2 * y + 1); ++sy) {
        for (int64_t sx = std::max<int64_t>(0, 2 * x - 1); sx <= std::min<int64_t>(from.width - 1, 2 * x + 1); ++sx) {
          rows[count++] = from.at(image, sy, sx);
        }
      }
      char* out = to.at(image, y, x);
      switch (graph_->element()) {
        case Element::float32:
          kernel.maximum_float(reinterpret_cast<const float* const*>(rows), count, to.channels, reinterpret_cast<float*>(out));
          break;
        case Element::quads:
          kernel.maximum_bytes(reinterpret_cast<const uint8_t* const*>(rows), count, to.channels,
                               reinterpret_cast<uint8_t*>(out));
          break;
        case Element::pairs:
        case Element::bfloat16:  // none is negative: the order of their bits is theirs
          kernel.maximum_halves(reinterpret_cast<const uint16_t* const*>(rows), count, to.channels,
                                reinterpret_cast<uint16_t*>(out));
          break;
      }
    }
  });
}

void FrozenBackbone::run_step(size_t index) {
  const FrozenStep& step = graph_->steps()[index];
  const FrozenWeights::Step& weights = weights_->step(index);
  clear_margin(graph_->maps()[size_t(step.target)]);
  switch (step.kind) {
    case FrozenStep::Kind::direct: step.convolution->run(weights.packed, weights.finish); break;
    case FrozenStep::Kind::winograd:
      step.winograd->run(reinterpret_cast<const float*>(weights.packed), weights.finish.bias, weights.finish.relu,
                         graph_->workspace(index));
      break;
    case FrozenStep::Kind::max_pool: max_pool(step); break;
  }
}

std::string FrozenBackbone::step_name(size_t step) const {
  const FrozenStep& s = graph_->steps()[step];
  return s.layers.empty() ? "the max-pool" : s.layers[0]->name;
}

size_t FrozenBackbone::last_step_of(int32_t stage) const {
  const std::string prefix = "layer" + std::to_string(stage) + ".";
  size_t last = 0;
  for (size_t step = 0; step < graph_->steps().size(); ++step) {
    if (step_name(step).rfind(prefix, 0) == 0) last = step;
  }
  return last;
}

void FrozenBackbone::run(const float* images, int64_t feature_dim, float* features, Observer after, bool grid) {
  const FrozenMap& input = graph_->maps()[0];
  const int64_t pixels = int64_t(input.height) * input.width * input.channels;
  for (const FrozenPass& pass : graph_->passes()) {
    for (int64_t image = 0; image < graph_->images(); image += pass.group) {
      graph_->advance(pass, image);
      if (pass.input < 0) frame(images + image * pixels);
      for (size_t i = pass.first; i < pass.last; ++i) {
        run_step(i);
        if (after) after(i, graph_->maps()[size_t(graph_->steps()[i].target)]);
      }
      if (pass.output >= 0) continue;
      const FrozenMap& last = graph_->maps().back();
      if (grid) {
        average_windows(last, feature_dim, features + image * feature_dim * grid_windows);
      } else {
        average_pool(last, feature_dim, features + image * feature_dim);
      }
    }
  }
}

void average_pool(const FrozenMap& map, int64_t channels, float* means) {
  const float factor = 1.0f / float(int64_t(map.height) * map.width);
  parallel::for_each(map.images, [&](int64_t image, int) {
    float* out = means + image * channels;
    std::fill(out, out + channels, 0.0f);
    for (int64_t y = 0; y < map.height; ++y) {
      for (int64_t x = 0; x < map.width; ++x) {
        const float* pixel = reinterpret_cast<const float*>(map.at(image, y, x));
        for (int64_t c = 0; c < channels; ++c) out[c] += pixel[c];
      }
    }
    for (int64_t c = 0; c < channels; ++c) out[c] *= factor;
  });
}

void average_windows(const FrozenMap& map, int64_t channels, float* means) {
  const int64_t height = std::max<int64_t>(1, map.height - 1), width = std::max<int64_t>(1, map.width - 1);
  const float factor = 1.0f / float(height * width);
  parallel::for_each(map.images, [&](int64_t image, int) {
    float* out = means + image * channels * grid_windows;
    std::fill(out, out + channels * grid_windows, 0.0f);
    for (int64_t w = 0; w < grid_windows; ++w) {
      const int64_t top = (w / 2) * (map.height - height), left = (w % 2) * (map.width - width);
      for (int64_t y = top; y < top + height; ++y) {
        for (int64_t x = left; x < left + width; ++x) {
          const float* pixel = reinterpret_cast<const float*>(map.at(image, y, x));
          for (int64_t c = 0; c < channels; ++c) out[c * grid_windows + w] += pixel[c];
        }
      }
    }
    for (int64_t c = 0; c < channels * grid_windows; ++c) out[c] *= factor;
  });
}

bool all_finite(const FrozenMap& map) {
  for (int64_t i = 0; i < map.images; ++i) {
    for (int64_t y = 0; y < map.height; ++y) {
      for (int64_t x = 0; x < map.width; ++x) {
        if (!std::isfinite(kernels().sum_squares(reinterpret_cast<const float*>(map.at(i, y, x)), map.channels))) return false;
      }
    }
  }
  return true;
}

void observe(const FrozenMap& map, std::vector<float>& largest) {
  for (int64_t i = 0; i < map.images; ++i) {
    for (int64_t y = 0; y < map.height; ++y) {
      for (int64_t x = 0; x < map.width; ++x) {
        const float* pixel = reinterpret_cast<const float*>(map.at(i, y, x));
        for (size_t c = 0; c < largest.size(); ++c) largest[c] = std::max(largest[c], pixel[c]);
      }
    }
  }
}

}  // namespace swav
