// Files: read whole or in part with the length checked; written so that a crash or a full disk leaves the old file as it was.
#pragma once

#include <cstdint>
#include <string>

namespace swav {

class InputFile {
 public:
  // Throws SWAV_ERROR_IO naming the path and the operating system's reason.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }
  // Throws SWAV_ERROR_FORMAT when the file ends before offset + count.
  void read(int64_t offset, void* bytes, int64_t count) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

// Writes to PATH.partial, flushes it to the disk and renames it to PATH in commit(); without commit the file aside is removed.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* bytes, int64_t count);
  void commit();

 private:
  [[noreturn]] void fail_with_reason(const char* action);

  std::string path_, aside_;
  int descriptor_ = -1;
};

}  // namespace swav
