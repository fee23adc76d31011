// libheif, as far as it is called, loaded at run time where it is installed: it brings decoders of video with it, which not
// every user of this library wants on the machine. So its header is not needed to build, and what is declared here is the part
// of its C interface that has not changed since version 1.3: functions, an error of three fields and some numbers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace swav::image {

struct HeifError {
  int code, detail;
  const char* text;
};

// Opaque to us.
struct HeifContext;
struct HeifHandle;
struct HeifImage;

struct HeifLibrary {
  enum Code : int { unsupported_file = 3, unsupported_feature = 4, no_memory = 6 };
  enum Detail : int { beyond_limit = 1000, unsupported_codec = 3000 };
  enum Space : int { rgb = 1 };
  enum Chroma : int { rgb_interleaved = 10, rgba_interleaved = 11 };
  enum Channel : int { interleaved = 10 };

  HeifContext* (*heif_context_alloc)();
  void (*heif_context_free)(HeifContext*);
  HeifError (*heif_context_read_from_memory_without_copy)(HeifContext*, const void* bytes, size_t size, const void* options);
  HeifError (*heif_context_get_primary_image_handle)(HeifContext*, HeifHandle**);
  int (*heif_context_get_number_of_top_level_images)(HeifContext*);
  int (*heif_image_handle_get_width)(const HeifHandle*);
  int (*heif_image_handle_get_height)(const HeifHandle*);
  int (*heif_image_handle_has_alpha_channel)(const HeifHandle*);
  void (*heif_image_handle_release)(const HeifHandle*);
  HeifError (*heif_decode_image)(const HeifHandle*, HeifImage**, Space, Chroma, const void* options);
  int (*heif_image_get_width)(const HeifImage*, Channel);
  int (*heif_image_get_height)(const HeifImage*, Channel);
  const uint8_t* (*heif_image_get_plane_readonly)(const HeifImage*, Channel, int* stride);
  void (*heif_image_release)(const HeifImage*);

  // Whether it is installed; it is looked for once.
  static bool is_there();
  // Throws SWAV_ERROR_UNSUPPORTED, naming Debian's package, where it is not. `format` is "HEIC" or "AVIF".
  static const HeifLibrary& get(const char* format);
};

}  // namespace swav::image
