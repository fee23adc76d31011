#include "io/pickle.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/status.h"

namespace swav {
namespace {

constexpr size_t value_limit = size_t{1} << 21;    // values of a tree, and values waiting on the stack
constexpr int64_t byte_limit = int64_t{64} << 20;  // of one pickle
constexpr int64_t name_limit = 256;                // letters of a module or of a name in it

// The instructions, as the protocol numbers them.
enum Instruction : uint8_t {
  mark = '(',
  stop = '.',
  pop = '0',
  pop_mark = '1',
  duplicate = '2',
  none_value = 'N',
  true_value = 0x88,
  false_value = 0x89,
  integer4 = 'J',
  integer1 = 'K',
  integer2 = 'M',
  long1 = 0x8a,
  long4 = 0x8b,
  real8 = 'G',
  bytes4_old = 'T',
  bytes1_old = 'U',
  text4 = 'X',
  text1 = 0x8c,
  text8 = 0x8d,
  bytes4 = 'B',
  bytes1 = 'C',
  bytes8 = 0x8e,
  bytearray8 = 0x96,
  empty_tuple = ')',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  empty_list = ']',
  list = 'l',
  append = 'a',
  appends = 'e',
  empty_dictionary = '}',
  dictionary = 'd',
  set_item = 's',
  set_items = 'u',
  empty_set = 0x8f,
  add_items = 0x90,
  frozen_set = 0x91,
  get1 = 'h',
  get4 = 'j',
  put1 = 'q',
  put4 = 'r',
  memoize = 0x94,
  global = 'c',
  stack_global = 0x93,
  reduce = 'R',
  build = 'b',
  new_object = 0x81,
  new_object_named = 0x92,
  persistent_id = 'Q',
  protocol = 0x80,
  frame = 0x95
};

// The stack machine that a pickle is a program of. A mark is the height of the stack where it was set.
class Machine {
 public:
  Machine(ByteStream& stream, const std::function<bool(const std::string&)>& allows, std::vector<PickleValue>& values)
      : stream_(stream), allows_(allows), values_(values), begin_(stream.position()) {
    values_.resize(3);  // none, false and true are there once
    values_[1].kind = values_[2].kind = PickleKind::boolean;
    values_[2].integer = 1;
  }

  PickleIndex run() {
    for (;;) {
      if (stream_.position() - begin_ > byte_limit) {
        fail(SWAV_ERROR_LIMIT, "%s: a pickle has more than %lld bytes", path(), static_cast<long long>(byte_limit));
      }
      const uint8_t instruction = uint8_t(stream_.number(1));
      if (instruction == stop) return take();
      if (!(plain(instruction) || container(instruction) || memo(instruction) || object(instruction))) {
        fail(SWAV_ERROR_UNSUPPORTED, "%s: pickle instruction 0x%02x at byte %lld is none that weights are written with", path(),
             instruction, static_cast<long long>(stream_.position() - 1));
      }
    }
  }

 private:
  const char* path() const { return stream_.path().c_str(); }
  [[noreturn]] void damaged(const char* what) const {
    fail(SWAV_ERROR_FORMAT, "%s is damaged: its pickle %s, at byte %lld", path(), what,
         static_cast<long long>(stream_.position()));
  }

  // -- the stack --
  void push(PickleIndex value) {
    if (stack_.size() == value_limit) fail(SWAV_ERROR_LIMIT, "%s: a pickle holds more than %zu values", path(), value_limit);
    stack_.push_back(value);
  }
  PickleValue& push_new(PickleKind kind) {
    if (values_.size() == value_limit) fail(SWAV_ERROR_LIMIT, "%s: a pickle holds more than %zu values", path(), value_limit);
    values_.emplace_back();
    values_.back().kind = kind;
    push(PickleIndex(values_.size() - 1));
    return values_.back();
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleIndex take() {
    if (stack_.size() <= floor()) damaged("takes a value where there is none");
    const PickleIndex value = stack_.back();
    stack_.pop_back();
    return value;
  }
  std::vector<PickleIndex> take_to_mark() {
    if (marks_.empty()) damaged("goes back to a mark that was not set");
    std::vector<PickleIndex> values(stack_.begin() + int64_t(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return values;
  }
  PickleValue& top() {
    if (stack_.size() <= floor()) damaged("changes a value where there is none");
    return values_[stack_.back()];
  }

  // -- bytes --
  std::string text(uint64_t length) {
    if (length > uint64_t(stream_.left())) damaged("holds a text that is longer than the file");
    if (length > uint64_t(byte_limit))
      fail(SWAV_ERROR_LIMIT, "%s: a text has more than %lld bytes", path(), static_cast<long long>(byte_limit));
    std::string bytes(size_t(length), '\0');
    stream_.read(bytes.data(), int64_t(length));
    return bytes;
  }
  std::string line() {
    std::string text;
    for (char c; (c = char(stream_.number(1))) != '\n'; text += c) {
      if (int64_t(text.size()) == name_limit) damaged("holds a name that is too long");
    }
    return text;
  }

  // -- groups of instructions; each says whether it was one of its --

  bool plain(uint8_t instruction) {
    switch (instruction) {
      case protocol:
        if (stream_.number(1) > 5) fail(SWAV_ERROR_UNSUPPORTED, "%s: its pickle has a protocol later than 5", path());
        return true;
      case frame: stream_.number(8); return true;
      case none_value: push(0); return true;
      case false_value: push(1); return true;
      case true_value: push(2); return true;
      case integer4: return integer(int32_t(stream_.number(4)));
      case integer1: return integer(int64_t(stream_.number(1)));
      case integer2: return integer(int64_t(stream_.number(2)));
      case long1: return long_integer(stream_.number(1));
      case long4: return long_integer(stream_.number(4));
      case real8: return real();
      case bytes1_old:
      case bytes1:
      case text1: return string(stream_.number(1));
      case bytes4_old:
      case bytes4:
      case text4: return string(stream_.number(4));
      case bytes8:
      case bytearray8:
      case text8: return string(stream_.number(8));
      default: return false;
    }
  }
  bool integer(int64_t value) {
    push_new(PickleKind::integer).integer = value;
    return true;
  }
  bool string(uint64_t length) {
    std::string bytes = text(length);
    push_new(PickleKind::text).text = std::move(bytes);
    return true;
  }
  // Two's complement of any length; the bytes are kept as text for those longer than 64 bits.
  bool long_integer(uint64_t length) {
    std::string bytes = text(length);
    const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
    int64_t value = negative ? INT64_MIN : INT64_MAX;
    if (bytes.size() <= 8) {
      uint64_t bits = negative ? ~uint64_t{0} : 0;
      for (size_t i = bytes.size(); i-- > 0;) bits = bits << 8 | uint8_t(bytes[i]);
      value = int64_t(bits);
    }
    PickleValue& added = push_new(PickleKind::integer);
    added.integer = value;
    added.text = std::move(bytes);
    return true;
  }
  bool real() {
    uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | stream_.number(1);  // big-endian
    std::memcpy(&push_new(PickleKind::real).real, &bits, sizeof bits);
    return true;
  }

  bool container(uint8_t instruction) {
    switch (instruction) {
      case mark: marks_.push_back(stack_.size()); break;
      case pop:
        // Of a mark, where one lies on top.
        if (!marks_.empty() && marks_.back() == stack_.size()) {
          marks_.pop_back();
        } else {
          take();
        }
        break;
      case pop_mark: take_to_mark(); break;
      case duplicate: top(), push(stack_.back()); break;
      case empty_tuple:
      case empty_list:
      case empty_set: push_new(PickleKind::sequence); break;
      case empty_dictionary: push_new(PickleKind::dictionary); break;
      case tuple1:
      case tuple2:
      case tuple3: return tuple_of(size_t(instruction - tuple1 + 1));
      case tuple:
      case list:
      case frozen_set: return sequence_of(take_to_mark());
      case dictionary: {
        std::vector<PickleIndex> pairs = take_to_mark();
        push_new(PickleKind::dictionary);
        return put_in(std::move(pairs), true);
      }
      case append: return put_in({take()}, false);
      case appends:
      case add_items: return put_in(take_to_mark(), false);
      case set_item: {
        const PickleIndex value = take();
        return put_in({take(), value}, true);
      }
      case set_items: return put_in(take_to_mark(), true);
      default: return false;
    }
    if (marks_.size() > value_limit) fail(SWAV_ERROR_LIMIT, "%s: a pickle holds more than %zu marks", path(), value_limit);
    return true;
  }
  bool sequence_of(std::vector<PickleIndex> items) {
    push_new(PickleKind::sequence).items = std::move(items);
    return true;
  }
  bool tuple_of(size_t count) {
    std::vector<PickleIndex> items(count);
    for (size_t i = count; i-- > 0;) items[i] = take();
    return sequence_of(std::move(items));
  }
  // Puts elements, or keys and values, into the container on top of the stack. What a call gives can be any container.
  bool put_in(std::vector<PickleIndex> items, bool pairs) {
    PickleValue& container = top();
    if (pairs && items.size() % 2 != 0) damaged("holds a key without a value");
    const bool fits = container.kind == (pairs ? PickleKind::dictionary : PickleKind::sequence);
    if (!fits && container.kind != PickleKind::call) damaged("puts a value into something that is no container");
    if (fits || pairs) container.items.insert(container.items.end(), items.begin(), items.end());
    return true;
  }

  bool memo(uint8_t instruction) {
    switch (instruction) {
      case get1: return get(uint32_t(stream_.number(1)));
      case get4: return get(uint32_t(stream_.number(4)));
      case put1: return put(uint32_t(stream_.number(1)));
      case put4: return put(uint32_t(stream_.number(4)));
      case memoize: return put(uint32_t(memo_.size()));
      default: return false;
    }
  }
  bool get(uint32_t number) {
    const auto found = memo_.find(number);
    if (found == memo_.end()) damaged("refers to a value that it has not met");
    push(found->second);
    return true;
  }
  bool put(uint32_t number) {
    top();
    if (memo_.size() == value_limit) fail(SWAV_ERROR_LIMIT, "%s: a pickle holds more than %zu values", path(), value_limit);
    memo_[number] = stack_.back();
    return true;
  }

  bool object(uint8_t instruction) {
    switch (instruction) {
      case global: {
        const std::string module = line();
        return name(module + "." + line());
      }
      case stack_global: {
        const PickleIndex last = take(), module = take();
        if (values_[last].kind != PickleKind::text || values_[module].kind != PickleKind::text)
          damaged("names something by no text");
        return name(values_[module].text + "." + values_[last].text);
      }
      case reduce:
      case new_object: {
        const PickleIndex arguments = take();
        return call(take(), arguments);
      }
      case new_object_named: {
        take();  // arguments by keyword
        const PickleIndex arguments = take();
        return call(take(), arguments);
      }
      case build: take(), top(); return true;  // attributes of an object: nothing that weights need
      case persistent_id: {
        const PickleIndex id = take();
        push_new(PickleKind::persistent).items = {id};
        return true;
      }
      default: return false;
    }
  }
  bool name(const std::string& full) {
    if (full.size() > size_t(2 * name_limit)) damaged("holds a name that is too long");
    if (!allows_(full)) {
      fail(SWAV_ERROR_UNSUPPORTED,
           "%s holds an object of Python, %s, which is not among those that weights are made of; nothing of it is executed "
           "here: save the state_dict alone, in Python: torch.save(torch.load(FILE, weights_only=False)%s, 'weights.pth')",
           path(), printable(full).c_str(), is_module(full) ? ".state_dict()" : "['state_dict']");
    }
    push_new(PickleKind::name).text = full;
    return true;
  }
  // A file of a whole module, where the name shows it.
  static bool is_module(const std::string& full) {
    return full.rfind("torch.nn.modules.", 0) == 0 || full.rfind("torchvision.models.", 0) == 0 ||
           full.rfind("timm.models.", 0) == 0;
  }
  static std::string printable(std::string text) {
    for (char& c : text) c = c < ' ' || c > '~' ? '?' : c;
    return text;
  }
  bool call(PickleIndex callee, PickleIndex arguments) {
    if (values_[callee].kind != PickleKind::name) damaged("calls something that has no name");
    push_new(PickleKind::call).items = {callee, arguments};
    return true;
  }

  ByteStream& stream_;
  const std::function<bool(const std::string&)>& allows_;
  std::vector<PickleValue>& values_;
  int64_t begin_;
  std::vector<PickleIndex> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, PickleIndex> memo_;
};

}  // namespace

PickleTree::PickleTree(ByteStream& stream, const std::function<bool(const std::string&)>& allows) {
  root_ = Machine(stream, allows, values_).run();
}

const PickleValue& PickleTree::item(const PickleValue& value, size_t index) const {
  return values_[index < value.items.size() ? value.items[index] : 0];
}

}  // namespace swav
