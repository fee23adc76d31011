#include "image/encode.h"

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <cstdlib>
#include <new>

#include <jpeglib.h>
#include <png.h>

#include "base/status.h"

namespace swav::image {
namespace {

// The encoder's state with the memory that libjpeg writes to; errors come back by longjmp, so that no exception crosses C
// frames.
struct JpegWriter {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  JpegWriter() {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) {
      auto* writer = static_cast<JpegWriter*>(common->client_data);
      common->err->format_message(common, writer->message);
      std::longjmp(writer->jump, 1);
    };
    errors.emit_message = [](j_common_ptr, int) {};
  }
  ~JpegWriter() {
    jpeg_destroy_compress(&info);
    std::free(bytes);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  void write(const uint8_t* samples, int width, int height, int channels, int quality) {
    if (setjmp(jump)) fail(SWAV_ERROR_INTERNAL, "JPEG encoder: %s", message);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, &size);
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
};

}  // namespace

std::vector<uint8_t> encode_jpeg(const uint8_t* samples, int width, int height, int channels, int quality) {
  JpegWriter writer;
  writer.write(samples, width, height, channels, quality);
  return {writer.bytes, writer.bytes + writer.size};
}

std::vector<uint8_t> encode_png(const uint8_t* samples, int width, int height, int channels) {
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
