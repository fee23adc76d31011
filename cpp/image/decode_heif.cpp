// HEIC and AVIF through libheif: the primary picture, in 8 bits. The container says how it is turned and mirrored, and libheif
// does that; EXIF data only repeat it and are not looked at, as in Pillow.
#include <algorithm>
#include <cstring>
#include <memory>

#include "base/status.h"
#include "image/decode.h"
#include "image/heif_library.h"
#include "image/sniff.h"

namespace swav::image {
namespace {

const char* name_of(swav_image_format format) { return format == SWAV_FORMAT_AVIF ? "AVIF" : "HEIC"; }

// The primary picture of a file, not decoded yet.
class HeifReader {
 public:
  HeifReader(const uint8_t* bytes, size_t size)
      : format_(sniff(bytes, size)), library_(HeifLibrary::get(name_of(format_))), context_(library_.heif_context_alloc()) {
    if (!context_) throw std::bad_alloc();
    try {
      check(library_.heif_context_read_from_memory_without_copy(context_, bytes, size, nullptr));
      check(library_.heif_context_get_primary_image_handle(context_, &handle_));
    } catch (...) {
      release();
      throw;
    }
  }
  ~HeifReader() { release(); }
  HeifReader(const HeifReader&) = delete;
  HeifReader& operator=(const HeifReader&) = delete;

  Header header() const {
    Header header{};
    header.info.width = library_.heif_image_handle_get_width(handle_);
    header.info.height = library_.heif_image_handle_get_height(handle_);
    header.info.channels = 3;
    header.info.bits = 8;
    header.info.format = format_;
    header.info.has_alpha = library_.heif_image_handle_has_alpha_channel(handle_);
    header.info.has_more = library_.heif_context_get_number_of_top_level_images(context_) > 1;
    header.orientation = 1;
    return header;
  }

  // Calls visit(y, row) for each row of 3 or 4 channels.
  template <class F>
  void decode(bool alpha, const Header& header, F&& visit) const {
    HeifImage* decoded = nullptr;
    const auto chroma = alpha ? HeifLibrary::rgba_interleaved : HeifLibrary::rgb_interleaved;
    check(library_.heif_decode_image(handle_, &decoded, HeifLibrary::rgb, chroma, nullptr));
    const std::unique_ptr<const HeifImage, void (*)(const HeifImage*)> image(decoded, library_.heif_image_release);
    int stride = 0;
    const uint8_t* rows = library_.heif_image_get_plane_readonly(decoded, HeifLibrary::interleaved, &stride);
    const int width = library_.heif_image_get_width(decoded, HeifLibrary::interleaved);
    const int height = library_.heif_image_get_height(decoded, HeifLibrary::interleaved);
    if (!rows || width != header.info.width || height != header.info.height)
      fail(SWAV_ERROR_FORMAT, "%s: the header says %d x %d pixels, the picture has %d x %d", name_of(format_),
           header.info.width, header.info.height, width, height);
    for (int y = 0; y < height; ++y) visit(y, rows + int64_t(y) * stride);
  }

 private:
  void check(const HeifError& error) const {
    if (error.code == 0) return;
    const char* text = error.text ? error.text : "damaged";
    if (error.detail == HeifLibrary::unsupported_codec) {
      fail(SWAV_ERROR_UNSUPPORTED, "%s: libheif has no decoder for it (%s); Debian and Ubuntu have it in the package %s",
           name_of(format_), text, format_ == SWAV_FORMAT_AVIF ? "libheif-plugin-dav1d" : "libheif-plugin-libde265");
    }
    const bool unsupported = error.code == HeifLibrary::unsupported_file || error.code == HeifLibrary::unsupported_feature;
    const bool limit = error.code == HeifLibrary::no_memory || error.detail == HeifLibrary::beyond_limit;
    fail(unsupported ? SWAV_ERROR_UNSUPPORTED : limit ? SWAV_ERROR_LIMIT : SWAV_ERROR_FORMAT, "%s: %s", name_of(format_), text);
  }
  void release() {
    if (handle_) library_.heif_image_handle_release(handle_);
    library_.heif_context_free(context_);
  }

  swav_image_format format_;
  const HeifLibrary& library_;
  HeifContext* context_;
  HeifHandle* handle_ = nullptr;
};

uint64_t big_endian(const uint8_t* p, int size) {
  uint64_t value = 0;
  for (int i = 0; i < size; ++i) value = value << 8 | p[i];
  return value;
}

// A download that was broken off may end in zeros, which decoders take for pixels. The data in a box "mdat" are compressed: so
// many zeros at their end do not come about otherwise.
void check_tail(const uint8_t* bytes, size_t size, swav_image_format format) {
  constexpr size_t suspicious = 4096;
  for (size_t at = 0; at + 16 <= size;) {
    const uint64_t said = big_endian(bytes + at, 4);
    const uint64_t length = said == 0 ? size - at : said == 1 ? big_endian(bytes + at + 8, 8) : said;
    if (length < 8 || length > size - at) return;
    const uint8_t* const end = bytes + at + length;
    const bool zeros = length >= 2 * suspicious && std::memcmp(bytes + at + 4, "mdat", 4) == 0 &&
                       std::all_of(end - suspicious, end, [](uint8_t byte) { return byte == 0; });
    if (zeros) fail(SWAV_ERROR_FORMAT, "%s: the data end in zeros, as of a download that was broken off", name_of(format));
    at += length;
  }
}

}  // namespace

Header probe_heif(const uint8_t* bytes, size_t size) { return HeifReader(bytes, size).header(); }

Header decode_heif(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  const HeifReader reader(bytes, size);
  const Header header = reader.header();
  check_limits(header.info.width, header.info.height, options);
  check_tail(bytes, size, header.info.format);
  const Target target = target_of(3, 8, options);
  image.allocate(header.info.width, header.info.height, target.channels, 8, header.info.format);
  const bool alpha = header.info.has_alpha && blends(options);
  reader.decode(alpha, header,
                [&](int y, const uint8_t* row) { convert_row(row, image.width(), alpha ? 4 : 3, 8, options, image, y); });
  return header;
}

}  // namespace swav::image
