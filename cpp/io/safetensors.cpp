#include "io/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "io/tensor_file.h"

namespace swav {
namespace {

using nlohmann::json;

constexpr int64_t header_limit = int64_t{100} << 20;  // the format's own limit

// Reads the header as its JSON is parsed, so that a deeply nested or long one costs no memory of its own.
class HeaderReader : public nlohmann::json_sax<json> {
 public:
  HeaderReader(const std::string& path, int64_t data_begin, int64_t file_size)
      : path_(path), data_begin_(data_begin), file_size_(file_size) {}

  TensorContents contents;

  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool binary(binary_t&) override { return false; }
  bool number_integer(number_integer_t value) override { return number(value); }
  bool number_unsigned(number_unsigned_t value) override { return number(value <= uint64_t(INT64_MAX) ? int64_t(value) : -1); }
  bool string(string_t& value) override {
    if (in_metadata_) {
      contents.metadata[field_] = value;
    } else if (depth_ == 2 && field_ == "dtype") {
      tensor_.type_name = value;
    } else if (depth_ != 2 || field_ == "shape" || field_ == "data_offsets") {
      return damaged();
    }
    return true;
  }
  bool start_object(size_t) override {
    if (depth_ == 2) return damaged();
    ++depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 2) {
      field_ = name;
      return true;
    }
    in_metadata_ = name == "__metadata__";
    tensor_ = {};
    tensor_.name = name;
    field_.clear();
    offsets_.clear();
    has_shape_ = false;
    return true;
  }
  bool end_object() override {
    if (depth_-- == 2 && !in_metadata_) finish();
    return true;
  }
  bool start_array(size_t) override {
    if (depth_ == 0) return false;
    if (depth_ != 2 || in_metadata_ || list_ != nullptr) return damaged();
    if (field_ == "shape") list_ = &tensor_.shape, has_shape_ = true;
    if (field_ == "data_offsets") list_ = &offsets_;
    return list_ != nullptr || damaged();
  }
  bool end_array() override {
    list_ = nullptr;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool number(int64_t value) {
    if (list_ == nullptr) return scalar();
    if (list_->size() == 32) return damaged();
    list_->push_back(value);
    return true;
  }
  // A value that says nothing here: allowed beside the fields that are known, and in metadata, whose values ought to be texts.
  bool scalar() {
    const bool known = field_ == "dtype" || field_ == "shape" || field_ == "data_offsets";
    return (depth_ == 2 && (in_metadata_ || !known)) || damaged();
  }
  bool damaged() { return depth_ > 0 && (broken(tensor_.name, "its header entry is damaged"), false); }
  [[noreturn]] void broken(const std::string& name, const char* what) const {
    fail(SWAV_ERROR_FORMAT, "%s: tensor %s: %s", path_.c_str(), name.c_str(), what);
  }

  void finish() {
    StoredTensor& t = tensor_;
    if (t.type_name.empty() || !has_shape_ || offsets_.size() != 2) damaged();
    t.type = type_of(t.type_name);
    if (!is_possible(t.shape)) broken(t.name, "its shape is impossible");
    const int64_t begin = offsets_[0], end = offsets_[1];
    if (begin < 0 || end < begin) broken(t.name, "its data offsets are impossible");
    if (end > file_size_ - data_begin_) broken(t.name, "the file ends before its data; it was cut short");
    if (t.type != DataType::other && end - begin != t.count() * size_of(t.type))
      broken(t.name, "its shape and its length differ");
    t.strides = dense_strides(t.shape);
    t.offset = data_begin_ + begin;
    extents_.push_back({begin, end, contents.tensors.size()});
    contents.tensors.push_back(std::move(t));
  }

  struct Extent {
    int64_t begin, end;
    size_t index;
  };

 public:
  // The tensors have to cover the data: what is there twice or not at all is damage, or was added by somebody.
  void check_coverage() {
    std::sort(extents_.begin(), extents_.end(),
              [](const Extent& a, const Extent& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
    int64_t covered = 0;
    for (const Extent& extent : extents_) {
      const std::string& name = contents.tensors[extent.index].name;
      if (extent.begin < covered) broken(name, "its data is that of another tensor as well");
      if (extent.begin > covered) broken(name, "there is a gap before its data");
      covered = extent.end;
    }
    if (const int64_t left = file_size_ - data_begin_ - covered; left > 0) {
      fail(SWAV_ERROR_FORMAT, "%s is longer than its header says: %lld bytes follow the last tensor", path_.c_str(),
           static_cast<long long>(left));
    }
  }

 private:
  const std::string& path_;
  int64_t data_begin_, file_size_;
  int depth_ = 0;
  bool in_metadata_ = false, has_shape_ = false;
  std::string field_;
  StoredTensor tensor_;
  std::vector<int64_t> offsets_;
  std::vector<int64_t>* list_ = nullptr;
  std::vector<Extent> extents_;
};

}  // namespace

TensorContents read_safetensors(std::unique_ptr<InputFile> file) {
  const std::string& path = file->path();
  uint8_t length_bytes[8];
  if (file->size() < 8)
    fail(SWAV_ERROR_FORMAT, "%s is not a safetensors file: it has only %lld bytes", path.c_str(),
         static_cast<long long>(file->size()));
  file->read(0, length_bytes, 8);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | length_bytes[i];
  if (length > uint64_t(header_limit))
    fail(SWAV_ERROR_FORMAT,
         "%s is neither a safetensors file, as its header would be %llu bytes, nor a zip archive or a pickle of PyTorch's",
         path.c_str(), static_cast<unsigned long long>(length));
  if (int64_t(length) > file->size() - 8) fail(SWAV_ERROR_FORMAT, "%s is cut short: its header is not complete", path.c_str());
  std::string text(size_t(length), '\0');
  file->read(8, text.data(), int64_t(length));
  HeaderReader reader(path, 8 + int64_t(length), file->size());
  if (!json::sax_parse(text, &reader) || text.empty())
    fail(SWAV_ERROR_FORMAT, "%s is not a safetensors file: its header is not JSON", path.c_str());
  reader.check_coverage();
  reader.contents.format = "safetensors";
  reader.contents.files.push_back(std::move(file));
  return std::move(reader.contents);
}

void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const TensorSource& tensor : tensors) {
    const int64_t bytes = bytes_of(tensor);
    header[tensor.name] = {
        {"dtype", name_of(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint8_t length[8];
  for (int i = 0; i < 8; ++i) length[i] = uint8_t(uint64_t(text.size()) >> (8 * i));
  OutputFile file(path);
  file.write(length, 8);
  file.write(text.data(), int64_t(text.size()));
  for (const TensorSource& tensor : tensors) file.write(tensor.data, bytes_of(tensor));
  file.commit();
}

}  // namespace swav
