// libtiff behind a C++ face: the first page of a TIFF in memory, checked before anything is decoded. Errors become swav::Error;
// libtiff's own handlers, which print, are not called.
#pragma once

#include <tiffio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "image/decode.h"
#include "image/exif.h"

namespace swav::image {

// How the samples of a page are stored.
struct TiffLayout {
  uint32_t width = 0, height = 0;
  uint16_t bits = 1;     // a sample
  uint16_t samples = 1;  // a pixel
  uint16_t photometric = 0, compression = 0;
  bool separate = false;  // one plane a sample
  bool tiled = false;
  uint32_t block_width = 0, block_height = 0;  // of a tile, or of a strip
  int colors = 1;                              // samples that are no extra ones: 1, 3 or 4
  int alpha = -1;                              // the sample that says the opacity
  bool multiplied = false;                     // colours are multiplied by it
  // Chroma at a resolution of its own that is not decoded to RGB by the JPEG codec: libtiff's RGBA interface converts.
  bool by_rgba = false;

  bool is_palette() const { return photometric == PHOTOMETRIC_PALETTE; }
  int planes() const { return separate ? samples : 1; }
};

// Of the present page. Throws SWAV_ERROR_UNSUPPORTED for arrangements that cannot be read.
TiffLayout tiff_layout(TIFF* tiff);
Header tiff_header(TIFF* tiff, const TiffLayout& layout);

// An open file. Every plane of a picture whose planes are separate is read through a file of its own.
class TiffFile {
 public:
  TiffFile(const uint8_t* bytes, size_t size);
  ~TiffFile();
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  // For a call of libtiff.
  TIFF* get() const;
  [[noreturn]] void raise() const;
  // Where a call of libtiff failed, or left out a part of what it was to read.
  void check(bool succeeded) const {
    if (!succeeded || damaged_) raise();
  }
  // That a strip or tile is there: libtiff takes one that the file does not list for one at its very beginning.
  void check_block(uint32_t number) const;

 private:
  friend struct TiffCallbacks;
  void close();

  const uint8_t* bytes_;
  uint64_t size_, position_ = 0;
  std::string message_;   // the first error
  bool damaged_ = false;  // libtiff warned of data that end early
  TIFF* tiff_ = nullptr;
};

class TiffReader {
 public:
  // Reads the description of the first page.
  TiffReader(const uint8_t* bytes, size_t size);

  const Header& header() const { return header_; }

  // Decodes the strips or tiles that `region` of the stored picture touches; `image` becomes the region.
  void read(const Region& region, const swav_decode_options& options, Image& image);

 private:
  void read_strips(const Region& region, const swav_decode_options& options, Image& image);
  void read_tiles(const Region& region, const swav_decode_options& options, Image& image);
  void read_by_rgba(const Region& region, const swav_decode_options& options, Image& image);

  const uint8_t* bytes_;
  size_t size_;
  TiffFile file_;
  TiffLayout layout_;
  Header header_;
};

}  // namespace swav::image
