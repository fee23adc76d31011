#include "io/tensor_file.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace swav {
namespace {

constexpr int64_t piece = int64_t{1} << 20;        // bytes converted at a time
constexpr int64_t span_limit = int64_t{16} << 20;  // bytes read at once to pick numbers that lie apart
constexpr int64_t repeats = 16;                    // times that tensors may use a file's bytes, on average

// Reads one tensor: runs without gaps as they are, and what lies apart out of spans that are read in the order of the file.
template <class Out>
class Gatherer {
 public:
  Gatherer(const std::string& path, const InputFile& file, const StoredTensor& tensor, Out* to)
      : path_(path), file_(file), tensor_(tensor), unit_(size_of(tensor.type)), places_(dense_strides(tensor.shape)), to_(to) {}

  void run() {
    if (tensor_.count() == 0) return;
    if (dense()) return copy(tensor_.offset, tensor_.count(), to_);
    for (size_t d = 0; d < tensor_.shape.size(); ++d) order_.push_back(d);
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return tensor_.strides[a] > tensor_.strides[b]; });
    gather(0, tensor_.offset, to_);
  }

 private:
  // Bytes from the first number to the last of the axes of order_ from `level` on.
  int64_t span(size_t level) const {
    int64_t last = 0;
    for (; level < order_.size(); ++level) last += (tensor_.shape[order_[level]] - 1) * tensor_.strides[order_[level]];
    return (last + 1) * unit_;
  }

  // Along the axis whose numbers lie farthest apart in the file, as much at a time as may be read at once.
  void gather(size_t level, int64_t offset, Out* to) {
    const size_t axis = order_[level];
    const int64_t inner = span(level + 1), step = tensor_.strides[axis] * unit_, length = tensor_.shape[axis];
    if (inner > span_limit) {
      for (int64_t i = 0; i < length; ++i) gather(level + 1, offset + i * step, to + i * places_[axis]);
      return;
    }
    std::vector<size_t> axes(order_.begin() + int64_t(level), order_.end());
    std::sort(axes.begin(), axes.end());
    const int64_t most = step == 0 ? length : std::min(length, (span_limit - inner) / step + 1);
    for (int64_t i = 0; i < length; i += most) {
      const int64_t some = std::min(most, length - i), bytes = (some - 1) * step + inner;
      read_ += bytes;
      if (read_ > std::max(span_limit, repeats * file_.size())) {
        fail(SWAV_ERROR_LIMIT, "%s: tensor %s lies so that the file would be read more than %lld times", path_.c_str(),
             tensor_.name.c_str(), static_cast<long long>(repeats));
      }
      buffer_.resize(size_t(bytes));
      file_.read(offset + i * step, buffer_.data(), bytes);
      pick(axes, 0, axis, some, buffer_.data(), to + i * places_[axis]);
    }
  }

  bool dense() const {
    int64_t next = 1;
    for (size_t d = tensor_.shape.size(); d-- > 0;) {
      if (tensor_.shape[d] > 1 && tensor_.strides[d] != next) return false;
      next *= tensor_.shape[d];
    }
    return true;
  }

  void copy(int64_t offset, int64_t count, Out* to) {
    if (std::is_same_v<Out, float> && tensor_.type == DataType::f32) return file_.read(offset, to, count * unit_);
    buffer_.resize(size_t(std::min(piece, count * unit_)));
    for (int64_t at = 0; at < count;) {
      const int64_t some = std::min(count - at, piece / unit_);
      file_.read(offset + at * unit_, buffer_.data(), some * unit_);
      convert(tensor_.type, buffer_.data(), unit_, some, to + at);
      at += some;
    }
  }

  // The numbers of `axes`, in the tensor's order; of `cut` the first `some`.
  void pick(const std::vector<size_t>& axes, size_t at, size_t cut, int64_t some, const uint8_t* from, Out* to) const {
    const size_t axis = axes[at];
    const int64_t length = axis == cut ? some : tensor_.shape[axis], step = tensor_.strides[axis] * unit_;
    if (at + 1 == axes.size() && places_[axis] == 1) return convert(tensor_.type, from, step, length, to);
    for (int64_t i = 0; i < length; ++i) {
      if (at + 1 == axes.size()) convert(tensor_.type, from + i * step, unit_, 1, to + i * places_[axis]);
      else pick(axes, at + 1, cut, some, from + i * step, to + i * places_[axis]);
    }
  }

  const std::string& path_;
  const InputFile& file_;
  const StoredTensor& tensor_;
  int64_t unit_;
  std::vector<int64_t> places_;  // strides of the numbers that are read
  Out* to_;
  std::vector<size_t> order_;  // axes, the largest stride in the file first
  int64_t read_ = 0;
  std::vector<uint8_t> buffer_;
};

template <class Out>
void read_as(const std::string& path, const TensorContents& contents, const StoredTensor& tensor, Out* values) {
  if (tensor.type == DataType::other) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s: tensor %s has the type %s; floating point of 16, 32 or 64 bits and integers are read",
         path.c_str(), tensor.name.c_str(), tensor.type_name.c_str());
  }
  Gatherer<Out>(path, *contents.files[size_t(tensor.file)], tensor, values).run();
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

int64_t span_of(const StoredTensor& tensor) {
  if (tensor.count() == 0) return 0;
  int64_t last = 0;
  for (size_t d = 0; d < tensor.shape.size(); ++d) last += (tensor.shape[d] - 1) * tensor.strides[d];
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
