// Every row of the kernel table, by its sample (kernel_rows.h): what its instruction sets give is what the baseline gives, and
// nothing outside is written. Tests against plain loops in double lie with the stages.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "kernel_rows.h"
#include "kernel_samples.h"
#include "kernel_samples_bfloat.h"

using namespace swav;
using namespace swav::test;

namespace {

template <Row row>
std::vector<double> results(const Kernels& kernel, int64_t n, double& tolerance) {
  SampleMemory memory(true);
  const std::function<void()> call = sample<row>(kernel, memory, n);
  call();
  CHECK_MESSAGE(memory.margins_intact(), std::string(kernel.isa), " ", std::string(row_names[int(row)]), " n ", n);
  tolerance = memory.tolerance;
  return memory.results();
}

template <Row row>
void check_row() {
  for (int64_t n : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 61}) {
    double tolerance = 0;
    const std::vector<double> expected = results<row>(kernels(Isa::baseline), n, tolerance);
    REQUIRE(!expected.empty());
    std::vector<const Kernels*> tables = machine_kernels();
    if (rounding_stand_in() != nullptr) tables.push_back(rounding_stand_in());
    for (const Kernels* kernel : tables) {
      if (row == Row::fused_quads && !runs_quads(*kernel)) continue;
      const std::vector<double> found = results<row>(*kernel, n, tolerance);
      REQUIRE(found.size() == expected.size());
      for (size_t i = 0; i < found.size(); ++i) {
        const double room = tolerance * std::max({1.0, std::abs(expected[i]), std::abs(found[i])});
        if (std::abs(found[i] - expected[i]) <= room) continue;
        FAIL_CHECK(std::string(kernel->isa), " ", std::string(row_names[int(row)]), " n ", n, ": result ", i, " is ", found[i],
                   ", the baseline's ", expected[i]);
        break;
      }
    }
  }
}

}  // namespace

#define SWAV_KERNEL(result, name, ...)                                                                             \
  TEST_CASE("kernel " #name ": every instruction set gives what the baseline gives, and writes nothing outside") { \
    check_row<Row::name>();                                                                                        \
  }
// clang-format off
#include "kernels/kernel_table.inl.h"
#include "kernels/bfloat_table.inl.h"
// clang-format on
#undef SWAV_KERNEL
