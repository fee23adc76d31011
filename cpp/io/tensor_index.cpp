// X.safetensors.index.json: {"weight_map": {tensor: name of the file beside it that holds the tensor}}.
#include <nlohmann/json.hpp>
#include <set>

#include "base/status.h"
#include "io/shallow_json.h"
#include "io/tensor_file.h"

namespace swav {
namespace {

using nlohmann::json;

constexpr int64_t index_limit = int64_t{16} << 20;
constexpr size_t part_limit = 128;

json parse(const InputFile& file) {
  if (file.size() > index_limit) {
    fail(SWAV_ERROR_LIMIT, "%s is no index of weights: it has more than %lld bytes", file.path().c_str(),
         static_cast<long long>(index_limit));
  }
  std::string text(size_t(file.size()), '\0');
  file.read(0, text.data(), file.size());
  json index = parse_shallow(text);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    fail(SWAV_ERROR_FORMAT, "%s is no index of weights: it is not JSON with a weight_map", file.path().c_str());
  }
  return index;
}

}  // namespace

TensorContents read_index(std::unique_ptr<InputFile> file) {
  const std::string& path = file->path();
  const json index = parse(*file);
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::map<std::string, std::set<std::string>> wanted;  // by file
  for (const auto& [tensor, part] : index["weight_map"].items()) {
    const std::string name = part.is_string() ? part.get<std::string>() : "";
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos) {
      fail(SWAV_ERROR_FORMAT, "%s: tensor %s is said to be in '%s'; the name of a file in the same folder is needed",
           path.c_str(), tensor.c_str(), name.c_str());
    }
    wanted[name].insert(tensor);
  }
  if (wanted.size() > part_limit) fail(SWAV_ERROR_LIMIT, "%s names more than %zu files", path.c_str(), part_limit);
  TensorContents contents;
  contents.format = "index of several files";
  for (auto& [name, tensors] : wanted) {
    TensorContents part = read_tensors(folder + name, true);
    for (StoredTensor& tensor : part.tensors) {
      if (tensors.erase(tensor.name) == 0) continue;
      tensor.file = int32_t(contents.files.size());
      contents.tensors.push_back(std::move(tensor));
    }
    if (!tensors.empty()) {
      fail(SWAV_ERROR_FORMAT, "%s: tensor %s is not in %s", path.c_str(), tensors.begin()->c_str(), name.c_str());
    }
    contents.metadata.insert(part.metadata.begin(), part.metadata.end());
    contents.files.push_back(std::move(part.files.front()));
  }
  return contents;
}

}  // namespace swav
