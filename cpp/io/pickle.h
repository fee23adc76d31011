// Python's pickle format as data. Nothing is ever executed: what a program would call or build stays in the tree as the name of
// the thing and its arguments, and only names of a fixed set are let in. The instructions are those that pickle protocols 2 to
// 5 write for plain values; any other one is an error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/byte_stream.h"

namespace swav {

enum class PickleKind : uint8_t {
  none,
  boolean,     // integer
  integer,     // integer; clamped to 64 bits
  real,        // real
  text,        // text; also bytes
  sequence,    // items: list, tuple or set
  dictionary,  // items: key, value, key, value, ...
  name,        // text: "module.name" of something in the fixed set
  call,        // items[0]: what is called; items[1]: its arguments; then key, value pairs and elements that were put in
  persistent   // items[0]: the id of something outside the pickle
};

using PickleIndex = uint32_t;

struct PickleValue {
  PickleKind kind = PickleKind::none;
  union {
    int64_t integer = 0;
    double real;
  };
  std::string text;
  std::vector<PickleIndex> items;
};

// The values of one pickle; they may share parts and contain themselves.
class PickleTree {
 public:
  // Reads one pickle and leaves the stream behind it. `allows` says whether "module.name" is in the fixed set. Throws
  // SWAV_ERROR_FORMAT for damage, SWAV_ERROR_UNSUPPORTED naming an instruction or a name that is not allowed, SWAV_ERROR_LIMIT
  // for more than 2^21 values.
  PickleTree(ByteStream& stream, const std::function<bool(const std::string&)>& allows);

  // All values, in the order in which they were made.
  const std::vector<PickleValue>& values() const { return values_; }
  const PickleValue& root() const { return values_[root_]; }
  const PickleValue& operator[](PickleIndex index) const { return values_[index]; }
  // Item of a value; a `none` where there are fewer.
  const PickleValue& item(const PickleValue& value, size_t index) const;

 private:
  std::vector<PickleValue> values_;
  PickleIndex root_ = 0;
};

}  // namespace swav
