#include "kernel_rows.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/random.h"

namespace swav::test {
namespace {

constexpr int64_t margin = 192;  // bytes before and behind an array
constexpr char guard = 0x4d;

template <class T>
T number(int value) {
  if constexpr (std::is_same_v<T, bfloat16>) return to_bfloat16(float(value));
  else return T(value);
}

template <class T>
double value_of(T number) {
  if constexpr (std::is_same_v<T, bfloat16>) return double(to_float(number));
  else return double(number);
}

}  // namespace

template <class T>
T* SampleMemory::add(int64_t n, int64_t slack, bool compared, int least, int most) {
  arrays_.push_back(std::make_unique<Array>());
  Array& array = *arrays_.back();
  array.begin = margin;
  array.end = margin + (n + slack) * int64_t(sizeof(T));
  array.all.assign(size_t(array.end + margin), guard);
  T* values = reinterpret_cast<T*>(array.all.data() + margin);
  Random random(++seed_, Purpose::test);
  for (int64_t i = 0; i < n + slack; ++i) {
    const T value = number<T>(least + int(random.below(uint32_t(most - least + 1))));
    std::memcpy(values + i, &value, sizeof value);
  }
  array.first = array.all;
  if (compared) {
    array.read = [n](const char* data) {
      std::vector<double> numbers;
      for (int64_t i = 0; i < n; ++i) {
        T value;
        std::memcpy(&value, data + i * int64_t(sizeof(T)), sizeof value);
        numbers.push_back(value_of(value));
      }
      return numbers;
    };
  }
  bytes_ += n * int64_t(sizeof(T));
  return values;
}

const float* SampleMemory::floats(int64_t n, int limit) { return add<float>(n, 0, false, -limit, limit); }

const float* SampleMemory::fractions(int64_t n) {
  float* values = add<float>(n, 0, false, 1, 8);
  for (int64_t i = 0; i < n; ++i) values[i] /= 8;
  arrays_.back()->first = arrays_.back()->all;
  return values;
}

template <class T>
const T* SampleMemory::numbers(int64_t n, int least, int most) {
  return add<T>(n, image_slack, false, least, most);
}

template <class T>
T* const* SampleMemory::rows(T* first, int64_t count, int64_t stride, bool padding) {
  arrays_.push_back(std::make_unique<Array>());
  Array& array = *arrays_.back();
  std::vector<T*> pointers;
  for (int64_t i = 0; i < count; ++i) pointers.push_back(padding && i % 7 == 3 ? nullptr : first + i * stride);
  array.all.resize(pointers.size() * sizeof(T*));
  std::memcpy(array.all.data(), pointers.data(), array.all.size());
  array.first = array.all;
  array.end = int64_t(array.all.size());
  return reinterpret_cast<T* const*>(array.all.data());
}

template <class T>
T* SampleMemory::out(int64_t n, int64_t slack) {
  return add<T>(n, slack, true, -4, 4);
}

template <class T>
T* SampleMemory::unseen(int64_t n) {
  return add<T>(n, 0, false, 0, 0);
}

template const uint8_t* SampleMemory::numbers<uint8_t>(int64_t, int, int);
template const uint16_t* SampleMemory::numbers<uint16_t>(int64_t, int, int);
template const int16_t* SampleMemory::numbers<int16_t>(int64_t, int, int);
template const int8_t* SampleMemory::numbers<int8_t>(int64_t, int, int);
template const bfloat16* SampleMemory::numbers<bfloat16>(int64_t, int, int);
template bfloat16* SampleMemory::out<bfloat16>(int64_t, int64_t);
template const int32_t* SampleMemory::numbers<int32_t>(int64_t, int, int);
template bfloat16* const* SampleMemory::rows<bfloat16>(bfloat16*, int64_t, int64_t, bool);
template const bfloat16* const* SampleMemory::rows<const bfloat16>(const bfloat16*, int64_t, int64_t, bool);
template float* const* SampleMemory::rows<float>(float*, int64_t, int64_t, bool);
template const float* const* SampleMemory::rows<const float>(const float*, int64_t, int64_t, bool);
template const uint8_t* const* SampleMemory::rows<const uint8_t>(const uint8_t*, int64_t, int64_t, bool);
template const uint16_t* const* SampleMemory::rows<const uint16_t>(const uint16_t*, int64_t, int64_t, bool);
template float* SampleMemory::out<float>(int64_t, int64_t);
template double* SampleMemory::out<double>(int64_t, int64_t);
template int64_t* SampleMemory::out<int64_t>(int64_t, int64_t);
template int32_t* SampleMemory::out<int32_t>(int64_t, int64_t);
template uint8_t* SampleMemory::out<uint8_t>(int64_t, int64_t);
template uint16_t* SampleMemory::out<uint16_t>(int64_t, int64_t);
template float* SampleMemory::unseen<float>(int64_t);
template uint8_t* SampleMemory::unseen<uint8_t>(int64_t);
template uint16_t* SampleMemory::unseen<uint16_t>(int64_t);
template int32_t* SampleMemory::unseen<int32_t>(int64_t);
template int16_t* SampleMemory::unseen<int16_t>(int64_t);
template int8_t* SampleMemory::unseen<int8_t>(int64_t);

void SampleMemory::restore() {
  for (const auto& array : arrays_) std::copy(array->first.begin(), array->first.end(), array->all.begin());
}

std::vector<double> SampleMemory::results() const {
  std::vector<double> all;
  for (const auto& array : arrays_) {
    if (!array->read) continue;
    const std::vector<double> numbers = array->read(array->all.data() + array->begin);
    all.insert(all.end(), numbers.begin(), numbers.end());
  }
  return all;
}

bool SampleMemory::margins_intact() const {
  return std::all_of(arrays_.begin(), arrays_.end(), [](const auto& array) {
    const auto is_guard = [](char c) { return c == guard; };
    return std::all_of(array->all.begin(), array->all.begin() + array->begin, is_guard) &&
           std::all_of(array->all.begin() + array->end, array->all.end(), is_guard);
  });
}

}  // namespace swav::test
