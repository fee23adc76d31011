// What the first page of a TIFF says of itself, and whether it can be read.
#include <algorithm>

#include "base/status.h"
#include "image/tiff_reader.h"

namespace swav::image {
namespace {

template <class T>
T tag(TIFF* tiff, ttag_t name, T otherwise) {
  T value = otherwise;
  return TIFFGetFieldDefaulted(tiff, name, &value) ? value : otherwise;
}

[[noreturn]] void refuse(const char* what, int value) {
  fail(SWAV_ERROR_UNSUPPORTED, "TIFF: %s %d is not supported; gray, RGB, palettes, CMYK and YCbCr are", what, value);
}

void check_samples(const TiffLayout& l, uint16_t format) {
  if (format == SAMPLEFORMAT_IEEEFP || l.bits < 1 || l.bits > 16)
    fail(SWAV_ERROR_UNSUPPORTED, "TIFF: %d bits a sample%s; whole numbers of 1 to 16 bits are supported", l.bits,
         format == SAMPLEFORMAT_IEEEFP ? " of floating point" : "");
  if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
    fail(SWAV_ERROR_UNSUPPORTED, "TIFF: samples with a sign are not supported; whole numbers from 0 on are");
  const bool bytes = l.bits == 8 || l.bits == 16;
  if (l.is_palette() && l.bits > 8) fail(SWAV_ERROR_UNSUPPORTED, "TIFF: a palette of %d bits; up to 8 are supported", l.bits);
  if (l.samples > 1 && !bytes)
    fail(SWAV_ERROR_UNSUPPORTED, "TIFF: %d samples of %d bits; several samples have to be of 8 or 16", l.samples, l.bits);
  if (l.samples < l.colors || l.samples > l.colors + 4)
    fail(SWAV_ERROR_UNSUPPORTED, "TIFF: %d samples a pixel of which %d are colours; up to 4 more are supported", l.samples,
         l.colors);
}

void find_alpha(TIFF* tiff, TiffLayout& l) {
  uint16_t count = 0;
  uint16_t* kinds = nullptr;
  if (!TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds)) count = 0;
  for (int i = 0; i < count && l.alpha < 0 && l.colors + i < l.samples; ++i) {
    if (kinds[i] != EXTRASAMPLE_ASSOCALPHA && kinds[i] != EXTRASAMPLE_UNASSALPHA) continue;
    l.alpha = l.colors + i;
    l.multiplied = kinds[i] == EXTRASAMPLE_ASSOCALPHA;
  }
  // Some writers leave the tag out. A fourth sample then is opacity, as in Pillow.
  if (count == 0 && l.photometric == PHOTOMETRIC_RGB && l.samples == 4) l.alpha = 3;
}

// Cameras' raw files begin with a thumbnail and hold the picture in a page below it.
void check_page(TIFF* tiff) {
  uint16_t count = 0;
  uint64_t* offsets = nullptr;
  const bool thumbnail = tag<uint32_t>(tiff, TIFFTAG_SUBFILETYPE, 0) & FILETYPE_REDUCEDIMAGE;
  if (thumbnail && TIFFGetField(tiff, TIFFTAG_SUBIFD, &count, &offsets) && count > 0)
    fail(SWAV_ERROR_UNSUPPORTED, "TIFF: the first page is a thumbnail of another one, as in cameras' raw files");
}

// Blocks as large as the picture or as usual ones: their memory is taken at once.
void check_blocks(const TiffLayout& l) {
  static constexpr uint32_t usual = 4096;
  const auto most = [](uint32_t side) { return std::max(usual, (side + 15) / 16 * 16); };
  if (l.tiled && (l.block_width < 1 || l.block_height < 1 || l.block_width > most(l.width) || l.block_height > most(l.height)))
    fail(SWAV_ERROR_FORMAT, "TIFF: tiles of %u x %u pixels in a picture of %u x %u", l.block_width, l.block_height, l.width,
         l.height);
}

int orientation_of(TIFF* tiff) {
  Orientation orientation;
  uint16_t value = 0;
  if (TIFFGetField(tiff, TIFFTAG_ORIENTATION, &value)) orientation.exif = value >= 1 && value <= 8 ? value : 1;
  uint32_t size = 0;
  const uint8_t* packet = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_XMLPACKET, &size, &packet)) orientation.xmp = xmp_orientation(packet, size);
  return orientation.value();
}

}  // namespace

TiffLayout tiff_layout(TIFF* tiff) {
  TiffLayout l;
  l.width = tag<uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0);
  l.height = tag<uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0);
  l.bits = tag<uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  l.samples = tag<uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  l.compression = tag<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  l.photometric = tag<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
  l.separate = tag<uint16_t>(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE && l.samples > 1;
  l.tiled = TIFFIsTiled(tiff);
  if (l.width < 1 || l.height < 1) fail(SWAV_ERROR_FORMAT, "TIFF: the first page claims %u x %u pixels", l.width, l.height);
  check_page(tiff);
  if (l.compression == COMPRESSION_OJPEG || !TIFFIsCODECConfigured(l.compression))
    fail(SWAV_ERROR_UNSUPPORTED, "TIFF: compression %d is not supported%s", l.compression,
         l.compression == COMPRESSION_OJPEG ? ": JPEG as it was before 1995" : "");
  switch (l.photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE: l.colors = 1; break;
    case PHOTOMETRIC_RGB: l.colors = 3; break;
    case PHOTOMETRIC_YCBCR:
      l.colors = l.samples == 1 ? 1 : 3;
      l.by_rgba = l.samples > 1 && (l.compression != COMPRESSION_JPEG || l.separate);
      if (l.by_rgba && l.bits != 8) refuse("YCbCr with bits a sample of", l.bits);
      break;
    case PHOTOMETRIC_SEPARATED:
      l.colors = 4;
      if (tag<uint16_t>(tiff, TIFFTAG_INKSET, INKSET_CMYK) != INKSET_CMYK) refuse("a set of inks", INKSET_MULTIINK);
      break;
    default: refuse("photometric interpretation", l.photometric);
  }
  check_samples(l, tag<uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT));
  find_alpha(tiff, l);
  l.block_width = l.tiled ? tag<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0) : l.width;
  l.block_height = tag<uint32_t>(tiff, l.tiled ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP, 0);
  if (!l.tiled) l.block_height = std::clamp<uint32_t>(l.block_height, 1, std::max<uint32_t>(l.height, 1));
  check_blocks(l);
  return l;
}

Header tiff_header(TIFF* tiff, const TiffLayout& l) {
  Header header{};
  // Sides beyond 2^20 are refused by the limits, whatever they are.
  header.info.width = int32_t(std::min<uint32_t>(l.width, INT32_MAX));
  header.info.height = int32_t(std::min<uint32_t>(l.height, INT32_MAX));
  header.info.channels = l.colors == 1 && !l.is_palette() ? 1 : 3;
  header.info.bits = l.bits > 8 && l.photometric != PHOTOMETRIC_SEPARATED ? 16 : 8;
  header.info.format = SWAV_FORMAT_TIFF;
  header.info.inks = l.photometric == PHOTOMETRIC_SEPARATED ? SWAV_INKS_PLAIN : SWAV_INKS_NONE;
  header.info.has_alpha = l.alpha >= 0;
  header.info.has_more = !TIFFLastDirectory(tiff);
  header.orientation = orientation_of(tiff);
  return header;
}

}  // namespace swav::image
