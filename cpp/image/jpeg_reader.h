// libjpeg-turbo behind a C++ face: errors become swav::Error, input is a block of memory, limits are enforced while reading.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>  // jpeglib.h needs it

#include <jpeglib.h>

#include "swav.h"

namespace swav::image {

class JpegReader {
 public:
  // Reads the header.
  JpegReader(const uint8_t* bytes, size_t size);
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  int width() const { return int(info_.image_width); }
  int height() const { return int(info_.image_height); }
  int components() const { return info_.num_components; }
  int orientation() const { return orientation_; }
  // Whether inks are stored inverted, as Adobe's programs do and say by their marker.
  bool has_adobe_marker() const { return info_.saw_Adobe_marker; }
  // Whether an end marker follows the header. Without one the whole picture has to be read to know that nothing is missing.
  bool has_end() const { return has_end_; }

  // Starts decoding to gray (1), RGB (3) or CMYK (4) samples, whichever the file and `channels` ask for: 4-component files
  // give 4. The picture comes at 1 / denominator (1, 2, 4 or 8) of its size, rounded up: each sample then is the mean of a
  // square. Call once.
  void start(int channels, int denominator = 1);
  int output_channels() const { return int(info_.output_components); }
  int output_width() const { return int(info_.output_width); }

  // Between start and the first row: only columns left .. left + width - 1, and rows from `top` on. libjpeg begins at a block
  // boundary; left and width become what it delivers. Samples are those of the whole picture.
  void limit(int& left, int& width, int top);

  // The next row.
  void read_row(uint8_t* row);

  // After the last row of the whole picture: throws where a file without an end marker lacks more than that.
  void finish();

 private:
  // libjpeg calls back into C functions that end in longjmp, so that no exception crosses its frames.
  template <class F>
  void attempt(F&& call);
  [[noreturn]] void raise();
  [[noreturn]] static void on_error(j_common_ptr info);
  [[noreturn]] __attribute__((format(printf, 2, 3))) void stop(const char* format, ...);
  void check_complete();
  static void on_message(j_common_ptr info, int level);
  static boolean on_end_of_data(j_decompress_ptr info);
  static void on_skip(j_decompress_ptr info, long count);
  static void on_progress(j_common_ptr info);
  static JpegReader& self(void* client_data) { return *static_cast<JpegReader*>(client_data); }

  // Freed also when the constructor throws.
  struct Decompress : jpeg_decompress_struct {
    Decompress() : jpeg_decompress_struct{} {}
    ~Decompress() { jpeg_destroy_decompress(this); }
  };

  Decompress info_;
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
  char message_[JMSG_LENGTH_MAX + 64] = "";
  swav_status status_ = SWAV_ERROR_FORMAT;
  bool header_read_ = false, has_end_ = false, ended_ = false;
  int orientation_ = 1;
};

}  // namespace swav::image
