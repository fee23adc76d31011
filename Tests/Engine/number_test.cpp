// Numbers as text: what is written reads back as the same bits, and nothing else is taken for a number. That the host's locale
// does not matter is shown by process_test.c.
#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "base/number.h"
#include "base/random.h"

using namespace swav;

TEST_CASE("a float's or double's text reads back as the same bits") {
  for (float value : {0.0f, -0.0f, 0.1f, 1e-45f, 3.4028235e38f, 16777217.0f, std::numeric_limits<float>::infinity()}) {
    const float again = number_of<float>(text_of(value)).value();
    CHECK(std::memcmp(&again, &value, sizeof value) == 0);
  }
  const Random random(1, Purpose::test);
  for (uint64_t i = 0; i < 2000; ++i) {
    const uint32_t bits = random.bits(i);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    if (value != value) continue;
    const float again = number_of<float>(text_of(value)).value();
    CHECK(std::memcmp(&again, &value, sizeof value) == 0);
    const double wide = double(value) / 3;
    CHECK(number_of<double>(text_of(wide)).value() == wide);
    CHECK(float(number_of<double>(text_of(double(value), 9)).value()) == value);  // 9 digits tell all floats apart
  }
}

TEST_CASE("numbers are taken from the front of a text one after the other") {
  std::string_view text = " 0.485 +0.5\t-1e3 x";
  CHECK(take_number<float>(text) == 0.485f);
  CHECK(take_number<float>(text) == 0.5f);
  CHECK(take_number<float>(text) == -1000.0f);
  CHECK_FALSE(take_number<float>(text).has_value());
  CHECK(text == " x");
}

TEST_CASE("what is no number, too large for its type, or has something beside it, is nothing") {
  for (const char* text : {"", " ", "x", "0,5", "1 2", "+-1", "1e", "--1", "0x10", "."}) {
    CAPTURE(text);
    CHECK_FALSE(number_of<double>(text).has_value());
  }
  CHECK(number_of<int32_t>(" 12\n") == 12);
  CHECK_FALSE(number_of<int32_t>("1.5").has_value());
  CHECK_FALSE(number_of<int32_t>("2147483648").has_value());
  CHECK_FALSE(number_of<uint32_t>("-1").has_value());
}
