// JSON out of files, which anybody may have written. The library copies and writes values by recursion, so that depth
// costs stack: what has more than a few levels is none of ours.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace swav {

// Discarded where the text is not JSON, or has more than eight objects and lists in each other.
inline nlohmann::json parse_shallow(const std::string& text) {
  using nlohmann::json;
  constexpr int depth_limit = 8;
  bool deep = false;
  json value = json::parse(
      text, [&](int depth, json::parse_event_t, json&) { return !(deep = deep || depth > depth_limit); }, false);
  return deep ? json(json::value_t::discarded) : value;
}

}  // namespace swav
