// What a PNG file says besides its pixels: orientation, wherever it is kept, and whether it is an animation. libpng is not
// asked: it would have to read through the pixels, and to hold texts of any size.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/exif.h"

namespace swav::image {

struct PngFacts {
  // From eXIf before or after the pixels; else from a text "Raw profile type exif" (or APP1), as ImageMagick writes; and from a
  // text "XML:com.adobe.xmp". Texts may be plain (tEXt), compressed (zTXt) or international (iTXt). Chunks whose checksum is
  // wrong are passed over.
  Orientation orientation;
  bool animated = false;  // more than one frame
  // The file ends within a chunk other than the last one. Behind the pixels that might be the one that says the orientation.
  bool cut = false;
};

// Walks over the chunks of a file that begins with the PNG signature. Damage ends the walk.
PngFacts png_facts(const uint8_t* bytes, size_t size);

}  // namespace swav::image
