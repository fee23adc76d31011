#include "io/torch_values.h"

#include <algorithm>
#include <optional>

#include "base/status.h"

namespace swav {
namespace {

constexpr size_t depth_limit = 32;        // of dictionaries and lists inside each other
constexpr size_t name_limit = 1024;       // letters of a tensor's name
constexpr int64_t visit_limit = 1 << 21;  // values looked at: shared parts are looked at each time
constexpr size_t tensor_limit = 1 << 16, name_limit_of_all = size_t{16} << 20;
constexpr int64_t stride_limit = int64_t{1} << 50, count_limit = int64_t{1} << 50;

TorchName meaning_of(const PickleValue& value) { return value.kind == PickleKind::name ? torch_name(value.text) : TorchName(); }

// ("storage", class, key, device, length) or the same and (key of a view, first number, length); nothing where it is neither.
std::optional<TorchStorage> storage_of(const PickleTree& tree, const PickleValue& reference) {
  const PickleValue& id = tree.item(reference, 0);
  const TorchName kind = meaning_of(tree.item(id, 1));
  const PickleValue &key = tree.item(id, 2), &count = tree.item(id, 4), &view = tree.item(id, 5);
  if (reference.kind != PickleKind::persistent || id.kind != PickleKind::sequence || kind.meaning != TorchMeaning::storage ||
      key.kind != PickleKind::text || count.kind != PickleKind::integer) {
    return std::nullopt;
  }
  TorchStorage storage{key.text, kind.type, count.integer};
  if (view.kind == PickleKind::sequence) storage.first = tree.item(view, 1).integer;
  const bool possible =
      storage.count >= 0 && storage.count <= count_limit && storage.first >= 0 && storage.first <= storage.count;
  return possible ? std::optional(storage) : std::nullopt;
}

class Collector {
 public:
  Collector(const std::string& path, const PickleTree& tree) : path_(path), tree_(tree) {}

  void visit(const PickleValue& value, const std::string& name, size_t depth) {
    if (++visits_ > visit_limit) fail(SWAV_ERROR_LIMIT, "%s holds more values than weights have", path_.c_str());
    const size_t first_pair = pairs_of(value);
    if (first_pair > 0) {
      if (depth == depth_limit) return;
      if (first_pair == 2) visit_arguments(value, name, depth);
      for (size_t i = first_pair - 1; i + 1 < value.items.size(); i += 2) {
        visit(tree_.item(value, i + 1), join(name, text_of(tree_.item(value, i))), depth + 1);
      }
    } else if (value.kind == PickleKind::sequence) {
      if (depth == depth_limit) return;
      for (size_t i = 0; i < value.items.size(); ++i) visit(tree_.item(value, i), join(name, std::to_string(i)), depth + 1);
    } else if (value.kind == PickleKind::call) {
      if (std::optional<TorchTensor> found = tensor_of(value, name)) add(std::move(*found));
    }
  }

  std::vector<TorchTensor> tensors;

 private:
  // Dictionaries that many names lead to are many tensors from few bytes.
  void add(TorchTensor tensor) {
    letters_ += tensor.tensor.name.size();
    if (tensors.size() == tensor_limit || letters_ > name_limit_of_all) {
      fail(SWAV_ERROR_LIMIT, "%s holds more tensors than weights have", path_.c_str());
    }
    tensors.push_back(std::move(tensor));
  }

  [[noreturn]] void damaged(const std::string& name, const char* what) const {
    fail(SWAV_ERROR_FORMAT, "%s is damaged: tensor %s %s", path_.c_str(), name.c_str(), what);
  }

  // 1 + the index of a dictionary's first key; 0 where the value is none.
  size_t pairs_of(const PickleValue& value) const {
    if (value.kind == PickleKind::dictionary) return 1;
    const bool built = value.kind == PickleKind::call && meaning_of(tree_.item(value, 0)).meaning == TorchMeaning::dictionary;
    return built ? 3 : 0;
  }

  static std::string text_of(const PickleValue& key) {
    if (key.kind == PickleKind::text) return key.text;
    return key.kind == PickleKind::integer ? std::to_string(key.integer) : "?";
  }

  std::string join(const std::string& name, const std::string& key) const {
    if (name.size() + key.size() > name_limit) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: a key has more than %zu letters", path_.c_str(), name_limit);
    }
    return name.empty() ? key : name + "." + key;
  }

  // The pairs that an OrderedDict of Python 2 is called with: ([[key, value], ...],).
  void visit_arguments(const PickleValue& call, const std::string& name, size_t depth) {
    const PickleValue& pairs = tree_.item(tree_.item(call, 1), 0);
    for (size_t i = 0; pairs.kind == PickleKind::sequence && i < pairs.items.size(); ++i) {
      const PickleValue& pair = tree_.item(pairs, i);
      if (pair.kind != PickleKind::sequence || pair.items.size() != 2) continue;
      visit(tree_.item(pair, 1), join(name, text_of(tree_.item(pair, 0))), depth + 1);
    }
  }

  // The tensor that a call rebuilds; nothing where it rebuilds something else.
  std::optional<TorchTensor> tensor_of(const PickleValue& call, const std::string& name, size_t wrappers = 0) const {
    const PickleValue *function = &tree_.item(call, 0), *arguments = &tree_.item(call, 1);
    TorchMeaning meaning = meaning_of(*function).meaning;
    if (meaning == TorchMeaning::delegated) {
      function = &tree_.item(*arguments, 0);
      arguments = &tree_.item(*arguments, 2);
      meaning = meaning_of(*function).meaning;
    }
    if (meaning == TorchMeaning::wrapped_tensor) {
      const PickleValue& inner = tree_.item(*arguments, 0);
      if (inner.kind != PickleKind::call || wrappers == depth_limit) damaged(name, "is a parameter without values");
      return tensor_of(inner, name, wrappers + 1);
    }
    if (meaning != TorchMeaning::tensor && meaning != TorchMeaning::typed_tensor) return std::nullopt;
    TorchTensor found;
    found.tensor.name = name;
    const std::optional<TorchStorage> storage = storage_of(tree_, tree_.item(*arguments, 0));
    if (!storage) damaged(name, "has no storage");
    found.storage = *storage;
    if (meaning == TorchMeaning::typed_tensor) {
      found.storage.type = meaning_of(tree_.item(*arguments, 6)).type;
      found.storage.count /= std::max<int64_t>(size_of(found.storage.type), 1);
    }
    found.tensor.type = found.storage.type;
    found.tensor.type_name = name_of(found.tensor.type);
    lay_out(found, *arguments);
    return found;
  }

  int64_t integer_of(const PickleValue& value, const std::string& name) const {
    if (value.kind != PickleKind::integer) damaged(name, "has a layout that is none");
    return value.integer;
  }

  std::vector<int64_t> integers_of(const PickleValue& list, const std::string& name) const {
    const bool is_size = list.kind == PickleKind::call;  // torch.Size((2, 3))
    const PickleValue& values = is_size ? tree_.item(tree_.item(list, 1), 0) : list;
    if (values.kind != PickleKind::sequence || values.items.size() > depth_limit) damaged(name, "has a layout that is none");
    std::vector<int64_t> numbers;
    for (size_t i = 0; i < values.items.size(); ++i) numbers.push_back(integer_of(tree_.item(values, i), name));
    return numbers;
  }

  // A view may be negative or conjugated without its numbers being so.
  void require_plain(const PickleValue& arguments, const std::string& name) const {
    const PickleValue& bits = tree_.item(arguments, 6);
    for (size_t i = 0; bits.kind == PickleKind::dictionary && i + 1 < bits.items.size(); i += 2) {
      const PickleValue& is_set = tree_.item(bits, i + 1);
      if (is_set.kind != PickleKind::boolean || is_set.integer == 0) continue;
      fail(SWAV_ERROR_UNSUPPORTED,
           "%s: tensor %s is a view that PyTorch computes when it is used (%s); save a copy of it, "
           "tensor.resolve_conj().resolve_neg()",
           path_.c_str(), name.c_str(), tree_.item(bits, i).text.c_str());
    }
  }

  // Checks that every number of the tensor lies in its storage.
  void lay_out(TorchTensor& found, const PickleValue& arguments) const {
    StoredTensor& t = found.tensor;
    require_plain(arguments, t.name);
    t.offset = integer_of(tree_.item(arguments, 1), t.name);
    t.shape = integers_of(tree_.item(arguments, 2), t.name);
    t.strides = integers_of(tree_.item(arguments, 3), t.name);
    if (!is_possible(t.shape) || t.strides.size() != t.shape.size()) damaged(t.name, "has an impossible shape");
    for (size_t d = 0; d < t.shape.size(); ++d) {
      if (t.shape[d] <= 1) t.strides[d] = 1;  // never used
      if (t.strides[d] < 0 || t.strides[d] > stride_limit / std::max<int64_t>(t.shape[d], 1)) {
        damaged(t.name, "has impossible strides");
      }
    }
    const int64_t room = found.storage.count - found.storage.first;
    if (t.offset < 0 || t.offset > room || span_of(t) > room - t.offset) damaged(t.name, "lies outside its storage");
    t.offset += found.storage.first;
  }

  const std::string& path_;
  const PickleTree& tree_;
  int64_t visits_ = 0;
  size_t letters_ = 0;  // of all names
};

}  // namespace

std::vector<TorchTensor> torch_tensors(const std::string& path, const PickleTree& tree) {
  Collector collector(path, tree);
  collector.visit(tree.root(), "", 0);
  if (collector.tensors.empty()) fail(SWAV_ERROR_FORMAT, "%s is a PyTorch file without a tensor", path.c_str());
  return std::move(collector.tensors);
}

std::map<std::string, TorchStorage> torch_storages(const std::string& path, const PickleTree& tree) {
  std::map<std::string, TorchStorage> found;
  for (const PickleValue& value : tree.values()) {
    const std::optional<TorchStorage> storage = storage_of(tree, value);
    if (!storage) continue;
    const TorchStorage& first = found.emplace(storage->key, *storage).first->second;
    if (first.type != storage->type || first.count != storage->count) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: a storage has two types or lengths", path.c_str());
    }
  }
  return found;
}

PickleTree read_torch_pickle(ByteStream& stream) {
  return PickleTree(stream, [](const std::string& name) { return torch_name(name).meaning != TorchMeaning::unknown; });
}

}  // namespace swav
