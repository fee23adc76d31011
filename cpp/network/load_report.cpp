#include "network/load_report.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace swav {
namespace {

constexpr size_t shown = 160;  // letters of a list of names in the summary

// At most so many bytes of the beginning of a text, and whole letters.
size_t cut(const std::string& text, size_t most) {
  if (text.size() <= most) return text.size();
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return most;
}

template <size_t Capacity>
void copy_text(char (&to)[Capacity], const std::string& text) {
  const size_t size = cut(text, Capacity - 1);
  std::memcpy(to, text.data(), size);
  to[size] = 0;
}

// Appends a name to a list of fixed capacity; ends with "..." when full.
template <size_t Capacity>
void list(char (&names)[Capacity], const std::string& name) {
  const size_t used = std::strlen(names);
  const std::string item = (used ? ", " : "") + one_line(name);
  if (used + item.size() + 6 < Capacity) {
    std::memcpy(names + used, item.c_str(), item.size() + 1);
  } else if (used + 6 <= Capacity && (used < 3 || std::strcmp(names + used - 3, "...") != 0)) {
    std::memcpy(names + used, ", ...", 6);
  }
}

std::string first_names(const char* names) {
  const std::string text = names;
  if (text.size() <= shown) return text;
  const size_t comma = text.rfind(", ", shown);
  return text.substr(0, comma == std::string::npos ? cut(text, shown) : comma) + ", ...";
}

std::string counted(int64_t count, const char* what) {
  return std::to_string(count) + (count == 1 ? " tensor " : " tensors ") + what;
}

}  // namespace

LoadReport::LoadReport(const TensorFile& file, const KeyMap& keys, const Description& description, bool guessed) : file_(file) {
  copy_text(report_.architecture, architecture_name(description.config));
  copy_text(report_.format, file.format());
  copy_text(report_.names, keys.title());
  copy_text(report_.prefix, one_line(keys.prefix()));
  report_.guessed = guessed;
}

void LoadReport::match(const StoredTensor& stored, const TensorEntry& entry) {
  const DataType ours = entry.kind == SWAV_TENSOR_COUNTER ? DataType::i64 : DataType::f32;
  ++report_.matched;
  report_.converted += stored.type != ours || stored.shape != entry.shape;
  matched_.push_back(&stored);
}

void LoadReport::miss(const TensorEntry& entry) {
  ++report_.missing;
  list(report_.missing_names, entry.name);
}

swav_load_report LoadReport::finish() {
  std::sort(matched_.begin(), matched_.end());
  for (const StoredTensor& tensor : file_.tensors()) {
    if (std::binary_search(matched_.begin(), matched_.end(), &tensor) || is_trainer_state(tensor.name)) continue;
    ++report_.unexpected;
    list(report_.unexpected_names, tensor.name);
  }
  summarize();
  return report_;
}

void LoadReport::summarize() {
  const swav_load_report& r = report_;
  std::string text = r.architecture;
  text += r.guessed ? ", guessed from names and shapes" : ", as its metadata says";
  text += std::string(" (") + r.format + ", names of " + r.names;
  if (r.prefix[0] != 0) text += std::string(", prefix ") + r.prefix;
  text += "): " + counted(r.matched, "matched");
  if (r.converted > 0) text += ", " + std::to_string(r.converted) + " of them converted";
  if (left_bias_) text += "; the bias of its prototypes is left out: scores here are cosines alone";
  if (r.missing > 0) text += "; " + std::to_string(r.missing) + " missing and as before: " + first_names(r.missing_names);
  if (r.unexpected > 0) text += "; " + std::to_string(r.unexpected) + " unexpected: " + first_names(r.unexpected_names);
  copy_text(report_.summary, text);
}

}  // namespace swav
