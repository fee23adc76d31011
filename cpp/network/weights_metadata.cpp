#include "network/weights_metadata.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/number.h"
#include "base/status.h"
#include "io/shallow_json.h"

namespace swav {
namespace {

using nlohmann::json;

constexpr int32_t newest_format = 2;
const char* const key = "swav";
constexpr size_t text_limit = 1 << 16;  // letters of a JSON text that is a description of a network

std::string version_text() {
  return std::to_string(SWAV_VERSION / 10000) + "." + std::to_string(SWAV_VERSION / 100 % 100) + "." +
         std::to_string(SWAV_VERSION % 100);
}

// The double that prints as short as the float does, where it is read as that float again.
double readable(float value) {
  const double shortest = number_of<double>(text_of(value)).value_or(double(value));
  return float(shortest) == value ? shortest : double(value);
}

json floats(const float* values, int32_t count) {
  json list = json::array();
  for (int32_t i = 0; i < count; ++i) list.push_back(readable(values[i]));
  return list;
}

const char* stem_name(swav_stem stem) { return stem == SWAV_STEM_SMALL ? "small" : "imagenet"; }

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  [[noreturn]] void damaged(const char* what) const {
    fail(SWAV_ERROR_FORMAT, "%s: its metadata is damaged: %s", path_.c_str(), what);
  }

  json parse(const std::string& text) const {
    const json value = text.size() > text_limit ? json() : parse_shallow(text);
    if (!value.is_object()) damaged("the description of the network is not JSON");
    return value;
  }

  int32_t integer(const json& object, const char* name) const {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number_integer()) damaged((std::string(name) + " is no integer").c_str());
    const int64_t value = found->is_number_unsigned() && found->get<uint64_t>() > uint64_t(INT32_MAX) ? int64_t{INT32_MAX} + 1
                                                                                                      : found->get<int64_t>();
    if (value < INT32_MIN || value > INT32_MAX) damaged((std::string(name) + " is too large").c_str());
    return int32_t(value);
  }

  const json& object(const json& parent, const char* name) const {
    const auto found = parent.find(name);
    if (found == parent.end() || !found->is_object()) damaged((std::string(name) + " is missing").c_str());
    return *found;
  }

  swav_stem stem(const std::string& name) const {
    if (name != "small" && name != "imagenet")
      damaged(("stem is '" + name.substr(0, 32) + "'; imagenet or small is known").c_str());
    return name == "small" ? SWAV_STEM_SMALL : SWAV_STEM_IMAGENET;
  }

  swav_network_config network(const json& n) const {
    swav_network_config c{};
    c.depth = integer(n, "depth");
    c.width = integer(n, "width");
    c.base_width = integer(n, "base_width");
    c.stem = stem(n.value("stem", json()).is_string() ? n["stem"].get<std::string>() : "");
    c.channels = integer(n, "channels");
    c.hidden = integer(n, "hidden");
    c.dim = integer(n, "dim");
    const auto sets = n.find("prototypes"), plain = n.find("plain_head");
    if (sets == n.end() || !sets->is_array() || sets->size() > SWAV_MAX_HEADS)
      damaged("prototypes is no list of at most 8 numbers");
    for (const json& count : *sets) c.prototypes[c.head_count++] = integer({{"prototypes", count}}, "prototypes");
    c.plain_head = plain != n.end() && plain->is_boolean() && plain->get<bool>();
    try {
      describe(c);
    } catch (const Error& error) {
      damaged(error.what());
    }
    return c;
  }

  void statistics(const json& list, const char* name, float* values) const {
    if (!list.is_array() || list.empty() || list.size() > SWAV_MAX_CHANNELS)
      damaged((std::string(name) + " is no list of 1 to 4 numbers").c_str());
    for (const json& value : list) {
      if (!value.is_number()) damaged((std::string(name) + " holds something that is no number").c_str());
      *values++ = float(value.get<double>());
    }
  }

  void check(const swav_input_description& input, int32_t channels) const {
    if (input.size < 8 || input.size > 16384) {
      fail(SWAV_ERROR_FORMAT, "%s: its metadata gives an input size of %d; 8 to 16384 is allowed", path_.c_str(), input.size);
    }
    for (int32_t c = 0; c < channels; ++c) {
      if (!std::isfinite(input.mean[c])) {
        fail(SWAV_ERROR_FORMAT, "%s: its metadata gives a mean that is not finite for channel %d", path_.c_str(), c);
      }
      if (!std::isfinite(input.std[c]) || input.std[c] <= 0) {
        fail(SWAV_ERROR_FORMAT,
             "%s: its metadata gives a standard deviation for channel %d that is %s; a positive number is needed",
             path_.c_str(), c,
             input.std[c] == 0  ? "0"
             : input.std[c] < 0 ? "negative"
                                : "not finite");
      }
    }
  }

 private:
  const std::string& path_;
};

Declaration read_current(const Reader& reader, const std::string& path, const std::string& text) {
  const json root = reader.parse(text);
  Declaration found;
  found.format = reader.integer(root, "format");
  if (found.format > newest_format) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s was written by a later version: its metadata has format %d, %d is the newest known here",
         path.c_str(), found.format, newest_format);
  }
  if (found.format < newest_format) reader.damaged("its format is no number from 2 on");
  found.config = reader.network(reader.object(root, "network"));
  const json& input = reader.object(root, "input");
  found.input = default_input();
  found.input->size = reader.integer(input, "size");
  reader.statistics(input.value("mean", json()), "mean", found.input->mean);
  reader.statistics(input.value("std", json()), "std", found.input->std);
  // What was written for a fourth channel before it had a default.
  const swav_input_description fresh = default_input();
  for (int c = 3; c < SWAV_MAX_CHANNELS; ++c) {
    if (found.input->std[c] == 0 && found.input->mean[c] == 0) {
      found.input->mean[c] = fresh.mean[c], found.input->std[c] = fresh.std[c];
    }
  }
  reader.check(*found.input, found.config->channels);
  return found;
}

// Format 1: numbers of a text, separated by spaces. Returns how many; values stay where there is no text.
int32_t old_numbers(const Reader& reader, const std::string& text, const char* name, float* values) {
  std::string_view left = text;
  int32_t count = 0;
  while (count < SWAV_MAX_CHANNELS) {
    const std::optional<float> value = take_number<float>(left);
    if (!value) break;
    values[count++] = *value;
  }
  if (left.find_first_not_of(' ') != std::string_view::npos) {
    reader.damaged((std::string(name) + " is no list of at most 4 numbers").c_str());
  }
  return count;
}

Declaration read_texts(const Reader& reader, const Metadata& metadata) {
  const auto text = [&](const char* name) {
    const auto found = metadata.find(name);
    return found == metadata.end() ? std::string() : found->second;
  };
  Declaration found;
  found.config = parse_architecture(text("architecture"));
  if (!found.config) return {};
  if (text("stem").empty()) {
    found.config.reset();  // the shapes say what the network is, and these texts what its input is
  } else {
    found.format = 1;
    found.config->stem = reader.stem(text("stem"));
  }
  found.input = default_input();
  if (!text("input_size").empty()) found.input->size = number_of<int32_t>(text("input_size")).value_or(0);
  const int32_t means = old_numbers(reader, text("mean"), "mean", found.input->mean),
                stds = old_numbers(reader, text("std"), "std", found.input->std);
  reader.check(*found.input, std::max(means, stds));
  return found;
}

// Files of others may have texts of the same names that mean something else: those describe nothing.
Declaration read_old(const Reader& reader, const Metadata& metadata) {
  if (metadata.count("stem") > 0) return read_texts(reader, metadata);
  try {
    return read_texts(reader, metadata);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

std::optional<swav_network_config> parse_architecture(const std::string& name) {
  const std::string family = "resnet";
  if (name.rfind(family, 0) != 0) return std::nullopt;
  swav_network_config c{};
  c.width = 1;
  c.base_width = 64;
  std::string_view left = std::string_view(name).substr(family.size());
  const auto number = [&](int32_t& value) {
    const std::optional<int32_t> found = take_number<int32_t>(left);
    value = found.value_or(0);
    return found.has_value();
  };
  const auto letter = [&](char wanted) {
    if (left.empty() || left.front() != wanted) return false;
    left.remove_prefix(1);
    return true;
  };
  if (!number(c.depth)) return std::nullopt;
  if (letter('w') && !number(c.width)) return std::nullopt;
  if (letter('b') && !number(c.base_width)) return std::nullopt;
  return left.empty() ? std::optional(c) : std::nullopt;
}

Metadata weights_metadata(const swav_network_config& c, const swav_input_description& input) {
  json sets = json::array();
  for (int32_t h = 0; h < c.head_count; ++h) sets.push_back(c.prototypes[h]);
  const json text = {
      {"format", newest_format},
      {"engine", version_text()},
      {"network",
       {{"architecture", architecture_name(c)},
        {"depth", c.depth},
        {"width", c.width},
        {"base_width", c.base_width},
        {"stem", stem_name(c.stem)},
        {"channels", c.channels},
        {"hidden", c.hidden},
        {"plain_head", c.plain_head},
        {"dim", c.dim},
        {"prototypes", sets}}},
      {"input", {{"size", input.size}, {"mean", floats(input.mean, c.channels)}, {"std", floats(input.std, c.channels)}}}};
  return {{key, text.dump()}};
}

Declaration read_declaration(const std::string& path, const Metadata& metadata) {
  const Reader reader(path);
  const auto found = metadata.find(key);
  return found != metadata.end() ? read_current(reader, path, found->second) : read_old(reader, metadata);
}

}  // namespace swav
