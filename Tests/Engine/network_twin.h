// The whole network in double, by plain loops over the description: the oracle of the engine's forward and backward. The
// backward needs no code here: tests differentiate the twin by finite differences.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "network/parameters.h"
#include "score_samples.h"

namespace swav::test {

// A batch of maps [images][height][width][channels].
struct Maps {
  int64_t images = 0;
  int32_t height = 0, width = 0, channels = 0;
  Doubles values;
  int64_t rows() const { return images * height * width; }
};

struct TwinMoments {
  Doubles mean, variance;  // of the batch, biased
  double count = 0;        // rows
};

class Twin {
 public:
  // Parameters and buffers by name; tests shift them to find slopes.
  std::map<std::string, Doubles> tensors;
  // Of each batch-norm in the last pass with batch statistics, by its name.
  std::map<std::string, TwinMoments> moments;

  Twin(const Description& description, const Parameters& parameters) : description_(description) {
    for (const TensorEntry& entry : parameters.entries()) {
      if (entry.kind == SWAV_TENSOR_COUNTER) continue;
      const float* values = static_cast<const float*>(parameters.data(entry));
      tensors[entry.name] = Doubles(values, values + entry.count);
    }
  }

  // images [count][size][size][channels] -> [count][feature_dim]; with fewer stages the mean of the map behind the last of
  // them.
  Doubles features(const Floats& images, int64_t count, int32_t size, bool batch_statistics, int32_t stages = 4) {
    Maps x{count, size, size, description_.config.channels, Doubles(images.begin(), images.end())};
    x = activated(x, description_.stem, batch_statistics);
    relu(x);
    if (description_.max_pool) x = max_pool(x);
    for (const BlockLayer& block : description_.blocks) {
      if (block.main[0].name[5] - '0' > stages) break;  // "layer3.0.conv1"
      Maps y = x;
      for (size_t l = 0; l < block.main.size(); ++l) {
        y = activated(y, block.main[l], batch_statistics);
        if (l + 1 < block.main.size()) relu(y);
      }
      if (block.projected) x = activated(x, block.projection, batch_statistics);
      for (size_t i = 0; i < y.values.size(); ++i) y.values[i] += x.values[i];
      relu(y);
      x = std::move(y);
    }
    return average(x);
  }

  // features [rows][feature_dim] -> [rows][dim], unit norm.
  Doubles embeddings(const Doubles& features, bool batch_statistics) {
    const swav_network_config& c = description_.config;
    const int64_t rows = int64_t(features.size()) / description_.feature_dim;
    Doubles x;
    if (c.hidden > 0) {
      Maps h{rows, 1, 1, c.hidden, linear(features, description_.feature_dim, "projection_head.0")};
      normalize(h, "projection_head.1", batch_statistics);
      relu(h);
      x = linear(h.values, c.hidden, "projection_head.3");
    } else {
      x = linear(features, description_.feature_dim, "projection_head");
    }
    for (int64_t r = 0; r < rows; ++r) {
      double square = 0;
      for (int64_t i = 0; i < c.dim; ++i) square += x[size_t(r * c.dim + i)] * x[size_t(r * c.dim + i)];
      for (int64_t i = 0; i < c.dim; ++i) x[size_t(r * c.dim + i)] /= std::max(std::sqrt(square), 1e-12);
    }
    return x;
  }

  // embeddings [rows][dim] -> [rows][K], with the prototypes as they are.
  Doubles scores(const Doubles& embeddings, int32_t head) {
    return linear(embeddings, description_.config.dim, description_.prototypes[size_t(head)].name);
  }

 private:
  Maps activated(const Maps& x, const ConvolutionLayer& layer, bool batch_statistics) {
    Maps y = convolution(x, layer);
    normalize(y, layer.norm, batch_statistics);
    return y;
  }

  Maps convolution(const Maps& x, const ConvolutionLayer& l) const {
    const Doubles& w = tensors.at(l.name + ".weight");
    Maps y{x.images,
           (x.height + 2 * l.padding - l.kernel) / l.stride + 1,
           (x.width + 2 * l.padding - l.kernel) / l.stride + 1,
           l.out,
           {}};
    y.values.assign(size_t(y.rows() * l.out), 0.0);
    // [r][s][c][f], so that the inner loop runs over neighbours.
    Doubles v(w.size());
    const int32_t taps = l.kernel * l.kernel;
    for (int32_t f = 0; f < l.out; ++f) {
      for (int32_t c = 0; c < l.in; ++c) {
        for (int32_t t = 0; t < taps; ++t) v[size_t((t * l.in + c) * l.out + f)] = w[size_t((f * l.in + c) * taps + t)];
      }
    }
    for (int64_t row = 0; row < y.rows(); ++row) {
      const int64_t image = row / (y.height * y.width);
      const int32_t oy = int32_t(row / y.width % y.height), ox = int32_t(row % y.width);
      double* out = y.values.data() + row * l.out;
      for (int32_t t = 0; t < taps; ++t) {
        const int32_t iy = oy * l.stride - l.padding + t / l.kernel, ix = ox * l.stride - l.padding + t % l.kernel;
        if (iy < 0 || ix < 0 || iy >= x.height || ix >= x.width) continue;
        const double* in = x.values.data() + ((image * x.height + iy) * x.width + ix) * l.in;
        const double* weight = v.data() + int64_t(t) * l.in * l.out;
        for (int32_t c = 0; c < l.in; ++c, weight += l.out) {
          for (int32_t f = 0; f < l.out; ++f) out[f] += in[c] * weight[f];
        }
      }
    }
    return y;
  }

  void normalize(Maps& y, const std::string& name, bool batch_statistics) {
    const int64_t rows = y.rows(), n = y.channels;
    TwinMoments m;
    if (batch_statistics) {
      m = {Doubles(size_t(n), 0.0), Doubles(size_t(n), 0.0), double(rows)};
      for (size_t i = 0; i < y.values.size(); ++i) m.mean[i % size_t(n)] += y.values[i] / double(rows);
      for (size_t i = 0; i < y.values.size(); ++i) {
        const double d = y.values[i] - m.mean[i % size_t(n)];
        m.variance[i % size_t(n)] += d * d / double(rows);
      }
      moments[name] = m;
    } else {
      m = {tensors.at(name + ".running_mean"), tensors.at(name + ".running_var"), 0};
    }
    const Doubles &gamma = tensors.at(name + ".weight"), &beta = tensors.at(name + ".bias");
    Doubles scale;
    for (size_t c = 0; c < size_t(n); ++c) scale.push_back(gamma[c] / std::sqrt(m.variance[c] + 1e-5));
    for (size_t i = 0; i < y.values.size(); ++i) {
      const size_t c = i % size_t(n);
      y.values[i] = (y.values[i] - m.mean[c]) * scale[c] + beta[c];
    }
  }

  static void relu(Maps& x) {
    for (double& v : x.values) v = std::max(v, 0.0);
  }

  static Maps max_pool(const Maps& x) {
    Maps y{x.images, (x.height - 1) / 2 + 1, (x.width - 1) / 2 + 1, x.channels, {}};
    y.values.assign(size_t(y.rows() * y.channels), -1e300);
    for (int64_t row = 0; row < y.rows(); ++row) {
      const int64_t image = row / (y.height * y.width);
      const int32_t oy = int32_t(row / y.width % y.height), ox = int32_t(row % y.width);
      for (int32_t t = 0; t < 9; ++t) {
        const int32_t iy = 2 * oy - 1 + t / 3, ix = 2 * ox - 1 + t % 3;
        if (iy < 0 || ix < 0 || iy >= x.height || ix >= x.width) continue;
        for (int32_t c = 0; c < x.channels; ++c) {
          double& best = y.values[size_t(row * x.channels + c)];
          best = std::max(best, x.values[size_t(((image * x.height + iy) * x.width + ix) * x.channels + c)]);
        }
      }
    }
    return y;
  }

  static Doubles average(const Maps& x) {
    Doubles out(size_t(x.images * x.channels), 0.0);
    const int64_t pixels = int64_t(x.height) * x.width;
    for (int64_t row = 0; row < x.rows(); ++row) {
      for (int32_t c = 0; c < x.channels; ++c) {
        out[size_t(row / pixels * x.channels + c)] += x.values[size_t(row * x.channels + c)] / double(pixels);
      }
    }
    return out;
  }

  // x [rows][in] times the weight [out][in], plus the bias where there is one.
  Doubles linear(const Doubles& x, int64_t in, const std::string& name) const {
    const Doubles& w = tensors.at(name + ".weight");
    const auto bias = tensors.find(name + ".bias");
    const int64_t rows = int64_t(x.size()) / in, out = int64_t(w.size()) / in;
    Doubles y(size_t(rows * out));
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t o = 0; o < out; ++o) {
        double total = bias == tensors.end() ? 0 : bias->second[size_t(o)];
        for (int64_t i = 0; i < in; ++i) total += x[size_t(r * in + i)] * w[size_t(o * in + i)];
        y[size_t(r * out + o)] = total;
      }
    }
    return y;
  }

  Description description_;
};

}  // namespace swav::test
