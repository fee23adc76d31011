// Activations of a frozen network (inference only): maps of pixels as its kernels read and write them.
//
// Layout [images][margin + height + margin][margin + width + margin][channels], in bytes. The margin holds zeros where a 3x3
// window needs them, so that no kernel asks whether a pixel exists. Channels are padded to whole register tiles; what lies in
// the padding is zero or meets zero weights.
#pragma once

#include <cstdint>

#include "kernels/tiles.h"
#include "ops/row_blocks.h"

namespace swav {

// What a word of four bytes holds: one float32, four or two integers (unsigned, 0..255; kernels/fused_tile.inl.h), or two
// bfloat16 (kernels/tiles.h).
enum class Element { float32, quads, pairs, bfloat16 };

inline int64_t element_size(Element element) { return element == Element::float32 ? 4 : element == Element::quads ? 1 : 2; }

// Columns of the register tiles of an element's products, which the channels of maps are padded to.
inline int columns_of(Element element) {
  return element == Element::bfloat16 ? bfloat_vector_tile.columns : kernels().tile_columns;
}

struct FrozenMap {
  char* data = nullptr;  // borrowed: where the margin of image 0 begins
  int64_t images = 0;
  int32_t height = 0, width = 0;
  int32_t channels = 0;  // as stored
  int32_t margin = 0;
  int64_t pixel = 0, row = 0, image = 0;  // distances in bytes

  FrozenMap() = default;
  // Room for `filters` channels. Pixels that would meet in one set of the first-level cache get one line more: they are the
  // rows of register tiles.
  FrozenMap(int64_t count, int32_t h, int32_t w, int32_t filters, int32_t border, Element element)
      : images(count), height(h), width(w), channels(int32_t(round_up(filters, columns_of(element)))), margin(border) {
    pixel = channels * element_size(element);
    if (pixel % cache::set_stride == 0) pixel += cache::line;
    set_distances();
  }

  // A framed input image: channels side by side without padding.
  static FrozenMap frame(int64_t count, int32_t h, int32_t w, int32_t channels, int32_t border, Element element) {
    FrozenMap map;
    map.images = count, map.height = h, map.width = w, map.channels = channels, map.margin = border;
    map.pixel = channels * element_size(element);
    map.set_distances();
    return map;
  }

  // Bytes of memory, with a line behind the end for words that reach over the last pixel.
  int64_t bytes() const { return images * image + cache::line; }
  // y in [-margin, height + margin), x likewise.
  char* at(int64_t i, int64_t y, int64_t x) const { return data + i * image + (y + margin) * row + (x + margin) * pixel; }

 private:
  void set_distances() {
    row = (width + 2 * margin) * pixel;
    image = (height + 2 * margin) * row;
  }
};

// Zeros in the margin of every image.
void clear_margin(const FrozenMap& map);

}  // namespace swav
