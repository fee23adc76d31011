#include "image/png_chunks.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace swav::image {
namespace {

// Orientation stands at the beginning of EXIF data; an XMP packet has some kilobytes.
constexpr size_t max_text = 1 << 20;

uint32_t u32(const uint8_t* p) { return uint32_t(p[0]) << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

struct Chunk {
  std::string_view type;
  const uint8_t* data;
  size_t size;

  bool is_sound() const {
    const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(type.data()), uInt(4 + size));
    return crc == u32(data + size);
  }
};

using Text = std::vector<uint8_t>;

// At most max_text bytes of a zlib stream; what comes before damage is kept.
Text inflated(const uint8_t* data, size_t size) {
  Text text(max_text);
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return {};
  stream.next_in = const_cast<Bytef*>(data);
  stream.avail_in = uInt(size);
  stream.next_out = text.data();
  stream.avail_out = uInt(text.size());
  inflate(&stream, Z_FINISH);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

// Reads fields of a text chunk one after the other.
struct Fields {
  const uint8_t* at;
  const uint8_t* end;

  // Up to a zero byte, which is taken away; all where there is none.
  std::string_view word() {
    const uint8_t* zero = std::find(at, end, uint8_t(0));
    const std::string_view text(reinterpret_cast<const char*>(at), size_t(zero - at));
    at = zero == end ? end : zero + 1;
    return text;
  }
  int byte() { return at == end ? 0 : *at++; }
  Text rest(bool compressed) const {
    const size_t size = size_t(end - at);
    if (compressed) return inflated(at, size);
    return Text(at, at + std::min(size, max_text));
  }
};

// The text of a tEXt, zTXt or iTXt chunk whose keyword has been read.
Text text_of(const Chunk& chunk, Fields fields) {
  if (chunk.type == "tEXt") return fields.rest(false);
  if (chunk.type == "zTXt") {
    fields.byte();  // the method, of which there is one
    return fields.rest(true);
  }
  const bool compressed = fields.byte() == 1;
  fields.byte();
  fields.word();  // language
  fields.word();  // translated keyword
  return fields.rest(compressed);
}

// "\nexif\n     116\n45786966...\n": a name, a length, and hexadecimal digits in lines.
Text raw_profile(const Text& text) {
  auto at = text.begin();
  for (int line = 0; line < 3 && at != text.end(); ++line) {
    at = std::find(at, text.end(), uint8_t('\n'));
    if (at != text.end()) ++at;
  }
  Text bytes;
  int digits = 0, value = 0;
  for (; at != text.end(); ++at) {
    const int c = *at | 0x20;
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue;
    value = value << 4 | digit;
    if (++digits % 2 == 0) bytes.push_back(uint8_t(value));
  }
  return bytes;
}

// The first sound text of each kind is read and no other, so that a file of nothing but texts costs little.
struct Texts {
  int profile = 0, xmp = 0;
  bool profile_read = false, xmp_read = false;

  void read(const Chunk& chunk) {
    Fields fields{chunk.data, chunk.data + chunk.size};
    const std::string_view keyword = fields.word();
    const bool is_xmp = keyword == "XML:com.adobe.xmp";
    const bool is_profile = keyword == "Raw profile type exif" || keyword == "Raw profile type APP1";
    if ((is_xmp && !xmp_read) || (is_profile && !profile_read)) {
      if (!chunk.is_sound()) return;
      const Text text = text_of(chunk, fields);
      if (is_xmp) {
        xmp = xmp_orientation(text.data(), text.size());
        xmp_read = true;
      } else {
        const Text bytes = raw_profile(text);
        profile = exif_orientation(bytes.data(), bytes.size());
        profile_read = true;
      }
    }
  }
};

}  // namespace

PngFacts png_facts(const uint8_t* bytes, size_t size) {
  PngFacts facts;
  Texts texts;
  bool has_exif = false;
  constexpr size_t signature = 8, frame = 12;  // of a chunk: length, type and checksum
  for (size_t at = signature; at + 8 <= size;) {
    const Chunk chunk = {{reinterpret_cast<const char*>(bytes + at + 4), 4}, bytes + at + 8, u32(bytes + at)};
    if (chunk.type == "IEND") break;
    facts.cut = chunk.size + frame > size - at;
    if (facts.cut) break;
    if (chunk.type == "eXIf" && !has_exif && chunk.is_sound()) {
      has_exif = true;
      facts.orientation.exif = exif_orientation(chunk.data, chunk.size);
    } else if (chunk.type == "tEXt" || chunk.type == "zTXt" || chunk.type == "iTXt") {
      texts.read(chunk);
    } else if (chunk.type == "acTL" && chunk.size >= 4) {
      facts.animated = u32(chunk.data) > 1;
    }
    at += frame + chunk.size;
  }
  if (!has_exif) facts.orientation.exif = texts.profile;
  facts.orientation.xmp = texts.xmp;
  return facts;
}

}  // namespace swav::image
