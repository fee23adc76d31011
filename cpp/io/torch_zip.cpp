// PyTorch's file since 1.6: a zip archive with the pickle NAME/data.pkl, and each storage as NAME/data/KEY.
#include "base/status.h"
#include "io/torch_values.h"
#include "io/torch_writer.h"
#include "io/zip.h"

namespace swav {
namespace {

// NAME/ of NAME/data.pkl.
std::string folder_of(const std::string& path, const std::map<std::string, ZipEntry>& entries) {
  const std::string pickle = "/data.pkl";
  std::string folder;
  for (const auto& [name, entry] : entries) {
    const bool ends = name.size() > pickle.size() && name.compare(name.size() - pickle.size(), pickle.size(), pickle) == 0;
    if (!ends || name.find('/') != name.size() - pickle.size()) continue;
    if (!folder.empty()) fail(SWAV_ERROR_FORMAT, "%s holds two of PyTorch's pickles", path.c_str());
    folder = name.substr(0, name.size() - pickle.size() + 1);
  }
  if (folder.empty()) fail(SWAV_ERROR_FORMAT, "%s is a zip archive, but none of PyTorch's: it holds no data.pkl", path.c_str());
  if (entries.count(folder + "constants.pkl") > 0) {
    fail(SWAV_ERROR_UNSUPPORTED,
         "%s is a TorchScript program; save its weights alone, in Python: torch.save(torch.jit.load(FILE).state_dict(), "
         "'weights.pth')",
         path.c_str());
  }
  for (const auto& [name, entry] : entries) {
    if (!entry.is_compressed) continue;
    fail(SWAV_ERROR_UNSUPPORTED, "%s: entry %s is compressed; PyTorch stores without compression: unpack and pack it again so",
         path.c_str(), name.c_str());
  }
  return folder;
}

void check_byte_order(const InputFile& file, const std::map<std::string, ZipEntry>& entries, const std::string& folder) {
  const auto found = entries.find(folder + "byteorder");
  if (found == entries.end()) return;
  char order[6] = {};
  if (found->second.size == 6) file.read(found->second.offset, order, 6);
  if (std::string(order, 6) != "little") {
    fail(SWAV_ERROR_UNSUPPORTED, "%s was not written by a little-endian machine", file.path().c_str());
  }
}

// What this library has written of the network and its input, beside what PyTorch reads.
std::map<std::string, std::string> description_of(const InputFile& file, const std::map<std::string, ZipEntry>& entries,
                                                  const std::string& folder) {
  constexpr int64_t most = 1 << 20;
  const auto found = entries.find(folder + torch_description);
  if (found == entries.end() || found->second.size > most) return {};
  std::string text(size_t(found->second.size), '\0');
  file.read(found->second.offset, text.data(), found->second.size);
  return {{"swav", std::move(text)}};
}

}  // namespace

TensorContents read_torch_zip(std::unique_ptr<InputFile> file) {
  const std::string& path = file->path();
  const auto entries = read_zip_directory(*file);
  const std::string folder = folder_of(path, entries);
  check_byte_order(*file, entries, folder);
  const ZipEntry& pickle = entries.at(folder + "data.pkl");
  ByteStream stream(*file, pickle.offset, pickle.offset + pickle.size);
  const PickleTree tree = read_torch_pickle(stream);

  TensorContents contents;
  contents.format = "PyTorch's zip archive";
  contents.metadata = description_of(*file, entries, folder);
  for (TorchTensor& found : torch_tensors(path, tree)) {
    const auto entry = entries.find(folder + "data/" + found.storage.key);
    if (entry == entries.end()) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: the storage of tensor %s is missing", path.c_str(), found.tensor.name.c_str());
    }
    const int64_t unit = size_of(found.storage.type);
    if (unit > 0 && found.storage.count > entry->second.size / unit) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: the storage of tensor %s is too short", path.c_str(), found.tensor.name.c_str());
    }
    found.tensor.offset = entry->second.offset + found.tensor.offset * unit;
    contents.tensors.push_back(std::move(found.tensor));
  }
  contents.files.push_back(std::move(file));
  return contents;
}

}  // namespace swav
