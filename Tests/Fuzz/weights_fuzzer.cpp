// libFuzzer target over everything that reads files of tensors: safetensors, an index, PyTorch's zip archive and stream, and
// the pickles in them. Whatever the bytes, the outcome is tensors, all of whose values can be read, or an Error that blames the
// file; sanitizers watch the rest, and libFuzzer the time and the memory.
//   make fuzz
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/tensor_file.h"
#include "network/key_map.h"

using namespace swav;

namespace {

// A promise is broken: libFuzzer saves the input.
void require(bool condition) {
  if (!condition) std::abort();
}

// A file that lives in memory, opened by its name.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("fuzz", 0)), path_("/proc/self/fd/" + std::to_string(descriptor_)) {
    require(descriptor_ >= 0);
  }
  void write(const std::string& bytes) {
    require(ftruncate(descriptor_, 0) == 0);
    require(pwrite(descriptor_, bytes.data(), bytes.size(), 0) == ssize_t(bytes.size()));
  }
  const std::string& path() const { return path_; }

 private:
  int descriptor_;
  std::string path_;
};

void append(std::string& bytes, uint64_t number, int length) {
  for (int i = 0; i < length; ++i) bytes += char(uint8_t(number >> (8 * i)));
}

// A zip archive of stored entries: what mutations would hardly ever leave whole.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string bytes, directory;
  for (const auto& [name, content] : entries) {
    const size_t offset = bytes.size();
    append(bytes, 0x04034b50, 4);
    bytes.append(14, '\0');
    append(bytes, content.size(), 4);
    append(bytes, content.size(), 4);
    append(bytes, name.size(), 2);
    append(bytes, 0, 2);
    bytes += name + content;
    append(directory, 0x02014b50, 4);
    directory.append(16, '\0');
    append(directory, content.size(), 4);
    append(directory, content.size(), 4);
    append(directory, name.size(), 2);
    directory.append(12, '\0');
    append(directory, offset, 4);
    directory += name;
  }
  const size_t begin = bytes.size();
  bytes += directory;
  append(bytes, 0x06054b50, 4);
  bytes.append(4, '\0');
  append(bytes, entries.size(), 2);
  append(bytes, entries.size(), 2);
  append(bytes, directory.size(), 4);
  append(bytes, begin, 4);
  append(bytes, 0, 2);
  return bytes;
}

// The input as a file: as it is, as the pickle of an archive that has some storages, or as the header of safetensors.
std::string file_of(const uint8_t* data, size_t size) {
  const uint8_t kind = size ? data[0] : 0;
  const std::string rest(reinterpret_cast<const char*>(data) + (size ? 1 : 0), size ? size - 1 : 0);
  if (kind == 'p') {
    return zip_of({{"a/data.pkl", rest}, {"a/data/0", std::string(64, '\x01')}, {"a/data/1", std::string(400, '\x3c')}});
  }
  if (kind == 's') {
    std::string bytes;
    append(bytes, rest.size(), 8);
    return bytes + rest + std::string(64, '\x3c');
  }
  return {reinterpret_cast<const char*>(data), size};
}

template <class F>
void survives(F&& body) {
  try {
    body();
  } catch (const Error& error) {
    require(error.status() != SWAV_ERROR_INTERNAL && error.status() != SWAV_ERROR_MEMORY);
    require(error.what()[0] != 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static MemoryFile memory;
  memory.write(file_of(data, size));
  survives([&] {
    const TensorFile file(memory.path());
    double sum = 0;
    for (const StoredTensor& tensor : file.tensors()) {
      std::vector<double> values(static_cast<size_t>(tensor.count()));
      survives([&] { file.read(tensor, values.data()); });
      for (double value : values) sum += value;
    }
    static volatile double sink;
    sink = sum;
    survives([&] { KeyMap(file, ""); });
    survives([&] { KeyMap(file, "encoder"); });
  });
  return 0;
}
