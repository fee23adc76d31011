#include "io/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/status.h"

namespace swav {
namespace {
constexpr int64_t piece = int64_t{1} << 30;  // the most that one call of read or write moves
}

InputFile::InputFile(const std::string& path) : path_(path) {
  // A pipe that nobody writes to would be waited for.
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail(SWAV_ERROR_IO, "cannot open %s: %s", path.c_str(), std::strerror(errno));
  struct stat status;
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    fail(SWAV_ERROR_IO, "cannot read %s: not a regular file", path.c_str());
  }
  size_ = int64_t(status.st_size);
}

InputFile::~InputFile() { close(descriptor_); }

void InputFile::read(int64_t offset, void* bytes, int64_t count) const {
  char* to = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = pread(descriptor_, to, size_t(std::min(count, piece)), off_t(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(SWAV_ERROR_IO, "cannot read %s: %s", path_.c_str(), std::strerror(errno));
    if (got == 0)
      fail(SWAV_ERROR_FORMAT, "%s ends too early: %lld bytes are missing", path_.c_str(), static_cast<long long>(count));
    to += got;
    offset += got;
    count -= got;
  }
}

namespace {

// Whether the file is nobody else's, another process' or thread's, who writes to the same path. File systems without locks say
// yes.
bool take(int descriptor, const std::string& path) {
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  // Its writer may have given it its name meanwhile.
  struct stat own, there;
  return fstat(descriptor, &own) == 0 && S_ISREG(own.st_mode) && lstat(path.c_str(), &there) == 0 &&
         own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path), aside_(path + ".partial") {
  // What others put there in a folder that several may write to, a link or a pipe, is not written to.
  descriptor_ = open(aside_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  const bool is_strange = descriptor_ < 0 && (errno == ELOOP || errno == ENXIO || errno == EISDIR);
  if (is_strange || (descriptor_ >= 0 && !take(descriptor_, aside_))) {
    if (descriptor_ >= 0) close(descriptor_);
    static std::atomic<unsigned> number{0};
    aside_ = path + "." + std::to_string(getpid()) + "-" + std::to_string(number++) + ".partial";
    descriptor_ = open(aside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  }
  if (descriptor_ < 0) fail(SWAV_ERROR_IO, "cannot write %s: %s", aside_.c_str(), std::strerror(errno));
  if (ftruncate(descriptor_, 0) != 0) {
    const int reason = errno;
    close(descriptor_);
    fail(SWAV_ERROR_IO, "cannot write %s: %s", aside_.c_str(), std::strerror(reason));
  }
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(aside_.c_str());
}

void OutputFile::fail_with_reason(const char* action) {
  fail(SWAV_ERROR_IO, "cannot %s %s: %s", action, path_.c_str(), std::strerror(errno));
}

void OutputFile::write(const void* bytes, int64_t count) {
  const char* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t put = ::write(descriptor_, from, size_t(std::min(count, piece)));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_with_reason("write");
    from += put;
    count -= put;
  }
}

void OutputFile::commit() {
  if (fsync(descriptor_) != 0) fail_with_reason("flush");
  // Renamed while it is held: who opens the name of the file aside then makes another.
  const bool renamed = std::rename(aside_.c_str(), path_.c_str()) == 0;
  const int failed = errno, descriptor = descriptor_;
  descriptor_ = -1;
  if (close(descriptor) != 0 || !renamed) {
    if (!renamed) errno = failed;
    const int reason = errno;
    unlink(aside_.c_str());
    errno = reason;
    fail_with_reason("rename");
  }
  // The rename itself has to reach the disk. A file system that cannot flush a folder has done what it can.
  const size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, std::max<size_t>(slash, 1));
  const int folder_descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_descriptor >= 0) {
    fsync(folder_descriptor);
    close(folder_descriptor);
  }
}

}  // namespace swav
