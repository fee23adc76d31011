#include "io/tensor_file.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace swav {
namespace {

constexpr int64_t piece = int64_t{1} << 20;        // bytes converted at a time
constexpr int64_t span_limit = int64_t{16} << 20;  // bytes read at once to pick numbers that lie apart
constexpr int64_t repeats = 16;                    // times that tensors may use a file's bytes, on average

// Reads one tensor: runs without gaps as they are, and what lies apart out of the span that holds it.
template <class Out>
class Gatherer {
 public:
  Gatherer(const InputFile& file, const StoredTensor& tensor, Out* to)
      : file_(file), tensor_(tensor), unit_(size_of(tensor.type)), to_(to) {}

  void run() {
    if (tensor_.count() > 0) gather(0, tensor_.offset);
  }

 private:
  // Numbers of the dimensions from `axis` on.
  int64_t count(size_t axis) const {
    int64_t product = 1;
    for (size_t d = axis; d < tensor_.shape.size(); ++d) product *= tensor_.shape[d];
    return product;
  }

  void gather(size_t axis, int64_t offset) {
    if (dense(axis)) return copy(offset, count(axis));
    const int64_t span = span_of(tensor_, axis) * unit_;
    if (span <= span_limit) {
      buffer_.resize(size_t(span));
      file_.read(offset, buffer_.data(), span);
      return pick(axis, buffer_.data());
    }
    for (int64_t i = 0; i < tensor_.shape[axis]; ++i) gather(axis + 1, offset + i * tensor_.strides[axis] * unit_);
  }

  bool dense(size_t axis) const {
    int64_t next = 1;
    for (size_t d = tensor_.shape.size(); d-- > axis;) {
      if (tensor_.shape[d] > 1 && tensor_.strides[d] != next) return false;
      next *= tensor_.shape[d];
    }
    return true;
  }

  void copy(int64_t offset, int64_t count) {
    if (std::is_same_v<Out, float> && tensor_.type == DataType::f32) {
      file_.read(offset, to_, count * unit_);
      to_ += count;
      return;
    }
    buffer_.resize(size_t(std::min(piece, count * unit_)));
    for (int64_t at = 0; at < count;) {
      const int64_t some = std::min(count - at, piece / unit_);
      file_.read(offset + at * unit_, buffer_.data(), some * unit_);
      convert(tensor_.type, buffer_.data(), unit_, some, to_);
      to_ += some;
      at += some;
    }
  }

  void pick(size_t axis, const uint8_t* from) {
    if (axis == tensor_.shape.size()) {
      convert(tensor_.type, from, unit_, 1, to_++);
    } else if (axis + 1 == tensor_.shape.size()) {
      convert(tensor_.type, from, tensor_.strides[axis] * unit_, tensor_.shape[axis], to_);
      to_ += tensor_.shape[axis];
    } else {
      for (int64_t i = 0; i < tensor_.shape[axis]; ++i) pick(axis + 1, from + i * tensor_.strides[axis] * unit_);
    }
  }

  const InputFile& file_;
  const StoredTensor& tensor_;
  int64_t unit_;
  Out* to_;
  std::vector<uint8_t> buffer_;
};

template <class Out>
void read_as(const std::string& path, const TensorContents& contents, const StoredTensor& tensor, Out* values) {
  if (tensor.type == DataType::other) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s: tensor %s has the type %s; floating point of 16, 32 or 64 bits and integers are read",
         path.c_str(), tensor.name.c_str(), tensor.type_name.c_str());
  }
  Gatherer<Out>(*contents.files[size_t(tensor.file)], tensor, values).run();
}

bool begins_with(const std::string& bytes, const char* start) { return bytes.rfind(start, 0) == 0; }

// What people hand over instead of weights, by its first bytes.
const char* what_it_is(const std::string& head) {
  if (head.empty()) return "it is empty";
  if (begins_with(head, "version https://git-lfs"))
    return "it is a pointer of Git LFS; fetch the file itself with git lfs pull";
  if (begins_with(head, "\x1f\x8b")) return "it is compressed with gzip; unpack it first";
  if (begins_with(head, "\x89HDF")) return "it is an HDF5 file";
  if (begins_with(head, "\x93NUMPY")) return "it is a NumPy array";
  if (begins_with(head, "<")) return "it looks like a web page; the download went wrong";
  if (head.size() > 262 && head.compare(257, 5, "ustar") == 0)
    return "it is a tar archive, as PyTorch before 0.1.10 wrote; load and save it with a later one";
  return nullptr;
}

}  // namespace

int64_t StoredTensor::count() const {
  int64_t product = 1;
  for (int64_t n : shape) product *= n;
  return product;
}

bool is_possible(const std::vector<int64_t>& shape) {
  int64_t product = 1;
  for (int64_t n : shape) {
    if (n < 0 || n > (int64_t{1} << 50) / product) return false;
    product *= std::max<int64_t>(n, 1);
  }
  return true;
}

int64_t span_of(const StoredTensor& tensor, size_t first_axis) {
  if (tensor.count() == 0) return 0;
  int64_t last = 0;
  for (size_t d = first_axis; d < tensor.shape.size(); ++d) last += (tensor.shape[d] - 1) * tensor.strides[d];
  return last + 1;
}

std::vector<int64_t> dense_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

TensorContents read_tensors(const std::string& path, bool from_index) {
  auto file = std::make_unique<InputFile>(path);
  std::string head(size_t(std::min<int64_t>(file->size(), 512)), '\0');
  file->read(0, head.data(), int64_t(head.size()));
  // A length of less than 4 GB, then JSON. Looked at first: a length may begin as the others do.
  if (head.size() > 8 && head.compare(4, 5, std::string("\0\0\0\0{", 5)) == 0) return read_safetensors(std::move(file));
  if (begins_with(head, "PK\x03\x04")) return read_torch_zip(std::move(file));
  if (head.size() > 1 && head[0] == '\x80' && uint8_t(head[1]) <= 5) return read_torch_stream(std::move(file));
  if (const char* what = what_it_is(head)) fail(SWAV_ERROR_FORMAT, "%s holds no weights: %s", path.c_str(), what);
  const size_t first = head.find_first_not_of(" \t\r\n");
  if (!from_index && first != std::string::npos && head[first] == '{') return read_index(std::move(file));
  return read_safetensors(std::move(file));
}

TensorFile::TensorFile(const std::string& path) : path_(path), contents_(read_tensors(path)) {
  auto& tensors = contents_.tensors;
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != tensors.end()) fail(SWAV_ERROR_FORMAT, "%s holds tensor %s twice", path.c_str(), twice->name.c_str());
  // Tensors may share numbers, or repeat them; a small file that claims the work of a huge one is refused.
  int64_t bytes = 0, room = int64_t{1} << 20;
  for (const auto& file : contents_.files) room += repeats * file->size();
  for (const StoredTensor& tensor : tensors) {
    bytes = std::min(bytes, room) + tensor.count() * std::max<int64_t>(size_of(tensor.type), 1);
    if (bytes > room) {
      fail(SWAV_ERROR_LIMIT, "%s claims tensors of more than %lld times its length", path.c_str(),
           static_cast<long long>(repeats));
    }
  }
}

const StoredTensor* TensorFile::find(const std::string& name) const {
  const auto& tensors = contents_.tensors;
  const auto found =
      std::lower_bound(tensors.begin(), tensors.end(), name,
                       [](const StoredTensor& tensor, const std::string& wanted) { return tensor.name < wanted; });
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

void TensorFile::read(const StoredTensor& tensor, float* values) const { read_as(path_, contents_, tensor, values); }
void TensorFile::read(const StoredTensor& tensor, double* values) const { read_as(path_, contents_, tensor, values); }
void TensorFile::read(const StoredTensor& tensor, int64_t* values) const {
  read_as(path_, contents_, tensor, values);
  if (std::find(values, values + tensor.count(), not_an_integer) != values + tensor.count()) {
    fail(SWAV_ERROR_FORMAT, "%s: tensor %s counts, but holds a number that is no integer", path_.c_str(), tensor.name.c_str());
  }
}

}  // namespace swav
