// JPEGs of kinds that the engine's own encoder does not write, for tests of the decoder.
#pragma once

#include <cstdint>
#include <cstdio>  // jpeglib.h needs it
#include <cstdlib>
#include <string>
#include <vector>

#include <jpeglib.h>

namespace jpeg_samples {

enum class Scans { one, one_a_component, progressive };

struct Kind {
  std::string name;
  int components = 3;                              // 1 gray, 3 YCbCr, 4 CMYK
  std::vector<std::pair<int, int>> sampling = {};  // horizontal, vertical of each component; empty: libjpeg's
  Scans scans = Scans::one;
  int restart_blocks = 0;
  bool arithmetic = false;
  bool adobe_marker = true;  // of CMYK
};

inline std::vector<jpeg_scan_info> a_scan_a_component(int components) {
  std::vector<jpeg_scan_info> scans(size_t(components), jpeg_scan_info{});
  for (int c = 0; c < components; ++c) {
    scans[size_t(c)].comps_in_scan = 1;
    scans[size_t(c)].component_index[0] = c;
    scans[size_t(c)].Se = DCTSIZE2 - 1;
  }
  return scans;
}

// samples [height][width][components]; colours are converted, inks are not. libjpeg ends the process on an error: these are
// sound.
inline std::vector<uint8_t> encode(const Kind& kind, const uint8_t* samples, int width, int height, int quality = 90) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = JDIMENSION(width);
  info.image_height = JDIMENSION(height);
  info.input_components = kind.components;
  info.in_color_space = kind.components == 1 ? JCS_GRAYSCALE : kind.components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  for (size_t c = 0; c < kind.sampling.size(); ++c) {
    info.comp_info[c].h_samp_factor = kind.sampling[c].first;
    info.comp_info[c].v_samp_factor = kind.sampling[c].second;
  }
  info.restart_interval = unsigned(kind.restart_blocks);
  info.arith_code = kind.arithmetic;
  if (!kind.adobe_marker) info.write_Adobe_marker = FALSE;
  std::vector<jpeg_scan_info> scans;
  if (kind.scans == Scans::progressive) {
    jpeg_simple_progression(&info);
  } else if (kind.scans == Scans::one_a_component) {
    scans = a_scan_a_component(kind.components);
    info.scan_info = scans.data();
    info.num_scans = int(scans.size());
  }
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<uint8_t*>(samples) + size_t(info.next_scanline) * size_t(width) * size_t(kind.components);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<uint8_t> bytes(memory, memory + size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return bytes;
}

// Noise over slow waves: every block has coefficients of all frequencies.
inline std::vector<uint8_t> picture(int width, int height, int components) {
  std::vector<uint8_t> samples;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < components; ++c) {
        const int64_t wave = std::abs((x * (3 + c) + y * 2) % 200 - 100) + 40;
        samples.push_back(uint8_t(wave + ((x * 73856093 ^ y * 19349663 ^ c * 83492791) >> 7 & 63)));
      }
    }
  }
  return samples;
}

// Where the data of the first scan begin.
inline size_t first_scan(const std::vector<uint8_t>& jpeg) {
  for (size_t at = 2; at + 4 <= jpeg.size();) {
    const size_t next = at + 2 + size_t(jpeg[at + 2] << 8 | jpeg[at + 3]);
    if (jpeg[at + 1] == 0xDA) return next;
    at = next;
  }
  return jpeg.size();
}

}  // namespace jpeg_samples
