// PNG through libpng: every colour type and depth, interlaced or not; palettes and low depths are expanded, gamma is ignored
// (as Pillow does). Of an animation the picture is taken that viewers without animations show, as a rule the first frame.
#include <png.h>

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "image/decode.h"
#include "image/png_chunks.h"

namespace swav::image {
namespace {

constexpr png_alloc_size_t max_chunk_bytes = 8 << 20;
constexpr png_uint_32 max_ancillary_chunks = 256;
// Chunks that no pixel depends on are skipped unread: texts and profiles may be compressed and large. Four letters and a zero
// each.
constexpr char ignored_chunks[] =
    "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0sTER\0tEXt\0tIME\0zTXt";
// Deflate makes at most 1032 bytes of one (a match of 258 bytes in two bits).
constexpr uint64_t max_inflation = 1032;

// libpng calls back; its error function may not return, and ends in longjmp so that no exception crosses C frames.
struct PngReader {
  const uint8_t* next;
  size_t left;
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[256] = "";

  PngReader(const uint8_t* bytes, size_t size) : next(bytes), left(size) {}
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  static void on_error(png_structp png, png_const_charp text) {
    auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(reader->message, sizeof reader->message, "%s", text);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep to, size_t count) {
    auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > reader->left) png_error(png, "the data ends early");
    std::memcpy(to, reader->next, count);
    reader->next += count;
    reader->left -= count;
  }

  // call() may hold only trivially destructible locals: longjmp skips them.
  template <class F>
  void attempt(F&& call) {
    if (setjmp(png_jmpbuf(png))) fail(SWAV_ERROR_FORMAT, "PNG: %s", message);
    call();
  }

  void read_header() {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) throw std::bad_alloc();
    attempt([this] {
      png_set_read_fn(png, this, on_read);
      png_set_user_limits(png, 1 << 20, 1 << 20);  // the options' limits are checked once the size is known
      png_set_chunk_malloc_max(png, std::min<png_alloc_size_t>(max_chunk_bytes, left));  // no chunk is longer than the file
      png_set_chunk_cache_max(png, max_ancillary_chunks);
      png_set_benign_errors(png, 1);
      // Some writers claim a smaller window in the zlib header than their data use.
      png_set_option(png, PNG_MAXIMUM_INFLATE_WINDOW, PNG_OPTION_ON);
      png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, reinterpret_cast<png_const_bytep>(ignored_chunks),
                                  int(sizeof ignored_chunks / 5));
      png_read_info(png, info);
    });
  }

  int width() const { return int(png_get_image_width(png, info)); }
  int height() const { return int(png_get_image_height(png, info)); }
  bool has_color() const { return png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR; }
  bool has_alpha() const {
    return (png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA) || png_get_valid(png, info, PNG_INFO_tRNS);
  }
  int bits() const { return png_get_bit_depth(png, info) == 16 ? 16 : 8; }
};

Header header_of(const PngReader& reader, const PngFacts& facts) {
  Header header{};
  header.info.width = reader.width();
  header.info.height = reader.height();
  header.info.channels = reader.has_color() ? 3 : 1;
  header.info.bits = reader.bits();
  header.info.format = SWAV_FORMAT_PNG;
  header.info.has_alpha = reader.has_alpha();
  header.info.has_more = facts.animated;
  header.orientation = facts.orientation.value();
  return header;
}

// Rows as 1 to 4 channels of 8 or 16 bits in the machine's byte order. Returns the number of passes.
int set_transforms(PngReader& reader, bool keep_alpha) {
  int passes = 1;
  reader.attempt([&] {
    png_set_expand(reader.png);
    if (!keep_alpha) png_set_strip_alpha(reader.png);
    const uint16_t one = 1;
    uint8_t first;
    std::memcpy(&first, &one, 1);
    if (reader.bits() == 16 && first == 1) png_set_swap(reader.png);
    passes = png_set_interlace_handling(reader.png);
    png_read_update_info(reader.png, reader.info);
  });
  return passes;
}

// Interlaced pictures come in passes over the whole area and are kept as stored until the last one.
void read_rows(PngReader& reader, int passes, const swav_decode_options& options, Image& image) {
  const int channels = png_get_channels(reader.png, reader.info), bits = reader.bits();
  const size_t row_bytes = png_get_rowbytes(reader.png, reader.info);
  const int height = image.height();
  thread_local Buffer memory;
  const Trim trim(memory);
  uint8_t* const rows = memory.reserve(passes > 1 ? row_bytes * size_t(height) : row_bytes);
  for (int pass = 0; pass < passes; ++pass) {
    const bool last = pass == passes - 1;
    for (int y = 0; y < height; ++y) {
      uint8_t* const row = passes > 1 ? rows + size_t(y) * row_bytes : rows;
      reader.attempt([&] { png_read_row(reader.png, row, nullptr); });
      if (last) convert_row(row, image.width(), channels, bits, options, image, y);
    }
  }
}

}  // namespace

Header probe_png(const uint8_t* bytes, size_t size) {
  PngReader reader(bytes, size);
  reader.read_header();
  return header_of(reader, png_facts(bytes, size));
}

Header decode_png(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  PngReader reader(bytes, size);
  reader.read_header();
  const PngFacts facts = png_facts(bytes, size);
  const Header header = header_of(reader, facts);
  check_limits(header.info.width, header.info.height, options);
  const uint64_t claimed = uint64_t(png_get_rowbytes(reader.png, reader.info)) * uint64_t(header.info.height);
  if (claimed / max_inflation > size) {
    fail(SWAV_ERROR_FORMAT, "PNG: %zu bytes cannot hold the %d x %d pixels that the header claims", size, header.info.width,
         header.info.height);
  }
  const Target target = target_of(header.info.channels, header.info.bits, options);
  const int passes = set_transforms(reader, reader.has_alpha() && blends(options));
  image.allocate(header.info.width, header.info.height, target.channels, target.bits, SWAV_FORMAT_PNG);
  read_rows(reader, passes, options, image);
  if (facts.cut) fail(SWAV_ERROR_FORMAT, "PNG: the data ends early, behind the pixels");
  return header;
}

}  // namespace swav::image
