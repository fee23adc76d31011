// An archive as torch.save writes it: NAME/data.pkl, NAME/byteorder, NAME/version, and NAME/data/0, 1, ... with the numbers of
// each tensor, stored without compression and at multiples of 64 bytes, so that torch can map them.
#include "io/torch_writer.h"

#include <zlib.h>

#include <algorithm>

#include "base/status.h"
#include "io/file.h"

namespace swav {
namespace {

constexpr int64_t archive_limit = int64_t{0xffffffff};
constexpr int64_t alignment = 64;

void append(std::string& bytes, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes += char(uint8_t(value >> (8 * i)));
}

// A pickle of protocol 2, instruction after instruction.
class Pickle {
 public:
  Pickle() { bytes_ = "\x80\x02"; }
  void mark() { bytes_ += '('; }
  void tuple() { bytes_ += 't'; }  // of what was put behind the mark
  void call() { bytes_ += 'R'; }
  void persistent() { bytes_ += 'Q'; }
  void set_items() { bytes_ += 'u'; }
  void boolean(bool value) { bytes_ += value ? '\x88' : '\x89'; }
  void name(const char* module, const char* member) {
    bytes_.append("c").append(module) += '\n', bytes_.append(member) += '\n';
  }
  void text(const std::string& value) {
    bytes_ += 'X';
    append(bytes_, value.size(), 4);
    bytes_ += value;
  }
  void integer(int64_t value) {
    if (value >= 0 && value <= INT32_MAX) {
      bytes_ += 'J';
      append(bytes_, uint64_t(value), 4);
    } else {
      bytes_ += "\x8a\x08";  // LONG1 of 8 bytes
      append(bytes_, uint64_t(value), 8);
    }
  }
  void integers(const std::vector<int64_t>& values) {
    mark();
    for (int64_t value : values) integer(value);
    tuple();
  }
  void empty_dictionary() {
    name("collections", "OrderedDict");
    bytes_ += ")R";
  }
  std::string finish() { return bytes_ + '.'; }

 private:
  std::string bytes_;
};

void put_tensor(Pickle& pickle, const TensorSource& tensor, size_t index) {
  int64_t count = 1;
  std::vector<int64_t> strides(tensor.shape.size());
  for (size_t d = tensor.shape.size(); d-- > 0;) {
    strides[d] = count;
    count *= tensor.shape[d];
  }
  pickle.text(tensor.name);
  pickle.name("torch._utils", "_rebuild_tensor_v2");
  pickle.mark();
  pickle.mark();  // the storage, by what tells it
  pickle.text("storage");
  pickle.name("torch", tensor.type == DataType::i64 ? "LongStorage" : "FloatStorage");
  pickle.text(std::to_string(index));
  pickle.text("cpu");
  pickle.integer(count);
  pickle.tuple();
  pickle.persistent();
  pickle.integer(0);
  pickle.integers(tensor.shape);
  pickle.integers(strides);
  pickle.boolean(false);  // requires no gradient
  pickle.empty_dictionary();
  pickle.tuple();
  pickle.call();
}

std::string pickle_of(const std::vector<TensorSource>& tensors, const std::string& key) {
  Pickle pickle;
  if (!key.empty()) {
    pickle.empty_dictionary();
    pickle.mark();
    pickle.text(key);
  }
  pickle.empty_dictionary();
  pickle.mark();
  for (size_t i = 0; i < tensors.size(); ++i) put_tensor(pickle, tensors[i], i);
  pickle.set_items();
  if (!key.empty()) pickle.set_items();
  return pickle.finish();
}

// A zip archive of stored entries, written forwards.
class ZipWriter {
 public:
  explicit ZipWriter(const std::string& path) : path_(path), file_(path) {}

  void add(const std::string& name, const void* bytes, int64_t size) {
    constexpr int64_t entry_length = 30, extra_length = 4;
    const int64_t unpadded = at_ + entry_length + int64_t(name.size()) + extra_length;
    const int64_t padding = (alignment - unpadded % alignment) % alignment;
    if (size > archive_limit || unpadded + padding + size > archive_limit) fail_too_long();
    const std::string facts = facts_of(name, bytes, size);
    std::string entry = "PK\x03\x04";
    entry += facts;
    append(entry, uint64_t(extra_length + padding), 2);
    entry += name + "FB";  // the name that torch gives to its padding
    append(entry, uint64_t(padding), 2);
    entry.append(size_t(padding), 'Z');
    directory_ += "PK\x01\x02";
    append(directory_, 0, 2);  // made by: no system in particular
    directory_ += facts;
    directory_.append(2 + 2 + 2 + 2 + 4, '\0');  // extra, comment, part, attributes of both kinds
    append(directory_, uint64_t(at_), 4);
    directory_ += name;
    ++entries_;
    write(entry);
    file_.write(bytes, size);
    at_ += size;
  }
  void add(const std::string& name, const std::string& bytes) { add(name, bytes.data(), int64_t(bytes.size())); }

  void commit() {
    const int64_t begin = at_, size = int64_t(directory_.size());
    if (begin + size > archive_limit || entries_ > 0xffff) fail_too_long();
    write(directory_);
    std::string end = "PK\x05\x06";
    append(end, 0, 2 + 2);
    append(end, uint64_t(entries_), 2);
    append(end, uint64_t(entries_), 2);
    append(end, uint64_t(size), 4);
    append(end, uint64_t(begin), 4);
    append(end, 0, 2);
    write(end);
    file_.commit();
  }

 private:
  // What an entry and its place in the directory have in common: version needed, flags, method, time, checksum, lengths.
  static std::string facts_of(const std::string& name, const void* bytes, int64_t size) {
    std::string facts;
    append(facts, 10, 2);
    append(facts, 0, 2 + 2 + 2);
    append(facts, 0x21, 2);  // 1 January 1980: equal contents are equal files
    append(facts, crc32_z(0, static_cast<const Bytef*>(bytes), size_t(size)), 4);
    append(facts, uint64_t(size), 4);
    append(facts, uint64_t(size), 4);
    append(facts, name.size(), 2);
    return facts;
  }

  [[noreturn]] void fail_too_long() const {
    fail(SWAV_ERROR_LIMIT, "%s would be longer than 4 GiB, which PyTorch's archives are not here; use safetensors",
         path_.c_str());
  }
  void write(const std::string& bytes) {
    file_.write(bytes.data(), int64_t(bytes.size()));
    at_ += int64_t(bytes.size());
  }

  std::string path_;
  OutputFile file_;
  int64_t at_ = 0, entries_ = 0;
  std::string directory_;
};

}  // namespace

void write_torch_zip(const std::string& path, const std::vector<TensorSource>& tensors, const std::string& key,
                     const std::string& description) {
  ZipWriter zip(path);
  zip.add("archive/data.pkl", pickle_of(tensors, key));
  zip.add("archive/byteorder", "little");
  for (size_t i = 0; i < tensors.size(); ++i) {
    zip.add("archive/data/" + std::to_string(i), tensors[i].data, bytes_of(tensors[i]));
  }
  zip.add("archive/version", "3\n");
  if (!description.empty()) zip.add(std::string("archive/") + torch_description, description);
  zip.commit();
}

}  // namespace swav
