#include "image/jpeg_reader.h"

#include <jerror.h>

#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <string_view>

#include "base/status.h"
#include "image/exif.h"

namespace swav::image {
namespace {

// A progressive file has about ten scans; each one walks over all blocks, however few bytes it has, so their number is bounded:
// by 100, and for large pictures by the pixels that all scans walk over, but not below 16.
constexpr int64_t max_scans = 100, min_scans = 16, max_scanned_pixels = int64_t{1} << 31;

swav_status status_of(int code) {
  switch (code) {
    case JERR_OUT_OF_MEMORY: return SWAV_ERROR_MEMORY;
    case JERR_NO_BACKING_STORE:
    case JERR_IMAGE_TOO_BIG: return SWAV_ERROR_LIMIT;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_CONVERSION_NOTIMPL: return SWAV_ERROR_UNSUPPORTED;
    default: return SWAV_ERROR_FORMAT;
  }
}

bool begins(jpeg_saved_marker_ptr marker, std::string_view magic) {
  return marker->data_length >= magic.size() && std::memcmp(marker->data, magic.data(), magic.size()) == 0;
}

int orientation_of(const jpeg_decompress_struct& info) {
  constexpr std::string_view exif = {"Exif\0", 5}, xmp = {"http://ns.adobe.com/xap/1.0/\0", 29};
  Orientation orientation;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker; marker = marker->next) {
    if (!orientation.exif && begins(marker, exif)) orientation.exif = exif_orientation(marker->data, marker->data_length);
    if (!orientation.xmp && begins(marker, xmp)) orientation.xmp = xmp_orientation(marker->data, marker->data_length);
  }
  return orientation.value();
}

// Between the pixels' data the end marker cannot stand, so the last one ends the picture; what follows it is of no matter.
bool find_end(const JOCTET* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  return text.rfind("\xFF\xD9") != text.npos;
}

}  // namespace

template <class F>
void JpegReader::attempt(F&& call) {
  if (setjmp(jump_)) raise();
  call();  // only trivially destructible locals may live in it: longjmp skips them
}

void JpegReader::raise() { fail(status_, "JPEG: %s", message_); }

void JpegReader::on_error(j_common_ptr info) {
  JpegReader& reader = self(info->client_data);
  if (reader.message_[0] == 0) {
    info->err->format_message(info, reader.message_);
    reader.status_ = status_of(info->err->msg_code);
  }
  std::longjmp(reader.jump_, 1);
}

void JpegReader::stop(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message_, sizeof message_, format, arguments);
  va_end(arguments);
  std::longjmp(jump_, 1);
}

// Warnings are about damage that libjpeg decodes around, and are counted by nobody. But where the data have ended, each says
// that something is missing or that something else, such as zeros of a download that was broken off, stands in its place.
void JpegReader::on_message(j_common_ptr info, int level) {
  JpegReader& reader = self(info->client_data);
  if (level < 0 && reader.ended_) reader.stop("the data ends early, in the last row of blocks");
}

// At the end of the data, where no end marker came: is everything there that the header promised? libjpeg marks a component
// as seen by keeping its quantisation table, and counts for each coefficient of a progressive file the bits that are missing.
void JpegReader::check_complete() {
  if (!header_read_) stop("the data ends within the header");
  if (info_.input_iMCU_row + 1 < info_.total_iMCU_rows)
    stop("the data ends early, at block row %u of %u", info_.input_iMCU_row + 1, info_.total_iMCU_rows);
  // Arithmetic decoding goes on with zeros and does not warn.
  if (info_.arith_code) stop("the data ends early, without an end marker");
  for (int c = 0; c < info_.num_components; ++c) {
    if (!info_.comp_info[c].quant_table) stop("the data ends early, before component %d of %d", c + 1, info_.num_components);
    if (!info_.coef_bits) continue;
    const int* missing = info_.coef_bits[c];
    if (std::any_of(missing, missing + DCTSIZE2, [](int bits) { return bits != 0; }))
      stop("the data ends early, after scan %d of a progressive file that needs more", info_.input_scan_number);
  }
}

boolean JpegReader::on_end_of_data(j_decompress_ptr info) {
  JpegReader& reader = self(info->client_data);
  reader.check_complete();
  reader.ended_ = true;
  static const JOCTET end[2] = {0xFF, JPEG_EOI};
  info->src->next_input_byte = end;
  info->src->bytes_in_buffer = 2;
  return TRUE;
}

void JpegReader::on_skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  const size_t step = std::min(size_t(count), info->src->bytes_in_buffer);
  info->src->next_input_byte += step;
  info->src->bytes_in_buffer -= step;
}

void JpegReader::on_progress(j_common_ptr common) {
  const auto info = reinterpret_cast<j_decompress_ptr>(common);
  const int64_t pixels = int64_t(info->image_width) * info->image_height;
  const int64_t most = std::clamp(max_scanned_pixels / std::max<int64_t>(pixels, 1), min_scans, max_scans);
  if (info->input_scan_number <= most) return;
  JpegReader& reader = self(info->client_data);
  reader.status_ = SWAV_ERROR_LIMIT;
  reader.stop("%d scans over %u x %u pixels are more than a picture needs", info->input_scan_number, info->image_width,
              info->image_height);
}

JpegReader::JpegReader(const uint8_t* bytes, size_t size) {
  info_.err = jpeg_std_error(&errors_);
  errors_.error_exit = on_error;
  errors_.emit_message = on_message;
  info_.client_data = this;
  attempt([&] {
    jpeg_create_decompress(&info_);
    source_.init_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = on_end_of_data;
    source_.skip_input_data = on_skip;
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.term_source = [](j_decompress_ptr) {};
    source_.next_input_byte = bytes;
    source_.bytes_in_buffer = size;
    info_.src = &source_;
    progress_.progress_monitor = on_progress;
    info_.progress = &progress_;
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
  });
  header_read_ = true;
  orientation_ = orientation_of(info_);
  has_end_ = find_end(source_.next_input_byte, source_.bytes_in_buffer);
}

void JpegReader::start(int channels, int denominator) {
  switch (info_.num_components) {
    case 1: info_.out_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE; break;
    case 3: info_.out_color_space = JCS_RGB; break;
    case 4: info_.out_color_space = JCS_CMYK; break;
    default: fail(SWAV_ERROR_UNSUPPORTED, "JPEG: %d components; 1, 3 and 4 are supported", info_.num_components);
  }
  info_.scale_num = 1;
  info_.scale_denom = unsigned(denominator);
  // Two bytes a coefficient, at most four components; 64 MiB for tables and rows.
  info_.mem->max_memory_to_use = long(64 << 20) + 16L * width() * height();
  attempt([&] { jpeg_start_decompress(&info_); });
}

void JpegReader::limit(int& left, int& width, int top) {
  // The columns at a cut miss the neighbours that smooth upsampling mixes in, at most one sample of colour: 4 pixels.
  constexpr int margin = 4;
  const int first = std::max(0, left - margin), end = std::min(output_width(), left + width + margin);
  JDIMENSION offset = JDIMENSION(first), columns = JDIMENSION(end - first);
  attempt([&] {
    jpeg_crop_scanline(&info_, &offset, &columns);
    if (top > 0) jpeg_skip_scanlines(&info_, JDIMENSION(top));
  });
  left = int(offset);
  width = int(columns);
}

void JpegReader::read_row(uint8_t* row) {
  attempt([&] {
    JSAMPROW rows[1] = {row};
    jpeg_read_scanlines(&info_, rows, 1);
  });
}

void JpegReader::finish() {
  if (has_end_) return;
  attempt([&] { jpeg_finish_decompress(&info_); });
}

}  // namespace swav::image
