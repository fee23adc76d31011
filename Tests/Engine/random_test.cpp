#include <doctest/doctest.h>

#include "base/random.h"

using namespace swav;

TEST_CASE("philox equals the known answers of Random123") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("streams with different names differ, and a number does not depend on what was drawn before") {
  Random a(7, Purpose::test, 1, 2, 3);
  const Random b(7, Purpose::test, 1, 2, 4);
  CHECK(a.bits(0) != b.bits(0));
  const uint32_t third = a.bits(2);
  a.next_bits();
  a.next_bits();
  CHECK(a.next_bits() == third);
}
