// What this CPU is: its features as a set, the caps on them, the choice of the instruction set, and what the runtime says of
// it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "base/cpu.h"
#include "base/cpu_cap.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "swav.h"

using namespace swav;

TEST_CASE("the features in use are those of the CPU that the cap of the environment allows, and the runtime names both") {
  const char* cap = std::getenv("SWAV_MAX_ISA");
  CHECK(used_features() == (cap == nullptr || *cap == 0 ? cpu_features() : cpu_features() & allowed_by(cap)));
  swav_runtime_info info;
  REQUIRE(swav_runtime(&info) == SWAV_OK);
  CHECK(std::string(info.isa) == name(current_isa()));
  CHECK(std::string(info.features) == cpu_features().text());
  CHECK(std::string(info.used) == used_features().text());
  CHECK(info.version == SWAV_VERSION);
  CHECK(info.threads >= 1);
  CHECK(std::string(info.build).find_first_of("0123456789") != std::string::npos);
  CHECK(&kernels() == &kernels(current_isa()));
}

TEST_CASE("features are a set: one of them says nothing about the others") {
  const Features some{Feature::avx2, Feature::avx512_bf16};
  CHECK(some.has(Feature::avx512_bf16));
  CHECK(!some.has(Feature::avx512_vnni));
  CHECK(some.include({}));
  CHECK(some.include({Feature::avx2}));
  CHECK(!some.include({Feature::avx2, Feature::fma}));
  CHECK((some & Features{Feature::avx2, Feature::fma}) == Features{Feature::avx2});
  CHECK((some | Features{Feature::fma}).include({Feature::fma, Feature::avx512_bf16}));
  CHECK(some.text() == "avx2 avx512_bf16");
  CHECK(Features().text() == "");
}

TEST_CASE("each cap allows what the ones before it do, and more; another name is refused") {
  Features before;
  CHECK(allowed_by("baseline") == Features());
  for (const char* cap : cap_names) {
    const Features allowed = allowed_by(cap);
    CHECK(allowed.include(before));
    if (cap != cap_names[0]) CHECK(!(allowed == before));
    before = allowed;
  }
  CHECK(allowed_by("avx512").include(needs(Isa::avx512)));
  CHECK(allowed_by("avx512").has(Feature::avx512_vnni));
  CHECK(!allowed_by("avx512").has(Feature::avx512_bf16));
  CHECK(!allowed_by("avx512_bf16").has(Feature::amx_tile));
  for (int i = 0; i < feature_count; ++i) CHECK(allowed_by("amx").has(Feature(i)));
  for (const char* cap : cap_names) CHECK_NOTHROW(check_cap(cap));
  CHECK_NOTHROW(check_cap(nullptr));
  CHECK_NOTHROW(check_cap(""));
  for (const char* cap : {"avx51", "AVX2", "avx512 ", "none"}) {
    CAPTURE(cap);
    CHECK_THROWS_WITH_AS(
        check_cap(cap),
        ("SWAV_MAX_ISA is \"" + std::string(cap) + "\"; amx, avx512_bf16, avx512, avx2 or baseline is allowed").c_str(), Error);
  }
}

// Run by ctest with SWAV_MAX_ISA=avx51 in a process of its own, as it is read once.
TEST_CASE("a cap that is none is an error of every call, and not the same as no cap" * doctest::skip()) {
  const std::string message = "SWAV_MAX_ISA is \"avx51\"; amx, avx512_bf16, avx512, avx2 or baseline is allowed";
  swav_runtime_info info;
  swav_network* network = nullptr;
  const swav_network_config config = swav_network_config_default();
  for (int again = 0; again < 2; ++again) {
    CHECK(swav_runtime(&info) == SWAV_ERROR_ARGUMENT);
    CHECK(swav_error_message() == message);
    CHECK(swav_network_create(&config, 1, &network) == SWAV_ERROR_ARGUMENT);
    CHECK(swav_error_message() == message);
    CHECK(network == nullptr);
  }
}

#if defined(__x86_64__) && defined(__linux__)
TEST_CASE("the features of this CPU are those that the operating system lists") {
  std::set<std::string> listed;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; listed.empty() && std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) listed.insert(word);
  }
  if (listed.empty()) return;  // a sandbox without /proc
  std::string expected;
  for (int i = 0; i < feature_count; ++i) {
    const std::string feature = Features{Feature(i)}.text();
    if (listed.count(feature) > 0) expected += (expected.empty() ? "" : " ") + feature;
  }
  CHECK(cpu_features().text() == expected);
}
#endif

TEST_CASE("tiles are granted only where they are in use, and a refusal is an answer") {
  const bool granted = grant_tiles();
  CHECK(granted == grant_tiles());
  if (!used_features().has(Feature::amx_tile)) CHECK(!granted);
}

TEST_CASE("each table of kernels is that of its instruction set: vectors of 4, 8 and 16 floats, and their register tiles") {
  int lanes = 4;
  for (Isa isa : every_isa) {
    if (!runs(isa)) break;
    const Kernels& kernel = kernels(isa);
    CHECK(std::string(kernel.isa) == name(isa));
    CHECK(kernel.lanes == lanes);
    CHECK(kernel.tile_rows == tile_geometry(lanes).rows);
    CHECK(kernel.tile_columns == tile_geometry(lanes).columns);
    lanes *= 2;
  }
}
