// GIF through giflib: the first frame on the screen that the header describes, as Pillow shows it. What the frame leaves free
// has the transparent colour, or the first one where none is transparent; a frame that reaches beyond the screen enlarges it.
// giflib is taken for the blocks and LZW and is stopped behind the first frame: its own DGifSlurp would unpack all of them.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "image/decode.h"

namespace swav::image {
namespace {

struct GifReader {
  const uint8_t* next;
  size_t left;
  GifFileType* file = nullptr;
  int transparent = -1;

  GifReader(const uint8_t* bytes, size_t size) : next(bytes), left(size) {
    int code = 0;
    file = DGifOpen(
        this,
        [](GifFileType* file, GifByteType* to, int count) {
          auto* reader = static_cast<GifReader*>(file->UserData);
          const int got = int(std::min<size_t>(reader->left, size_t(std::max(count, 0))));
          std::memcpy(to, reader->next, size_t(got));
          reader->next += got;
          reader->left -= size_t(got);
          return got;
        },
        &code);
    if (!file) raise(code);
  }
  ~GifReader() {
    int code = 0;
    if (file) DGifCloseFile(file, &code);
  }
  GifReader(const GifReader&) = delete;
  GifReader& operator=(const GifReader&) = delete;

  [[noreturn]] static void raise(int code) {
    if (code == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
    if (code == D_GIF_ERR_READ_FAILED || code == D_GIF_ERR_EOF_TOO_SOON) fail(SWAV_ERROR_FORMAT, "GIF: the data ends early");
    const char* text = GifErrorString(code);
    fail(SWAV_ERROR_FORMAT, "GIF: %s", text ? text : "damaged");
  }

  void check(int result) const {
    if (result == GIF_ERROR) raise(file->Error);
  }

  // Reads an extension, and what it says about transparency.
  int skip_extension() {
    int kind = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(file, &kind, &block) == GIF_ERROR) return GIF_ERROR;
    GraphicsControlBlock control;
    if (kind == GRAPHICS_EXT_FUNC_CODE && block && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
      transparent = control.TransparentColor;
    while (block) {
      if (DGifGetExtensionNext(file, &block) == GIF_ERROR) return GIF_ERROR;
    }
    return GIF_OK;
  }

  // Up to the next frame's description; false where there is none.
  int find_frame(bool& found) {
    for (;;) {
      GifRecordType kind = UNDEFINED_RECORD_TYPE;
      if (DGifGetRecordType(file, &kind) == GIF_ERROR) return GIF_ERROR;
      found = kind == IMAGE_DESC_RECORD_TYPE;
      if (found || kind == TERMINATE_RECORD_TYPE) return GIF_OK;
      if (kind == EXTENSION_RECORD_TYPE && skip_extension() == GIF_ERROR) return GIF_ERROR;
    }
  }

  void open_first_frame() {
    bool found = false;
    check(find_frame(found));
    if (!found) fail(SWAV_ERROR_FORMAT, "GIF: there is no frame in it");
    check(DGifGetImageDesc(file));
    if (file->Image.Width < 1 || file->Image.Height < 1)
      fail(SWAV_ERROR_FORMAT, "GIF: the first frame has %d x %d pixels", file->Image.Width, file->Image.Height);
  }

  // Whether another frame follows; behind the first frame's pixels. Damage there is of no matter.
  bool has_more() {
    bool found = false;
    return find_frame(found) == GIF_OK && found;
  }

  // Passes over the first frame's pixels without unpacking them.
  bool skip_pixels() {
    int bits = 0;
    GifByteType* block = nullptr;
    if (DGifGetCode(file, &bits, &block) == GIF_ERROR) return false;
    while (block) {
      if (DGifGetCodeNext(file, &block) == GIF_ERROR) return false;
    }
    return true;
  }

  int width() const { return std::max(file->SWidth, file->Image.Left + file->Image.Width); }
  int height() const { return std::max(file->SHeight, file->Image.Top + file->Image.Height); }
};

Header header_of(const GifReader& reader) {
  Header header{};
  header.info.width = reader.width();
  header.info.height = reader.height();
  header.info.channels = 3;
  header.info.bits = 8;
  header.info.format = SWAV_FORMAT_GIF;
  header.info.has_alpha = reader.transparent >= 0;
  header.orientation = 1;
  return header;
}

// RGBA of every index. Without a table of colours indices are levels of gray; beyond the end of one there is black.
struct Colors {
  uint8_t rgba[256][4] = {};

  explicit Colors(const GifReader& reader) {
    const ColorMapObject* map = reader.file->Image.ColorMap ? reader.file->Image.ColorMap : reader.file->SColorMap;
    for (int i = 0; i < 256; ++i) {
      uint8_t* const color = rgba[i];
      if (!map) {
        color[0] = color[1] = color[2] = uint8_t(i);
      } else if (i < map->ColorCount) {
        color[0] = map->Colors[i].Red;
        color[1] = map->Colors[i].Green;
        color[2] = map->Colors[i].Blue;
      }
      color[3] = i == reader.transparent ? 0 : 255;
    }
  }
};

// Lines of an interlaced frame in the order in which they come.
int line_of(int number, int height, bool interlaced) {
  if (!interlaced) return number;
  constexpr int starts[4] = {0, 4, 2, 1}, steps[4] = {8, 8, 4, 2};
  for (int pass = 0; pass < 4; ++pass) {
    const int lines = (height - starts[pass] + steps[pass] - 1) / steps[pass];
    if (number < lines) return starts[pass] + number * steps[pass];
    number -= std::max(lines, 0);
  }
  return height - 1;
}

// LZW makes at most 2730 pixels of a byte: strings of 4096 in 12 bits. A screen that claims more than that is a bomb.
void check_claim(int64_t width, int64_t height, size_t size) {
  if (width * height / 4096 > int64_t(size)) {
    fail(SWAV_ERROR_FORMAT, "GIF: %zu bytes cannot hold the %lld x %lld pixels that the header claims", size,
         static_cast<long long>(width), static_cast<long long>(height));
  }
}

}  // namespace

Header probe_gif(const uint8_t* bytes, size_t size) {
  GifReader reader(bytes, size);
  reader.open_first_frame();
  Header header = header_of(reader);
  header.info.has_more = reader.skip_pixels() && reader.has_more();
  return header;
}

Header decode_gif(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  GifReader reader(bytes, size);
  reader.open_first_frame();
  Header header = header_of(reader);
  const int width = reader.width(), height = reader.height();
  check_limits(width, height, options);
  check_claim(width, height, size);
  const Target target = target_of(3, 8, options);
  image.allocate(width, height, target.channels, 8, SWAV_FORMAT_GIF);
  const Colors colors(reader);
  const GifImageDesc frame = reader.file->Image;
  const int channels = header.info.has_alpha && blends(options) ? 4 : 3;
  thread_local Buffer memory;
  uint8_t* const indices = memory.reserve(size_t(width) * 5);
  uint8_t* const row = indices + width;
  const auto put = [&](int y) {
    for (int x = 0; x < width; ++x) std::memcpy(row + x * channels, colors.rgba[indices[x]], size_t(channels));
    convert_row(row, width, channels, 8, options, image, y);
  };
  std::memset(indices, std::max(reader.transparent, 0), size_t(width));
  for (int y = 0; y < height; ++y) {
    if (y < frame.Top || y >= frame.Top + frame.Height) put(y);
  }
  for (int number = 0; number < frame.Height; ++number) {
    reader.check(DGifGetLine(reader.file, indices + frame.Left, frame.Width));
    put(frame.Top + line_of(number, frame.Height, frame.Interlace));
  }
  header.info.has_more = reader.has_more();
  return header;
}

}  // namespace swav::image
