#include "image/tiff_reader.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "image/tiff_pixels.h"

namespace swav::image {

TiffReader::TiffReader(const uint8_t* bytes, size_t size)
    : bytes_(bytes),
      size_(size),
      file_(bytes, size),
      layout_(tiff_layout(file_.get())),
      header_(tiff_header(file_.get(), layout_)) {}

void TiffReader::read(const Region& region, const swav_decode_options& options, Image& image) {
  const Target target = target_of(header_.info.channels, header_.info.bits, options);
  image.allocate(region.width, region.height, target.channels, target.bits, SWAV_FORMAT_TIFF);
  if (layout_.by_rgba) return read_by_rgba(region, options, image);
  // Chroma that the JPEG codec knows of comes as RGB.
  if (layout_.photometric == PHOTOMETRIC_YCBCR && layout_.compression == COMPRESSION_JPEG)
    TIFFSetField(file_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  if (layout_.tiled) return read_tiles(region, options, image);
  read_strips(region, options, image);
}

// Row by row: a strip may be the whole picture, and is not unpacked at once. Most codecs only go forward, so that a strip is
// read from its beginning; strips above the region are passed over.
void TiffReader::read_strips(const Region& region, const swav_decode_options& options, Image& image) {
  std::vector<std::unique_ptr<TiffFile>> others;
  std::vector<const TiffFile*> files = {&file_};
  for (int s = 1; s < layout_.planes(); ++s) {
    others.push_back(std::make_unique<TiffFile>(bytes_, size_));
    files.push_back(others.back().get());
  }
  const auto row_bytes = size_t(TIFFScanlineSize64(file_.get()));
  // Room for what a row holds by its layout, should libtiff count less.
  const size_t claimed = (size_t(layout_.width) * layout_.bits * (layout_.separate ? 1 : layout_.samples) + 7) / 8;
  const size_t stride = std::max(row_bytes, claimed);
  thread_local Buffer memory;
  const Trim trim(memory);
  uint8_t* const first = memory.reserve(stride * files.size());
  // Where data of fax lines end early libtiff writes a part of a row, and says nothing: never pixels of another picture.
  std::memset(first, 0, stride * files.size());
  std::vector<const uint8_t*> rows;
  for (size_t s = 0; s < files.size(); ++s) rows.push_back(first + s * stride);
  TiffPixels pixels(file_.get(), layout_, blends(options));
  const auto height = int(layout_.block_height);
  for (int y = region.top / height * height; y < region.top + region.height; ++y) {
    for (size_t s = 0; s < files.size(); ++s) {
      if (y % height == 0) files[s]->check_block(TIFFComputeStrip(files[s]->get(), uint32_t(y), uint16_t(s)));
      files[s]->check(TIFFReadScanline(files[s]->get(), first + s * stride, uint32_t(y), uint16_t(s)) == 1);
    }
    if (y < region.top) continue;
    convert_row(pixels.arrange(rows.data(), region.left, region.width), region.width, pixels.channels(), pixels.bits(), options,
                image, y - region.top);
  }
}

void TiffReader::read_tiles(const Region& region, const swav_decode_options& options, Image& image) {
  const auto across = int(layout_.block_width), down = int(layout_.block_height);
  const auto row_bytes = size_t(TIFFTileRowSize64(file_.get())), tile_bytes = size_t(TIFFTileSize64(file_.get()));
  const size_t claimed = (size_t(across) * layout_.bits * (layout_.separate ? 1 : layout_.samples) + 7) / 8;
  if (row_bytes < claimed || tile_bytes < row_bytes * size_t(down))
    fail(SWAV_ERROR_FORMAT, "TIFF: the size of a tile is unclear");
  const auto planes = size_t(layout_.planes());
  thread_local Buffer memory;
  const Trim trim(memory);
  uint8_t* const tiles = memory.reserve(tile_bytes * planes);
  TiffPixels pixels(file_.get(), layout_, blends(options));
  std::vector<const uint8_t*> rows(planes);
  const int right = region.left + region.width, bottom = region.top + region.height;
  for (int top = region.top / down * down; top < bottom; top += down) {
    for (int left = region.left / across * across; left < right; left += across) {
      for (size_t s = 0; s < planes; ++s) {
        const uint32_t number = TIFFComputeTile(file_.get(), uint32_t(left), uint32_t(top), 0, uint16_t(s));
        file_.check_block(number);
        std::memset(tiles + s * tile_bytes, 0, tile_bytes);  // as in read_strips
        const tmsize_t got = TIFFReadEncodedTile(file_.get(), number, tiles + s * tile_bytes, tmsize_t(tile_bytes));
        file_.check(got == tmsize_t(tile_bytes));
      }
      const int from = std::max(left, region.left), to = std::min(left + across, right);
      for (int y = std::max(top, region.top); y < std::min(top + down, bottom); ++y) {
        for (size_t s = 0; s < planes; ++s) rows[s] = tiles + s * tile_bytes + size_t(y - top) * row_bytes;
        convert_row(pixels.arrange(rows.data(), from - left, to - from), to - from, pixels.channels(), pixels.bits(), options,
                    image, y - region.top, from - region.left);
      }
    }
  }
}

// Blocks as words of ABGR, whose rows begin at the bottom.
void TiffReader::read_by_rgba(const Region& region, const swav_decode_options& options, Image& image) {
  const auto across = int(layout_.block_width), down = int(layout_.block_height);
  // libtiff would turn each block by itself; the whole is turned later.
  TIFFSetField(file_.get(), TIFFTAG_ORIENTATION, uint16_t{ORIENTATION_TOPLEFT});
  thread_local Buffer memory;
  const Trim trim(memory);
  auto* const raster = memory.reserve_as<uint32_t>(size_t(across) * size_t(down));
  std::memset(raster, 0, size_t(across) * size_t(down) * sizeof *raster);  // as in read_strips
  const int right = region.left + region.width, bottom = region.top + region.height;
  std::vector<uint8_t> rgb(size_t(across) * 3);
  for (int top = region.top / down * down; top < bottom; top += down) {
    for (int left = region.left / across * across; left < right; left += across) {
      file_.check_block(layout_.tiled ? TIFFComputeTile(file_.get(), uint32_t(left), uint32_t(top), 0, 0)
                                      : TIFFComputeStrip(file_.get(), uint32_t(top), 0));
      file_.check(layout_.tiled ? TIFFReadRGBATileExt(file_.get(), uint32_t(left), uint32_t(top), raster, 1) == 1
                                : TIFFReadRGBAStripExt(file_.get(), uint32_t(top), raster, 1) == 1);
      const int rows = layout_.tiled ? down : std::min(down, int(layout_.height) - top);
      const int from = std::max(left, region.left), to = std::min(left + across, right);
      for (int y = std::max(top, region.top); y < std::min(top + rows, bottom); ++y) {
        const uint32_t* row = raster + int64_t(rows - 1 - (y - top)) * across + (from - left);
        for (int x = 0; x < to - from; ++x) {
          rgb[size_t(x) * 3] = uint8_t(TIFFGetR(row[x]));
          rgb[size_t(x) * 3 + 1] = uint8_t(TIFFGetG(row[x]));
          rgb[size_t(x) * 3 + 2] = uint8_t(TIFFGetB(row[x]));
        }
        convert_row(rgb.data(), to - from, 3, 8, options, image, y - region.top, from - region.left);
      }
    }
  }
}

Header probe_tiff(const uint8_t* bytes, size_t size) { return TiffReader(bytes, size).header(); }

Header decode_tiff(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  TiffReader reader(bytes, size);
  const Header& header = reader.header();
  check_limits(header.info.width, header.info.height, options);
  reader.read({0, 0, header.info.width, header.info.height}, options, image);
  return header;
}

}  // namespace swav::image
