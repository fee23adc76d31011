// Opening a TIFF in memory, and what its first page says of itself.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "base/status.h"
#include "image/tiff_reader.h"

namespace swav::image {

// libtiff's view of a block of memory. It is handed over as a mapped file, so that strips are decoded where they lie.
struct TiffCallbacks {
  static TiffFile& self(void* handle) { return *static_cast<TiffFile*>(handle); }
  static tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
    TiffFile& file = self(handle);
    const uint64_t left = file.size_ - std::min(file.position_, file.size_);
    const auto got = size_t(std::min<uint64_t>(left, uint64_t(std::max<tmsize_t>(count, 0))));
    std::memcpy(to, file.bytes_ + std::min(file.position_, file.size_), got);
    file.position_ += got;
    return tmsize_t(got);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int from) {
    TiffFile& file = self(handle);
    file.position_ = from == SEEK_CUR ? file.position_ + offset : from == SEEK_END ? file.size_ + offset : offset;
    return file.position_;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return self(handle).size_; }
  static int map(thandle_t handle, void** base, toff_t* size) {
    *base = const_cast<uint8_t*>(self(handle).bytes_);
    *size = self(handle).size_;
    return 1;
  }
  static void unmap(thandle_t, void*, toff_t) {}

  // The first error says what is wrong, later ones what followed from it.
  static void keep(TiffFile& file, const char* format, va_list arguments) {
    if (!file.message_.empty()) return;
    char text[200];
    std::vsnprintf(text, sizeof text, format, arguments);
    file.message_ = text;
  }
  // libtiff warns where the data of a block end early, or make a smaller one, and leaves the rest of its memory as it was.
  static void keep_damage(TiffFile& file, const char* format, va_list arguments) {
    char text[200];
    std::vsnprintf(text, sizeof text, format, arguments);
    for (const char* damage : {"Premature end", "premature end", "Premature EOF", "Improper JPEG"}) {
      if (!std::strstr(text, damage)) continue;
      file.damaged_ = true;
      if (file.message_.empty()) file.message_ = text;
    }
  }
#if TIFFLIB_VERSION >= 20221213
  static TIFF* open(TiffFile& file) {
    const auto on_error = [](TIFF*, void* data, const char*, const char* format, va_list arguments) {
      keep(self(data), format, arguments);
      return 1;
    };
    const auto on_warning = [](TIFF*, void* data, const char*, const char* format, va_list arguments) {
      keep_damage(self(data), format, arguments);
      return 1;
    };
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
    if (!options) throw std::bad_alloc();
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &file);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &file);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), tmsize_t{1} << 30);
    return TIFFClientOpenExt("", "rm", &file, read, write, seek, close, size, map, unmap, options.get());
  }
#else
  // Before 4.5 handlers are the process's. Ours pass on what does not come from a thread that has a file of ours open; which
  // one it is about, the last that libtiff was called for.
  static inline thread_local TiffFile* reading = nullptr;
  static inline TIFFErrorHandler other_errors = nullptr, other_warnings = nullptr;

  static TIFF* open(TiffFile& file) {
    static const bool installed = [] {
      other_errors = TIFFSetErrorHandler([](const char* module, const char* format, va_list arguments) {
        if (reading) return keep(*reading, format, arguments);
        if (other_errors) other_errors(module, format, arguments);
      });
      other_warnings = TIFFSetWarningHandler([](const char* module, const char* format, va_list arguments) {
        if (reading) return keep_damage(*reading, format, arguments);
        if (other_warnings) other_warnings(module, format, arguments);
      });
      return true;
    }();
    (void)installed;
    reading = &file;
    return TIFFClientOpen("", "rm", &file, read, write, seek, close, size, map, unmap);
  }
#endif
};

namespace {

// Numbers of a TIFF in its byte order; the caller checks bounds.
struct Numbers {
  const uint8_t* bytes;
  bool little;

  uint64_t at(uint64_t offset, int size) const {
    uint64_t value = 0;
    for (int i = 0; i < size; ++i) value = value << 8 | bytes[offset + uint64_t(little ? size - 1 - i : i)];
    return value;
  }
};

// Bytes of a value by its type, 0 for types that TIFF does not have.
uint64_t size_of_type(uint64_t type) {
  constexpr uint8_t sizes[19] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < 19 ? sizes[type] : 0;
}

bool matters(uint64_t tag) {
  constexpr uint16_t tags[] = {TIFFTAG_BITSPERSAMPLE, TIFFTAG_STRIPOFFSETS,       TIFFTAG_STRIPBYTECOUNTS,
                               TIFFTAG_COLORMAP,      TIFFTAG_TILEOFFSETS,        TIFFTAG_TILEBYTECOUNTS,
                               TIFFTAG_EXTRASAMPLES,  TIFFTAG_JPEGTABLES,         TIFFTAG_YCBCRCOEFFICIENTS,
                               TIFFTAG_XMLPACKET,     TIFFTAG_REFERENCEBLACKWHITE};
  return std::find(std::begin(tags), std::end(tags), tag) != std::end(tags);
}

// libtiff goes on without a tag whose data lie beyond the end of the file, and guesses: a palette that is cut off becomes gray.
void check_directory(const uint8_t* bytes, uint64_t size) {
  if (size < 16) fail(SWAV_ERROR_FORMAT, "TIFF: the data ends within the header");
  const Numbers numbers = {bytes, bytes[0] == 'I'};
  const bool big = numbers.at(2, 2) == 43;
  const int word = big ? 8 : 4, count_size = big ? 8 : 2;
  const uint64_t entry_size = big ? 20 : 12, directory = numbers.at(big ? 8 : 4, word);
  if (directory > size || size - directory < uint64_t(count_size)) return;  // libtiff says it
  const uint64_t count = numbers.at(directory, count_size), room = (size - directory - uint64_t(count_size)) / entry_size;
  for (uint64_t i = 0; i < std::min(count, room); ++i) {
    const uint64_t entry = directory + uint64_t(count_size) + i * entry_size, tag = numbers.at(entry, 2);
    const uint64_t one = size_of_type(numbers.at(entry + 2, 2)), values = numbers.at(entry + 4, word);
    if (!matters(tag) || one == 0 || values <= uint64_t(word) / one) continue;
    const uint64_t where = numbers.at(entry + 4 + uint64_t(word), word);
    if (where > size || values > (size - where) / one)
      fail(SWAV_ERROR_FORMAT, "TIFF: the data ends early, within the values of tag %d", int(tag));
  }
}

}  // namespace

TiffFile::TiffFile(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {
  check_directory(bytes, size);
  tiff_ = TiffCallbacks::open(*this);
  if (tiff_) return;
  close();
  raise();
}

TiffFile::~TiffFile() { close(); }

void TiffFile::close() {
  if (tiff_) TIFFClose(tiff_);
#if TIFFLIB_VERSION < 20221213
  if (TiffCallbacks::reading == this) TiffCallbacks::reading = nullptr;
#endif
}

TIFF* TiffFile::get() const {
#if TIFFLIB_VERSION < 20221213
  TiffCallbacks::reading = const_cast<TiffFile*>(this);
#endif
  return tiff_;
}

void TiffFile::check_block(uint32_t number) const {
  if (TIFFGetStrileOffset(tiff_, number) == 0)
    fail(SWAV_ERROR_FORMAT, "TIFF: %s %u is missing", TIFFIsTiled(tiff_) ? "tile" : "strip", number);
}

void TiffFile::raise() const {
  fail(SWAV_ERROR_FORMAT, "TIFF: %s", message_.empty() ? "the data is damaged or ends early" : message_.c_str());
}

}  // namespace swav::image
