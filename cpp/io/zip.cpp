#include "io/zip.h"

#include <algorithm>
#include <vector>

#include "base/status.h"

namespace swav {
namespace {

// The records of the format, each with its signature and its length without what varies.
constexpr uint32_t entry_signature = 0x04034b50, directory_signature = 0x02014b50, end_signature = 0x06054b50,
                   end64_signature = 0x06064b50, locator_signature = 0x07064b50;
constexpr int64_t entry_length = 30, directory_length = 46, end_length = 22, end64_length = 56, locator_length = 20;
constexpr int64_t comment_limit = 65535;
constexpr int64_t directory_limit = int64_t{64} << 20;

// Little-endian numbers of a piece of the file. What lies behind its end is damage.
class Record {
 public:
  Record(const InputFile& file, int64_t offset, int64_t length) : path_(file.path()), bytes_(size_t(length)) {
    file.read(offset, bytes_.data(), length);
  }
  int64_t size() const { return int64_t(bytes_.size()); }
  uint64_t number(int64_t at, int64_t length) const {
    require(at, length);
    uint64_t value = 0;
    for (int64_t i = length; i-- > 0;) value = value << 8 | bytes_[size_t(at + i)];
    return value;
  }
  uint16_t u16(int64_t at) const { return uint16_t(number(at, 2)); }
  uint32_t u32(int64_t at) const { return uint32_t(number(at, 4)); }
  uint64_t u64(int64_t at) const { return number(at, 8); }
  std::string text(int64_t at, int64_t length) const {
    require(at, length);
    return {reinterpret_cast<const char*>(bytes_.data()) + at, size_t(length)};
  }

 private:
  void require(int64_t at, int64_t length) const {
    if (at < 0 || length < 0 || at > size() - length) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: the directory of its zip archive ends too early", path_.c_str());
    }
  }
  const std::string& path_;
  std::vector<uint8_t> bytes_;
};

struct Directory {
  uint64_t entries = 0, offset = 0, size = 0;
};

[[noreturn]] void damaged(const InputFile& file, const char* what) {
  fail(SWAV_ERROR_FORMAT, "%s is damaged: %s", file.path().c_str(), what);
}

// The directory as the record at the file's end gives it, or the 64-bit one before that.
Directory find_directory(const InputFile& file) {
  const int64_t length = std::min(file.size(), end_length + comment_limit);
  const Record tail(file, file.size() - length, length);
  int64_t at = length - end_length;
  while (at >= 0 && !(tail.u32(at) == end_signature && at + end_length + tail.u16(at + 20) == length)) --at;
  if (at < 0) damaged(file, "it begins as a zip archive, but has no directory at its end; it was cut short");
  const int64_t end = file.size() - length + at;
  Directory found{tail.u16(at + 10), tail.u32(at + 16), tail.u32(at + 12)};
  if (tail.u16(at + 4) != 0 || tail.u16(at + 6) != 0)
    fail(SWAV_ERROR_UNSUPPORTED, "%s is a part of a zip archive of several", file.path().c_str());
  uint64_t limit = uint64_t(end);
  if (end >= locator_length) {
    const Record locator(file, end - locator_length, locator_length);
    if (locator.u32(0) == locator_signature) {
      const uint64_t offset = locator.u64(8);
      if (end < end64_length + locator_length || offset > uint64_t(end - end64_length - locator_length))
        damaged(file, "the directory of its zip archive lies outside the file");
      const Record end64(file, int64_t(offset), end64_length);
      if (end64.u32(0) != end64_signature) damaged(file, "the directory of its zip archive is not where its end says");
      found = {end64.u64(32), end64.u64(48), end64.u64(40)};
      limit = offset;
    }
  }
  if (found.size > limit || found.offset > limit - found.size)
    damaged(file, "the directory of its zip archive lies outside the file");
  if (found.size > uint64_t(directory_limit) || found.entries > found.size / uint64_t(directory_length))
    damaged(file, "the directory of its zip archive has an impossible size");
  return found;
}

// The size and the place of an entry that are 64 bits wide: in the extra field of type 1, in this order, each where the 32-bit
// one is all ones.
void widen(const InputFile& file, const Record& directory, int64_t at, int64_t end, uint64_t* const (&numbers)[3]) {
  while (at + 4 <= end) {
    const uint16_t type = directory.u16(at), length = directory.u16(at + 2);
    if (type == 1) {
      int64_t from = at + 4;
      for (uint64_t* number : numbers) {
        if (*number != 0xffffffff) continue;
        if (from + 8 > at + 4 + length) damaged(file, "an entry of its zip archive lacks its 64-bit size");
        *number = directory.u64(from);
        from += 8;
      }
      return;
    }
    at += 4 + length;
  }
}

// Where an entry's data begins: behind its own header, whose length the directory does not tell.
int64_t data_of(const InputFile& file, uint64_t header, uint64_t size, uint64_t limit) {
  if (header > limit || limit - header < uint64_t(entry_length))
    damaged(file, "an entry of its zip archive lies outside the file");
  const Record record(file, int64_t(header), entry_length);
  if (record.u32(0) != entry_signature) damaged(file, "an entry of its zip archive is not where the directory says");
  const uint64_t data = header + uint64_t(entry_length) + record.u16(26) + record.u16(28);
  if (data > limit || size > limit - data) damaged(file, "an entry of its zip archive is longer than the file");
  return int64_t(data);
}

}  // namespace

std::map<std::string, ZipEntry> read_zip_directory(const InputFile& file) {
  const Directory where = find_directory(file);
  const Record directory(file, int64_t(where.offset), int64_t(where.size));
  std::map<std::string, ZipEntry> entries;
  int64_t at = 0;
  for (uint64_t i = 0; i < where.entries; ++i) {
    if (directory.u32(at) != directory_signature) damaged(file, "the directory of its zip archive is not one");
    const uint16_t flags = directory.u16(at + 8), method = directory.u16(at + 10);
    const int64_t name_length = directory.u16(at + 28), extra_length = directory.u16(at + 30);
    const std::string name = directory.text(at + directory_length, name_length);
    uint64_t stored = directory.u32(at + 20), size = directory.u32(at + 24), header = directory.u32(at + 42);
    const int64_t extra = at + directory_length + name_length;
    widen(file, directory, extra, extra + extra_length, {&size, &stored, &header});
    if ((flags & 1) != 0) fail(SWAV_ERROR_UNSUPPORTED, "%s: entry %s is encrypted", file.path().c_str(), name.c_str());
    const ZipEntry entry{data_of(file, header, stored, where.offset), int64_t(stored), method != 0 || stored != size};
    if (!entries.emplace(name, entry).second) damaged(file, "its zip archive has two entries of one name");
    at = extra + extra_length + directory.u16(at + 32);
  }
  return entries;
}

}  // namespace swav
