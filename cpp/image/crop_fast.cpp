// The fast path of a crop: planes of bytes, and vector kernels for every step.
//
// Resizing needs weighted sums along both axes, and vectors want contiguous samples across the axis of the sum. So the source
// box is transposed as a matrix of bytes, which also separates the channels (line 3 x + c holds channel c of column x), the
// horizontal pass combines whole lines, and its result is transposed back into planes for the vertical pass. Mirroring is the
// order in which the horizontal pass writes its lines.
#include <algorithm>
#include <cstring>

#include "image/blur.h"
#include "image/crop.h"
#include "image/resample.h"
#include "kernels/kernels.h"

namespace swav::image {
namespace {

int64_t padded(int64_t samples) { return (samples + image_slack - 1) / image_slack * image_slack; }

// Scratch memory of the calling thread.
struct Scratch {
  Filter across, down;
  Buffer lines, passed, rows, planes, other, row;
};

// `count` planes of size x size samples, dense, each followed by room for a vector.
struct Planes {
  uint8_t* samples;
  int size;
  int count;
  int64_t pixels() const { return int64_t(size) * size; }
  int64_t stride() const { return padded(pixels()) + image_slack; }
  uint8_t* plane(int c) const { return samples + c * stride(); }
  uint8_t* row(int c, int y) const { return plane(c) + int64_t(y) * size; }
};

void resample(const uint8_t* lines, int64_t stride, const Filter& filter, int count, int64_t n, uint8_t* out,
              int64_t out_stride) {
  kernels().image_resample(lines, stride, filter.start.data(), filter.length.data(), filter.fixed.data(), filter.stride, count,
                           n, out, out_stride);
}

// Lines of the source box (line x * channels + c holds column x of channel c, `rows` samples) -> for each channel
// the lines of the output columns, mirrored if the plan says so.
void pass_across(const uint8_t* lines, int64_t stride, int rows, const swav_crop_plan& plan, int channels, Scratch& memory) {
  const int64_t channel = stride * plan.size;
  uint8_t* const out = memory.passed.reserve(size_t(channel * channels) + image_slack);
  for (int c = 0; c < channels; ++c) {
    uint8_t* const first = out + c * channel + (plan.flip ? (plan.size - 1) * stride : 0);
    resample(lines + c * stride, stride * channels, memory.across, plan.size, rows, first, plan.flip ? -stride : stride);
  }
}

// Position of a pixel of the whole picture in the samples of a part: whole samples, and what is left of one.
struct Place {
  int whole;
  double rest;
};
Place place(int pixel, int origin, int denominator) {
  const int offset = pixel - origin;
  return {offset / denominator, double(offset % denominator) / denominator};
}

// A pass whose length does not change has weights 2^22 and 0: the identity, as Pillow's skipping it.
void resize_to_planes(const Part& part, const swav_crop_plan& plan, Scratch& memory, const Planes& planes) {
  const Kernels& kernel = kernels();
  const Image& image = *part.image;
  const int channels = image.channels(), size = plan.size;
  Filter& across = memory.across;
  Filter& down = memory.down;
  const Place left = place(plan.left, part.left, part.denominator), top = place(plan.top, part.top, part.denominator);
  across.prepare(left.rest, double(plan.width) / part.denominator, plan.resized_width, plan.offset_x, size);
  down.prepare(top.rest, double(plan.height) / part.denominator, plan.resized_height, plan.offset_y, size);
  const int64_t stride = int64_t(image.width()) * channels;
  const uint8_t* source = image.row<uint8_t>(top.whole + down.lowest) + int64_t(left.whole + across.lowest) * channels;
  const int64_t columns = int64_t(across.needed) * channels;
  const ResizeShape shape = {plan.width, plan.height, plan.resized_width, plan.resized_height, 0, 0, size, channels};
  if (shape.vertical_first() && plan.width != plan.resized_width) {
    const int64_t row = padded(columns), line = padded(size);
    uint8_t* const rows = memory.rows.reserve(size_t(row * size) + image_slack);
    resample(source, stride, down, size, columns, rows, row);
    uint8_t* const lines = memory.lines.reserve(size_t(line * columns) + image_slack);
    kernel.image_transpose(rows, row, size, columns, lines, line);
    pass_across(lines, line, size, plan, channels, memory);
    for (int c = 0; c < channels; ++c) {
      kernel.image_transpose(memory.passed.data() + c * line * size, line, size, size, planes.plane(c), size);
    }
    return;
  }
  const int rows = down.needed;
  const int64_t line = padded(rows), row = padded(size);
  uint8_t* const lines = memory.lines.reserve(size_t(line * columns) + image_slack);
  kernel.image_transpose(source, stride, rows, columns, lines, line);
  pass_across(lines, line, rows, plan, channels, memory);
  uint8_t* const between = memory.rows.reserve(size_t(row * rows) + image_slack);
  for (int c = 0; c < channels; ++c) {
    kernel.image_transpose(memory.passed.data() + c * line * size, line, size, rows, between, row);
    resample(between, row, down, size, size, planes.plane(c), size);
  }
}

void adjust_contrast(const Planes& p, float factor) {
  const Kernels& kernel = kernels();
  int64_t total = 0;
  if (p.count == 3) {
    total = kernel.image_luminance_sum(p.plane(0), p.plane(1), p.plane(2), p.pixels());
  } else {
    for (int64_t i = 0; i < p.pixels(); ++i) total += p.samples[i];
  }
  const int mean = int(double(total) / double(p.pixels()) + 0.5);
  for (int c = 0; c < p.count; ++c) kernel.image_blend(p.plane(c), float(mean), factor, p.pixels());
}

void jitter(const Planes& p, const swav_crop_plan& plan) {
  const Kernels& kernel = kernels();
  for (uint8_t operation : plan.color_order) {
    const float factor = plan.color_factor[operation];
    const bool neutral = factor == (operation == SWAV_COLOR_HUE ? 0.0f : 1.0f);
    if (neutral) continue;
    if (operation == SWAV_COLOR_BRIGHTNESS) {
      for (int c = 0; c < p.count; ++c) kernel.image_blend(p.plane(c), 0, factor, p.pixels());
    } else if (operation == SWAV_COLOR_CONTRAST) {
      adjust_contrast(p, factor);
    } else if (p.count == 3 && operation == SWAV_COLOR_SATURATION) {
      kernel.image_saturate(p.plane(0), p.plane(1), p.plane(2), factor, p.pixels());
    } else if (p.count == 3) {
      kernel.image_hue(p.plane(0), p.plane(1), p.plane(2), int(double(factor) * 255), p.pixels());
    }
  }
}

// Three passes along the rows, `from` -> `to`. Each works on a copy of its row with the edges repeated.
void blur_rows(const Planes& from, const Planes& to, const BoxPass& pass, Buffer& memory) {
  const int edge = pass.radius + 1;
  const int64_t left = padded(edge), room = left + padded(from.size) + padded(edge) + image_slack;
  uint8_t* const a = memory.reserve(size_t(room) * 2) + left;
  uint8_t* const b = a + room;
  const auto repeat_edges = [&](uint8_t* row) {
    std::memset(row - edge, row[0], size_t(edge));
    std::memset(row + from.size, row[from.size - 1], size_t(edge));
  };
  const auto run = [&](uint8_t* in, uint8_t* out) {
    repeat_edges(in);
    kernels().image_box_row(in, pass.radius, pass.inner, pass.outer, out, from.size);
  };
  for (int c = 0; c < from.count; ++c) {
    for (int y = 0; y < from.size; ++y) {
      std::memcpy(a, from.row(c, y), size_t(from.size));
      run(a, b);
      run(b, a);
      run(a, to.row(c, y));
    }
  }
}

// One pass down the columns, `from` -> `to`.
void blur_columns(const Planes& from, const Planes& to, const BoxPass& pass) {
  const uint8_t* window[2 * 66 + 3];  // the radius is below 65 for the largest sigma allowed, 64
  for (int c = 0; c < from.count; ++c) {
    for (int y = 0; y < from.size; ++y) {
      for (int k = 0; k < 2 * pass.radius + 3; ++k)
        window[k] = from.row(c, std::clamp(y + k - pass.radius - 1, 0, from.size - 1));
      kernels().image_box_column(window, pass.radius, pass.inner, pass.outer, to.row(c, y), from.size);
    }
  }
}

void blur(const Planes& planes, float sigma, Scratch& memory) {
  if (sigma == 0) return;
  const BoxPass pass = box_pass(sigma);
  const Planes other = {memory.other.reserve(size_t(planes.stride() * planes.count)), planes.size, planes.count};
  blur_rows(planes, other, pass, memory.row);
  blur_columns(other, planes, pass);
  blur_columns(planes, other, pass);
  blur_columns(other, planes, pass);
}

void normalise(const Planes& p, const swav_recipe& recipe, float* pixels) {
  float scale[3], shift[3];
  for (int c = 0; c < recipe.channels; ++c) {
    scale[c] = float(1 / (255 * double(recipe.std[c])));
    shift[c] = float(-double(recipe.mean[c]) / double(recipe.std[c]));
  }
  if (recipe.channels == 1) return kernels().image_normalise(p.plane(0), scale[0], shift[0], pixels, p.pixels());
  const uint8_t* const gray = p.plane(0);  // of a gray crop all channels are the same plane
  const bool color = p.count == 3;
  kernels().image_normalise_rgb(gray, color ? p.plane(1) : gray, color ? p.plane(2) : gray, scale, shift, pixels, p.pixels());
}

}  // namespace

void execute_crop_fast(const Part& part, const swav_crop_plan& plan, const swav_recipe& recipe, float* pixels) {
  thread_local Scratch memory;
  const Trim trim_lines(memory.lines), trim_passed(memory.passed), trim_rows(memory.rows);
  Planes planes = {nullptr, plan.size, part.image->channels()};
  planes.samples = memory.planes.reserve(size_t(planes.stride() * planes.count));
  resize_to_planes(part, plan, memory, planes);
  if (plan.jitter) jitter(planes, plan);
  if (plan.grayscale && planes.count == 3) {
    kernels().image_gray(planes.plane(0), planes.plane(1), planes.plane(2), planes.plane(0), planes.pixels());
    planes.count = 1;
  }
  if (plan.blur) blur(planes, plan.sigma, memory);
  normalise(planes, recipe, pixels);
}

}  // namespace swav::image
