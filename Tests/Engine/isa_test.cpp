// The choice of the instruction set, and what the runtime says about it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "base/isa.h"
#include "kernels/kernels.h"
#include "swav.h"

using namespace swav;

TEST_CASE("the instruction set in use is the best of the CPU, capped by the environment, and the runtime names it") {
  Isa cap = Isa::avx512;
  const char* text = std::getenv("SWAV_MAX_ISA");
  for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (text != nullptr && text == std::string(name(isa))) cap = isa;
  }
  CHECK(int(current_isa()) == std::min(int(cap), int(supported_isa())));
  swav_runtime_info info;
  REQUIRE(swav_runtime(&info) == SWAV_OK);
  CHECK(std::string(info.isa) == name(current_isa()));
  CHECK(info.version == SWAV_VERSION);
  CHECK(info.threads >= 1);
  CHECK(std::string(info.build).find_first_of("0123456789") != std::string::npos);
  CHECK(&kernels() == &kernels(current_isa()));
}

TEST_CASE("each table of kernels is that of its instruction set: vectors of 4, 8 and 16 floats") {
  int lanes = 4;
  for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (int(isa) > int(supported_isa())) break;
    CHECK(std::string(kernels(isa).isa) == name(isa));
    CHECK(kernels(isa).lanes == lanes);
    lanes *= 2;
  }
}
