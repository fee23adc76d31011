// PyTorch's file before 1.6: pickles of a magic number, a version, the writer's machine, the object and the storages' keys one
// after the other, then each storage as its length and its numbers.
#include <map>
#include <string_view>

#include "base/status.h"
#include "io/torch_values.h"

namespace swav {
namespace {

constexpr std::string_view magic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr int64_t version = 1001;

void check_machine(const std::string& path, const PickleTree& tree) {
  const PickleValue& root = tree.root();
  for (size_t i = 0; root.kind == PickleKind::dictionary && i + 1 < root.items.size(); i += 2) {
    const PickleValue &key = tree.item(root, i), &value = tree.item(root, i + 1);
    if (key.text == "little_endian" && value.kind == PickleKind::boolean && value.integer == 0) {
      fail(SWAV_ERROR_UNSUPPORTED, "%s was not written by a little-endian machine", path.c_str());
    }
  }
}

// Where the numbers of each storage begin. Types are known from the pickle; the list does not say them again.
std::map<std::string, int64_t> find_storages(ByteStream& stream, const std::map<std::string, TorchStorage>& known) {
  const std::string& path = stream.path();
  const PickleTree keys = read_torch_pickle(stream);
  if (keys.root().kind != PickleKind::sequence)
    fail(SWAV_ERROR_FORMAT, "%s is damaged: it has no list of storages", path.c_str());
  std::map<std::string, int64_t> begins;
  for (size_t i = 0; i < keys.root().items.size(); ++i) {
    const std::string& key = keys.item(keys.root(), i).text;
    const auto found = known.find(key);
    if (found == known.end() || size_of(found->second.type) == 0) {
      fail(SWAV_ERROR_UNSUPPORTED, "%s holds numbers of a type that is not read here, or numbers that nothing uses",
           path.c_str());
    }
    const uint64_t count = stream.number(8);
    if (count != uint64_t(found->second.count) || count > uint64_t(stream.left() / size_of(found->second.type))) {
      fail(SWAV_ERROR_FORMAT,
           "%s is damaged: it ends before the end of a storage, or holds one of another length than its pickle says",
           path.c_str());
    }
    begins[key] = stream.position();
    stream.skip(found->second.bytes());
  }
  if (stream.left() > 0) {
    fail(SWAV_ERROR_FORMAT, "%s is longer than its contents: %lld bytes follow the last storage", path.c_str(),
         static_cast<long long>(stream.left()));
  }
  return begins;
}

}  // namespace

TensorContents read_torch_stream(std::unique_ptr<InputFile> file) {
  const std::string& path = file->path();
  ByteStream stream(*file, 0, file->size());
  if (read_torch_pickle(stream).root().text != magic) {
    fail(SWAV_ERROR_FORMAT, "%s is a pickle, but none that PyTorch wrote", path.c_str());
  }
  if (read_torch_pickle(stream).root().integer != version) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s has another version of PyTorch's older layout than %lld", path.c_str(),
         static_cast<long long>(version));
  }
  check_machine(path, read_torch_pickle(stream));
  const PickleTree tree = read_torch_pickle(stream);
  std::vector<TorchTensor> tensors = torch_tensors(path, tree);

  const auto storages = torch_storages(path, tree);
  const auto begins = find_storages(stream, storages);
  TensorContents contents;
  contents.format = "PyTorch's stream";
  for (TorchTensor& found : tensors) {
    const auto begin = begins.find(found.storage.key);
    if (begin == begins.end()) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: the storage of tensor %s is missing", path.c_str(), found.tensor.name.c_str());
    }
    found.tensor.offset = begin->second + found.tensor.offset * size_of(found.storage.type);
    contents.tensors.push_back(std::move(found.tensor));
  }
  contents.files.push_back(std::move(file));
  return contents;
}

}  // namespace swav
