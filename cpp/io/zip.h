// The directory of a zip archive: where each entry's bytes lie in the file.
//
// Read here and not through a library because torch stores its entries without compression: what is needed is the place of an
// entry, to read it later in pieces and straight to where it belongs, and that is 150 lines without a decompressor.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "io/file.h"

namespace swav {

struct ZipEntry {
  int64_t offset = 0;  // of the first byte in the file
  int64_t size = 0;
  bool is_compressed = false;  // its bytes are not what was packed
};

// Entries by name, from the central directory; with 64-bit sizes. Every entry is checked to lie before the directory. Throws
// SWAV_ERROR_FORMAT for a damaged archive, SWAV_ERROR_UNSUPPORTED for encrypted entries and archives of several parts.
std::map<std::string, ZipEntry> read_zip_directory(const InputFile& file);

}  // namespace swav
