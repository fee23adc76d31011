// What a process may take, read from the texts of the system; plans that are refused before they are allocated.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/memory.h"
#include "base/status.h"
#include "base/poison.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

constexpr int64_t mib = 1 << 20, gib = 1 << 30;

// Files by their paths.
using Files = std::map<std::string, std::string>;
ReadText reader(const Files& files) {
  return [files](const std::string& path) {
    const auto found = files.find(path);
    return found == files.end() ? std::string() : found->second;
  };
}

const char* const v2_mount = "26 25 0:23 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
const char* const v1_mounts =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

}  // namespace

TEST_CASE("the machine's room is what is available without swapping, or free and cached memory where that is not said") {
  CHECK(machine_room("MemTotal:       24684092 kB\nMemFree:  100 kB\nMemAvailable:   2048 kB\nSwapFree: 9 kB\n") == 2 * mib);
  CHECK(machine_room("MemTotal: 10 kB\nMemFree: 1000 kB\nBuffers: 20 kB\nCached: 4 kB\nSwapCached: 7 kB\n") == 1024 * 1024);
  CHECK(machine_room("") == INT64_MAX);
  CHECK(machine_room("MemAvailable: none\n") == INT64_MAX);
}

TEST_CASE(
    "a control group of version 2 leaves its limit less what it uses, page cache aside, and so does each group above it") {
  Files files{{"/proc/self/cgroup", "0::/user.slice/job\n"},
              {"/proc/self/mountinfo", v2_mount},
              {"/sys/fs/cgroup/user.slice/job/memory.max", "max\n"},
              {"/sys/fs/cgroup/user.slice/job/memory.current", "700000000\n"},
              {"/sys/fs/cgroup/user.slice/memory.max", "1073741824\n"},
              {"/sys/fs/cgroup/user.slice/memory.current", "900000000\n"},
              {"/sys/fs/cgroup/user.slice/memory.stat", "anon 1\nfile 3\ninactive_file 200000000\nactive_file 100000000\n"}};
  CHECK(container_room(reader(files)) == gib - 600000000);
  files["/sys/fs/cgroup/user.slice/job/memory.max"] = "750000000\n";
  CHECK(container_room(reader(files)) == 50000000);
  files["/sys/fs/cgroup/user.slice/job/memory.current"] = "800000000\n";  // a limit that was lowered
  CHECK(container_room(reader(files)) == 0);
}

TEST_CASE("a control group of version 1 is found beside others, and its largest number is no limit") {
  Files files{{"/proc/self/cgroup", "9:name=systemd:/\n4:memory:/docker/f00\n1:cpu,cpuacct:/docker/f00\n0::/\n"},
              {"/proc/self/mountinfo", v1_mounts},
              {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
              {"/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "9223372036854771712\n"},
              {"/sys/fs/cgroup/memory/docker/f00/memory.limit_in_bytes", "536870912\n"},
              {"/sys/fs/cgroup/memory/docker/f00/memory.usage_in_bytes", "136870912\n"},
              {"/sys/fs/cgroup/memory/docker/f00/memory.stat", "inactive_file 7\ntotal_inactive_file 36870912\n"}};
  CHECK(container_room(reader(files)) == 536870912 - 100000000);
  files["/sys/fs/cgroup/memory/docker/f00/memory.limit_in_bytes"] = "9223372036854771712\n";
  CHECK(container_room(reader(files)) == INT64_MAX);
}

TEST_CASE("inside a container, where only the part of the hierarchy below its own group is mounted, its limit is found") {
  Files files{{"/proc/self/cgroup", "4:memory:/docker/f00\n"},
              {"/proc/self/mountinfo", "35 31 0:32 /docker/f00 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"},
              {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n"},
              {"/sys/fs/cgroup/memory/memory.usage_in_bytes", "400000\n"}};
  CHECK(container_room(reader(files)) == 600000);
  // A namespace of control groups calls its own group "/".
  files["/proc/self/cgroup"] = "4:memory:/\n";
  CHECK(container_room(reader(files)) == 600000);
  files["/proc/self/cgroup"] = "4:memory:/../..\n";
  CHECK(container_room(reader(files)) == 600000);
}

TEST_CASE("no control group, or texts that nobody wrote, are no limit and no crash") {
  CHECK(container_room(reader({})) == INT64_MAX);
  for (const char* text :
       {"", "\n", ":", "::", "4:memory", "0::", "35 31 - ", "- cgroup2", " - cgroup2 \n", "a b c d e - cgroup2 x y"}) {
    CHECK(container_room(reader({{"/proc/self/cgroup", text}, {"/proc/self/mountinfo", v1_mounts}})) == INT64_MAX);
    CHECK(container_room(reader({{"/proc/self/cgroup", "0::/a\n4:memory:/b\n"}, {"/proc/self/mountinfo", text}})) == INT64_MAX);
  }
}

TEST_CASE("the address space leaves its limit less what is mapped, and data likewise") {
  CHECK(address_room("1000 5 5 1 0 300 0\n", 4096, -1, -1) == INT64_MAX);
  CHECK(address_room("1000 5 5 1 0 300 0\n", 4096, 4096 * 1500, -1) == 4096 * 500);
  CHECK(address_room("1000 5 5 1 0 300 0\n", 4096, 4096 * 1500, 4096 * 400) == 4096 * 100);
  CHECK(address_room("1000 5 5 1 0 300 0\n", 4096, 4096 * 900, -1) == 0);
}

TEST_CASE("the room is the smallest of the three, less a sixteenth, and says which one it is") {
  Files files{{"/proc/meminfo", "MemAvailable: 16777216 kB\n"}, {"/proc/self/statm", "0 0 0 0 0 0 0\n"}};
  CHECK(memory_room(reader(files), -1, -1).smallest() == 15 * gib);
  CHECK(memory_room(reader(files), -1, -1).describe() == "this machine has 15.00 GiB to give");
  CHECK(memory_room(reader(files), 8 * gib, -1).describe() == "the limit on the address space leaves 7.50 GiB");
  files["/proc/self/cgroup"] = "0::/\n";
  files["/proc/self/mountinfo"] = v2_mount;
  files["/sys/fs/cgroup/memory.max"] = "4294967296\n";
  CHECK(memory_room(reader(files), 8 * gib, -1).describe() == "the container's limit leaves 3.75 GiB");
}

TEST_CASE("the largest number that fits is the largest number that fits") {
  for (int64_t room : {0, 1, 99, 100, 101, 250, 2000}) {
    CHECK(largest_that_fits(20, room, [](int64_t n) { return 100 * n; }) == std::min<int64_t>(20, room / 100));
  }
  CHECK(largest_that_fits(0, 100, [](int64_t) { return int64_t(1); }) == 0);
}

TEST_CASE("memory that is reserved and not touched yet counts as taken, until it is touched") {
  const int64_t before = Arena::untouched_bytes();
  {
    Arena arena;
    char* memory = nullptr;
    arena.lay_out([&] { memory = arena.take<char>(64 * mib); });
    CHECK(Arena::untouched_bytes() - before >= 64 * mib);
    for (int64_t i = 0; i < 64 * mib; i += 4096) memory[i] = 1;
    CHECK(Arena::untouched_bytes() - before <= 4 * mib);
  }
  CHECK(Arena::untouched_bytes() == before);
}

TEST_CASE("an arena gives every piece 64-byte alignment and counts no gap as used") {
  Arena arena, count;
  float *a = nullptr, *b = nullptr, *none = nullptr;
  arena.lay_out([&] {
    a = arena.take<float>(3);
    none = arena.take<float>(0);
    b = arena.take<float>(16);
  });
  CHECK(arena.used() == 128);
  CHECK(count.take<float>(3) == nullptr);
  CHECK(count.used() == 64);
  CHECK(reinterpret_cast<uintptr_t>(a) % 64 == 0);
  CHECK(reinterpret_cast<uintptr_t>(b) % 64 == 0);
  CHECK((b - a) >= 16);
  CHECK(none != nullptr);
  CHECK_THROWS_AS(arena.take<char>(3 * mib), Error);
#ifdef SWAV_ADDRESS_SANITIZER
  for (const float* behind : {a + 3, none, b + 16}) CHECK(__asan_address_is_poisoned(behind) == 1);
  for (const float* inside : {a, a + 2, b, b + 15}) CHECK(__asan_address_is_poisoned(inside) == 0);
#endif
}

TEST_CASE("scratch is as large as was asked for, stays, and is another piece of memory for each worker and slot") {
  ScratchSize size;
  size.include(Scratch::operand, 100);
  size.include(Scratch::operand, 50);
  size.include(Scratch::result, 300000);
  const TeamScratch scratch(size, 2);
  std::vector<float*> pieces;
  for (int worker : {0, 1}) {
    pieces.push_back(scratch.get(worker, Scratch::operand, 100));
    pieces.push_back(scratch.get(worker, Scratch::result, 300000));
    std::fill(pieces.back(), pieces.back() + 300000, float(worker));
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    CHECK(reinterpret_cast<uintptr_t>(pieces[i]) % 64 == 0);
    for (size_t j = 0; j < i; ++j) CHECK(pieces[i] != pieces[j]);
  }
  CHECK(scratch.get(0, Scratch::result, 5)[4] == 0);
  CHECK(TeamScratch(size, 2).get(1, Scratch::result, 5)[4] == 1);
  CHECK_THROWS_AS(scratch.get(0, Scratch::operand, 1 << 20), Error);
  CHECK(size.bytes() >= 4 * (100 + 300000));
#ifdef SWAV_ADDRESS_SANITIZER
  const float* shorter = scratch.get(0, Scratch::operand, 99);
  CHECK(__asan_address_is_poisoned(shorter + 98) == 0);
  CHECK(__asan_address_is_poisoned(shorter + 99) == 1);
#endif
}

TEST_CASE("a plan of the trainer that no machine holds is refused, naming need, room and the largest batch that fits") {
  const swav_network_config network_config = small_network(50, SWAV_STEM_IMAGENET, 16);
  swav_trainer_config config = small_training();
  config.crop_sizes[0] = 224;
  config.batch = 65536;
  swav_network* network = nullptr;
  REQUIRE(swav_network_create(&network_config, 1, &network) == SWAV_OK);
  swav_trainer* trainer = nullptr;
  REQUIRE(swav_trainer_create(network, &config, &trainer) == SWAV_ERROR_MEMORY);
  CHECK(trainer == nullptr);
  const std::string message = swav_error_message(), part = "; the largest batch that fits is ";
  CAPTURE(message);
  CHECK(message.find("a training step on a batch of 65536 needs ") == 0);
  REQUIRE(message.find(part) != std::string::npos);
  // What it names is taken, with a twentieth less for what other processes take in between, and a tenth more is not.
  const int32_t named = int32_t(std::stol(message.substr(message.find(part) + part.size())));
  config.batch = named - named / 20 - 1;
  CHECK(swav_trainer_create(network, &config, &trainer) == SWAV_OK);
  swav_trainer_destroy(trainer);
  trainer = nullptr;
  config.batch = named + named / 10 + 1;
  CHECK(swav_trainer_create(network, &config, &trainer) == SWAV_ERROR_MEMORY);

  config.crop_sizes[0] = 16384;
  config.crop_counts[0] = 64;
  CHECK(swav_trainer_create(network, &config, &trainer) == SWAV_ERROR_MEMORY);
  CHECK(std::string(swav_error_message()).find(" images of 16384 x 16384 pixels need more memory than any machine has") !=
        std::string::npos);
  config.batch = 2;
  CHECK(swav_trainer_create(network, &config, &trainer) == SWAV_ERROR_MEMORY);
  CHECK(std::string(swav_error_message()).find("fewer or smaller crops") != std::string::npos);
  swav_network_destroy(network);
}

TEST_CASE("networks, recalibration and embedding that the machine does not hold are refused before anything is allocated") {
  swav_network_config config = small_network(50, SWAV_STEM_IMAGENET, 16);
  config.width = 16;
  config.base_width = 512;
  swav_network* network = nullptr;
  CHECK(swav_network_create(&config, 1, &network) == SWAV_ERROR_MEMORY);
  CHECK(std::string(swav_error_message()).find("the network needs ") == 0);
  config = small_network();
  REQUIRE(swav_network_create(&config, 1, &network) == SWAV_OK);
  const float pixel = 0;
  REQUIRE(swav_network_recalibrate_begin(network) == SWAV_OK);
  CHECK(swav_network_recalibrate_batch(network, &pixel, 1 << 20, 224, 224) == SWAV_ERROR_MEMORY);
  const std::string message = swav_error_message();
  CHECK(message.find("recalibration on 1048576 images of 224 x 224 pixels needs ") == 0);
  CHECK(message.find("; the largest batch that fits is ") != std::string::npos);
  CHECK(swav_network_recalibrate_batch(network, &pixel, 20000, 16384, 16384) == SWAV_ERROR_MEMORY);
  // Features are made of 32 images at a time: 96 GiB. A machine that has them would read pixels that are not there.
  if (memory_room().smallest() < 64 * gib) {
    float features[1];
    CHECK(swav_network_embed(network, SWAV_OUTPUT_FEATURES, &pixel, 32, 16384, 16384, features) == SWAV_ERROR_MEMORY);
    CHECK(std::string(swav_error_message()).find("inference on 32 images of 16384 x 16384 pixels needs ") == 0);
  } else {
    MESSAGE("features of images of 16384 x 16384 pixels fit into this machine");
  }
  swav_network_destroy(network);
}

// Run by the test below in a process of its own, as the limit stays.
TEST_CASE("limited address space" * doctest::skip()) {
  const swav_network_config network_config = small_network();
  swav_trainer_config config = small_training();
  config.batch = 512;
  std::vector<Floats> crops;
  std::vector<const float*> pointers;
  for (int32_t g = 0; g < 2; ++g) {
    crops.push_back(normals(uint64_t(g), 2 * config.batch * int64_t(config.crop_sizes[g]) * config.crop_sizes[g] * 3));
    pointers.push_back(crops.back().data());
  }
  swav_network* network = nullptr;
  swav_trainer* trainer = nullptr;
  swav_memory_plan plan{};
  REQUIRE(swav_network_create(&network_config, 1, &network) == SWAV_OK);
  REQUIRE(swav_trainer_create(network, &config, &trainer) == SWAV_OK);
  REQUIRE(swav_trainer_memory(trainer, &plan) == SWAV_OK);
  swav_trainer_destroy(trainer);
  trainer = nullptr;

  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  REQUIRE(pages > 0);
  const rlimit address{pages * rlim_t(sysconf(_SC_PAGESIZE)) + rlim_t(plan.total) * 3 / 4, RLIM_INFINITY};
  REQUIRE(setrlimit(RLIMIT_AS, &address) == 0);
  REQUIRE(swav_trainer_create(network, &config, &trainer) == SWAV_ERROR_MEMORY);
  const std::string message = swav_error_message(), part = "; the largest batch that fits is ";
  CAPTURE(message);
  CHECK(message.find("the limit on the address space leaves") != std::string::npos);
  REQUIRE(message.find(part) != std::string::npos);
  config.batch = int32_t(std::stol(message.substr(message.find(part) + part.size())));
  CHECK(config.batch > 256);
  CHECK(config.batch < 512);
  REQUIRE_MESSAGE(swav_trainer_create(network, &config, &trainer) == SWAV_OK, swav_error_message());
  const swav_step_input input{pointers.data(), 0.1, false, false, true};
  swav_step_report report;
  CHECK(swav_trainer_step(trainer, &input, &report) == SWAV_OK);
  swav_trainer_destroy(trainer);
  swav_network_destroy(network);
}

#if !defined(SWAV_ADDRESS_SANITIZER) && !defined(__SANITIZE_THREAD__)  // sanitizers reserve terabytes of addresses
TEST_CASE("under a limit on the address space a plan is an error, and the batch that the error names trains") {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  CHECK(std::system(("'" + program + "' --no-version --no-skip --test-case='limited address space' >/dev/null").c_str()) == 0);
}

TEST_CASE("where the limit on the address space leaves no room for the stacks of all threads, fewer compute the same") {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  CHECK(std::system(("OMP_NUM_THREADS=48 OMP_STACKSIZE=64M timeout 60 '" + program +
                     "' --no-version --no-skip --test-case='limited address space' >/dev/null")
                        .c_str()) == 0);
}

TEST_CASE("where the system refuses OpenMP's runtime a thread the process ends, and does not wait for itself") {
  // 200 TiB, more than there are addresses. libgomp's own variable, which does not count when threads are chosen.
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const int status = std::system(("OMP_NUM_THREADS=2 GOMP_STACKSIZE=200000G timeout 60 '" + program +
                                  "' --no-version --test-case='*kNN equals a plain search*' >/dev/null 2>&1")
                                     .c_str());
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) != 124);  // what timeout gives
}
#endif
