#include "network/weights.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "network/finite.h"
#include "network/load_report.h"
#include "network/variant.h"

namespace swav {
namespace {

// What to do with a tensor that the file lacks, or that is not to be loaded.
enum class Source { file, nothing, zero, missing };

class Loading {
 public:
  Loading(const TensorFile& file, const KeyMap& keys, const Description& description, const LoadChoice& choice)
      : file_(file), keys_(keys), description_(description), choice_(choice) {}

  // Calls visit(entry, stored, source) for each tensor of the network. Throws SWAV_ERROR_FORMAT where the backbone is not whole
  // or a shape differs.
  template <class Visit>
  void for_each(const std::vector<TensorEntry>& entries, Visit visit) const {
    for (const TensorEntry& entry : entries) {
      const StoredTensor* stored = is_wanted(entry) ? keys_.find(entry.name, description_.config.head_count) : nullptr;
      if (stored != nullptr && !fits(*stored, entry)) {
        fail(SWAV_ERROR_FORMAT, "%s: %s has shape %s, the network expects %s", file_.path().c_str(), stored->name.c_str(),
             shape_text(stored->shape).c_str(), shape_text(entry.shape).c_str());
      }
      visit(entry, stored, source(entry, stored));
    }
  }

  // Whether the file's prototypes add a bias to their scores, as lightly's do: ours are cosines.
  bool leaves_bias(const TensorEntry& entry) const {
    if (entry.role != Role::prototypes) return false;
    const StoredTensor* bias = keys_.prototypes_bias(entry.name, description_.config.head_count);
    if (bias == nullptr) return false;
    if (bias->count() != entry.shape.front()) return true;
    std::vector<float> values(size_t(entry.shape.front()));
    file_.read(*bias, values.data());
    return std::any_of(values.begin(), values.end(), [](float value) { return value != 0; });
  }

 private:
  bool is_wanted(const TensorEntry& entry) const {
    return entry.part == Part::backbone || (choice_.head && (entry.role != Role::prototypes || choice_.prototypes));
  }

  Source source(const TensorEntry& entry, const StoredTensor* stored) const {
    if (stored != nullptr) return Source::file;
    if (!is_wanted(entry) || entry.role == Role::norm_counter) return Source::nothing;
    const bool has_layer = entry.part == Part::head && !description_.projection.empty() &&
                           keys_.find(description_.projection.front().name + ".weight", 1) != nullptr;
    if (is_dispensable(entry, description_) && has_layer) return Source::zero;
    if (entry.part == Part::backbone) {
      fail(SWAV_ERROR_FORMAT, "%s lacks a tensor of the backbone: %s", file_.path().c_str(), entry.name.c_str());
    }
    return Source::missing;
  }

  const TensorFile& file_;
  const KeyMap& keys_;
  const Description& description_;
  const LoadChoice& choice_;
};

void fill(Parameters& to, const TensorFile& file, const Loading& loading, LoadReport& report) {
  loading.for_each(to.entries(), [&](const TensorEntry& entry, const StoredTensor* stored, Source source) {
    if (source == Source::file) {
      read_tensor(file, *stored, entry, to.data(entry));
      report.match(*stored, entry);
      if (loading.leaves_bias(entry)) report.leave_bias();
    } else if (source == Source::zero) {
      std::fill_n(static_cast<float*>(to.data(entry)), entry.count, 0.0f);
      report.match_without_file();
    } else if (source == Source::missing) {
      report.miss(entry);
    }
  });
}

void finish(LoadReport& collected, swav_load_report* report) {
  if (report != nullptr) *report = collected.finish();
}

// Of the first value that is wrong: "[0, 2, 1]".
std::string index_text(const std::vector<int64_t>& shape, int64_t index) {
  std::vector<int64_t> indices(shape.size());
  for (size_t d = shape.size(); d-- > 0;) {
    indices[d] = index % shape[d];
    index /= shape[d];
  }
  return shape_text(indices);
}

}  // namespace

void check_values(const TensorFile& file, const StoredTensor& stored, const float* values, bool squares) {
  const int64_t count = stored.count();
  int64_t index = first_not_finite(values, count);
  if (index < 0 && squares) {
    const float* negative = std::find_if(values, values + count, [](float value) { return value < 0; });
    if (negative != values + count) index = negative - values;
  }
  if (index < 0) return;
  const float* first = values + index;
  const char* what = std::isnan(*first)   ? "not a number"
                     : std::isinf(*first) ? "infinite"
                                          : "negative, and ought to be a mean of squares";
  fail(SWAV_ERROR_NUMERIC, "%s: %s%s is %s", file.path().c_str(), stored.name.c_str(), index_text(stored.shape, index).c_str(),
       what);
}

void read_tensor(const TensorFile& file, const StoredTensor& stored, const TensorEntry& entry, void* values) {
  if (entry.kind == SWAV_TENSOR_COUNTER) {
    // num_batches_tracked, with which nothing is computed: a value that is no count, as float16 makes of 65504 and more, is 0.
    double number = 0;
    file.read(stored, &number);
    *static_cast<int64_t*>(values) = number >= 0 && number < 0x1p53 ? int64_t(number) : 0;
    return;
  }
  file.read(stored, static_cast<float*>(values));
  check_values(file, stored, static_cast<const float*>(values), entry.role == Role::norm_variance);
}

void load_weights(Network& network, const std::string& path, const LoadChoice& choice, swav_load_report* report) {
  const TensorFile file(path);
  const KeyMap keys(file, choice.prefix);
  const Declaration declared = read_declaration(path, file.metadata());
  LoadReport collected(file, keys, network.description(), declared.format == 0);
  check_variant(path, keys);
  Parameters loaded = network.parameters();
  fill(loaded, file, Loading(file, keys, network.description(), choice), collected);
  check_strangers(file, keys, network.description());
  network.parameters().assign(loaded);
  if (declared.input) network.input = *declared.input;
  finish(collected, report);
}

std::unique_ptr<Network> open_network(const std::string& path, const LoadChoice& choice, swav_load_report* report) {
  const TensorFile file(path);
  const KeyMap keys(file, choice.prefix);
  const Recognition found = recognize(file, keys, choice);
  LoadReport collected(file, keys, found.description, found.guessed);
  auto network = std::make_unique<Network>(found.description);
  fill(network->parameters(), file, Loading(file, keys, found.description, choice), collected);
  if (found.declaration.input) network->input = *found.declaration.input;
  finish(collected, report);
  return network;
}

swav_load_report preview(const TensorFile& file, const LoadChoice& choice, swav_network_config& config) {
  const KeyMap keys(file, choice.prefix);
  const Recognition found = recognize(file, keys, choice);
  LoadReport collected(file, keys, found.description, found.guessed);
  const Inventory tensors(found.description);
  const Loading loading(file, keys, found.description, choice);
  loading.for_each(tensors.entries(), [&](const TensorEntry& entry, const StoredTensor* stored, Source source) {
    if (source == Source::file) {
      collected.match(*stored, entry);
      if (loading.leaves_bias(entry)) collected.leave_bias();
    }
    if (source == Source::zero) collected.match_without_file();
  });
  config = found.description.config;
  return collected.finish();
}

std::vector<TensorSource> tensor_sources(const Network& network) {
  std::vector<TensorSource> tensors;
  for (const TensorEntry& entry : network.parameters().entries()) {
    const DataType type = entry.kind == SWAV_TENSOR_COUNTER ? DataType::i64 : DataType::f32;
    tensors.push_back({entry.name, type, entry.shape, network.parameters().data(entry)});
  }
  return tensors;
}

void save_weights(const Network& network, const std::string& path) {
  require_finite(network.parameters());
  write_safetensors(path, tensor_sources(network), weights_metadata(network.config(), network.input));
}

}  // namespace swav
