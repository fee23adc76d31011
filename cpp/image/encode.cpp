#include "image/encode.h"

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstdio>  // jpeglib.h needs it
#include <new>

#include <jpeglib.h>

#include <jerror.h>
#include <png.h>

#include "base/status.h"

namespace swav::image {
namespace {

// The encoder's state with the memory that it writes to, which libjpeg would lose where it cannot grow; errors come back by
// longjmp, so that no exception crosses C frames.
struct JpegWriter {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";
  jpeg_destination_mgr destination{};
  std::vector<uint8_t> bytes;

  JpegWriter() {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) {
      auto* writer = static_cast<JpegWriter*>(common->client_data);
      common->err->format_message(common, writer->message);
      std::longjmp(writer->jump, 1);
    };
    errors.emit_message = [](j_common_ptr, int) {};
    destination.init_destination = [](j_compress_ptr own) { of(own).grow(); };
    destination.empty_output_buffer = [](j_compress_ptr own) {
      of(own).grow();
      return boolean(TRUE);
    };
    destination.term_destination = [](j_compress_ptr own) {
      JpegWriter& writer = of(own);
      writer.bytes.resize(writer.bytes.size() - writer.destination.free_in_buffer);
    };
  }
  ~JpegWriter() { jpeg_destroy_compress(&info); }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  void write(const uint8_t* samples, int width, int height, int channels, int quality) {
    if (setjmp(jump)) {
      const bool memory = errors.msg_code == JERR_OUT_OF_MEMORY;
      fail(memory ? SWAV_ERROR_MEMORY : SWAV_ERROR_INTERNAL, "JPEG encoder: %s", message);
    }
    jpeg_create_compress(&info);
    info.dest = &destination;
    info.image_width = JDIMENSION(width);
    info.image_height = JDIMENSION(height);
    info.input_components = channels;
    info.in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      JSAMPROW row = const_cast<uint8_t*>(samples) + size_t(info.next_scanline) * size_t(width) * size_t(channels);
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  }

 private:
  static JpegWriter& of(j_compress_ptr own) { return *static_cast<JpegWriter*>(own->client_data); }

  // All that was written, and as much room again.
  void grow() {
    constexpr size_t least = 1 << 16;
    const size_t filled = bytes.size();
    bool grown = true;
    try {
      bytes.resize(std::max(least, 2 * filled));
    } catch (const std::bad_alloc&) {
      grown = false;
    }
    if (!grown) {
      errors.msg_code = JERR_OUT_OF_MEMORY;
      errors.msg_parm.i[0] = 0;
      errors.error_exit(reinterpret_cast<j_common_ptr>(&info));
    }
    destination.next_output_byte = bytes.data() + filled;
    destination.free_in_buffer = bytes.size() - filled;
  }
};

}  // namespace

std::vector<uint8_t> encode_jpeg(const uint8_t* samples, int width, int height, int channels, int quality) {
  JpegWriter writer;
  writer.write(samples, width, height, channels, quality);
  return std::move(writer.bytes);
}

std::vector<uint8_t> encode_png(const uint8_t* samples, int width, int height, int channels) {
  // libpng's simplified interface counts in 32 bits, the bytes before each row and what compression may add included.
  const int64_t samples_count = int64_t(width) * height * channels;
  if (samples_count > int64_t{UINT32_MAX} / 16 * 15) {
    fail(SWAV_ERROR_LIMIT, "PNG encoder: an image of %d x %d pixels is too large", width, height);
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = png_uint_32(width);
  image.height = png_uint_32(height);
  image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  // libpng's upper bound for the encoded size, so that one call does.
  std::vector<uint8_t> bytes(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = bytes.size();
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, samples, 0, nullptr)) {
    fail(SWAV_ERROR_INTERNAL, "PNG encoder: %s", image.message);
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace swav::image
