// How many threads compute when nobody says: affinity, the quotas of control groups, OpenMP's variables; and who may change it.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>

#include "base/cgroup.h"
#include "base/parallel.h"
#include "base/thread_count.h"
#include "base/thread_stacks.h"
#include "swav.h"

using namespace swav;

namespace {

std::string paths(const std::vector<CgroupFolder>& folders) {
  std::string text;
  for (const CgroupFolder& folder : folders)
    text += (text.empty() ? "" : " ") + folder.path + ":" + std::to_string(folder.version);
  return text;
}

const char* const unified = "25 30 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const char* const separate =
    "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "31 25 0:27 / /sys/fs/cgroup/cpuset rw shared:10 - cgroup cgroup rw,cpuset\n"
    "32 25 0:28 / /sys/fs/cgroup/memory rw shared:11 - cgroup cgroup rw,memory\n";

ThreadCount with(ProcessLimits limits) { return default_threads(limits); }

int threads_here() {
  swav_runtime_info info;
  REQUIRE(swav_runtime(&info) == SWAV_OK);
  return info.threads;
}

std::string from_here() {
  swav_runtime_info info;
  REQUIRE(swav_runtime(&info) == SWAV_OK);
  return info.threads_from;
}

}  // namespace

TEST_CASE("a group's limits are those of its folder and of all around it, in both versions of control groups") {
  CHECK(paths(cgroup_folders("cpu", "0::/user.slice/app.scope\n", unified)) ==
        "/sys/fs/cgroup/user.slice/app.scope:2 /sys/fs/cgroup/user.slice:2 /sys/fs/cgroup:2");
  const char* const groups = "4:memory:/jobs/7\n3:cpu,cpuacct:/jobs\n2:cpuset:/\n1:name=systemd:/x\n";
  CHECK(paths(cgroup_folders("cpu", groups, separate)) == "/sys/fs/cgroup/cpu,cpuacct/jobs:1 /sys/fs/cgroup/cpu,cpuacct:1");
  CHECK(paths(cgroup_folders("memory", groups, separate)) ==
        "/sys/fs/cgroup/memory/jobs/7:1 /sys/fs/cgroup/memory/jobs:1 /sys/fs/cgroup/memory:1");
}

TEST_CASE("a container that sees its host's path, or one above its own, finds its limits where its groups are mounted") {
  const char* const mounted = "40 39 0:26 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
  CHECK(paths(cgroup_folders("cpu", "3:cpu:/docker/abc\n", mounted)) == "/sys/fs/cgroup/cpu:1");
  CHECK(paths(cgroup_folders("cpu", "3:cpu:/docker/abc/inner\n", mounted)) ==
        "/sys/fs/cgroup/cpu/inner:1 /sys/fs/cgroup/cpu:1");
  CHECK(paths(cgroup_folders("cpu", "3:cpu:/docker/abcdef\n", mounted)) == "/sys/fs/cgroup/cpu:1");
  CHECK(paths(cgroup_folders("cpu", "3:cpu:/elsewhere\n", mounted)) == "/sys/fs/cgroup/cpu:1");
  CHECK(paths(cgroup_folders("cpu", "0::/../outer\n", unified)) == "/sys/fs/cgroup:2");
  CHECK(paths(cgroup_folders("cpu", "0::/\n", unified)) == "/sys/fs/cgroup:2");
}

TEST_CASE("texts that list no such controller, or are cut, name no folder") {
  CHECK(cgroup_folders("cpu", "3:cpu:/a\n", unified).empty());
  CHECK(cgroup_folders("cpu", "0::/a\n", separate).empty());
  CHECK(cgroup_folders("cpu", "", unified).empty());
  CHECK(cgroup_folders("cpu", "0::/a\n", "").empty());
  for (size_t length = 0; length < 90; ++length) {
    cgroup_folders("cpu", "3:cpu,cpuacct:/a", std::string(separate).substr(0, length));
    cgroup_folders("cpu", std::string("12:cpu,cpuacct:/a/b").substr(0, length), separate);
  }
}

TEST_CASE("a quota is its time divided by its period; max, -1, 0 and what is no number are none") {
  CHECK(quota_of_cpu_max("150000 100000\n") == 1.5);
  CHECK(quota_of_cpu_max("max 100000\n") == std::numeric_limits<double>::infinity());
  CHECK(std::isinf(quota_of_cpu_max("")));
  CHECK(std::isinf(quota_of_cpu_max("5000")));
  CHECK(std::isinf(quota_of_cpu_max("0 100000")));
  CHECK(quota_of_cfs("50000\n", "100000\n") == 0.5);
  CHECK(std::isinf(quota_of_cfs("-1\n", "100000\n")));
  CHECK(std::isinf(quota_of_cfs("50000", "0")));
  CHECK(std::isinf(quota_of_cfs("", "")));
  CHECK(cpu_quota() > 0);
}

TEST_CASE("the default number of threads is what the process can run at a time, and says what decided") {
  const double none = std::numeric_limits<double>::infinity();
  CHECK(with({8, 8, none}).count == 8);
  CHECK(with({8, 8, none}).from == "the cores of this machine");
  CHECK(with({8, 3, none}).count == 3);
  CHECK(with({8, 3, none}).from == "affinity: 3 of 8 cores");
  CHECK(with({8, 8, 2}).count == 2);
  CHECK(with({8, 8, 1.5}).count == 2);
  CHECK(with({8, 8, 1.5}).from == "CPU quota of the control group: 1.5");
  CHECK(with({8, 8, 0.1}).count == 1);
  CHECK(with({8, 2, 4}).from == "affinity: 2 of 8 cores");
  CHECK(with({8, 8, 8}).from == "the cores of this machine");
  CHECK(usable_cores({8, 6, 1.5, "1", "1"}) == 2);
  CHECK(usable_cores({8, 6, none}) == 6);
  swav_runtime_info info;
  REQUIRE(swav_runtime(&info) == SWAV_OK);
  CHECK(info.cores == usable_cores(ProcessLimits::of_this_process()));
}

TEST_CASE("OMP_NUM_THREADS goes before cores and quota, OMP_THREAD_LIMIT bounds all; other texts say nothing") {
  CHECK(with({8, 8, 2, "5"}).count == 5);
  CHECK(with({8, 8, 2, "5"}).from == "OMP_NUM_THREADS");
  CHECK(with({2, 2, 2, " 4 , 2"}).count == 4);
  CHECK(with({8, 8, 8, nullptr, "3"}).count == 3);
  CHECK(with({8, 8, 8, nullptr, "3"}).from == "OMP_THREAD_LIMIT");
  CHECK(with({8, 8, 8, "6", "3"}).from == "OMP_THREAD_LIMIT");
  CHECK(with({8, 8, 8, "2", "3"}).from == "OMP_NUM_THREADS");
  for (const char* text : {"", "0", "-2", "many", "3x", "99999999999999"}) {
    CHECK(with({8, 8, 8, text, text}).count == 8);
  }
  CHECK(with({8, 8, 8, "1000000"}).count == most_threads);
  CHECK(chosen_threads(7, {8, 8, 2, "5"}).count == 7);
  CHECK(chosen_threads(7, {8, 8, 2, "5"}).from == "set by the program");
  CHECK(chosen_threads(7, {8, 8, 2, nullptr, "5"}).count == 5);
}

TEST_CASE("the number of threads is what was set, and 0 brings the default back") {
  const int before = threads_here();
  const std::string reason = from_here();
  REQUIRE(swav_set_threads(3) == SWAV_OK);
  CHECK(threads_here() == 3);
  CHECK(from_here() == "set by the program");
  CHECK(swav_set_threads(-1) == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()) == "threads is -1; 0 (no choice) to 4096 is allowed");
  CHECK(swav_set_threads(4097) == SWAV_ERROR_ARGUMENT);
  REQUIRE(swav_set_threads(0) == SWAV_OK);
  CHECK(threads_here() == before);
  CHECK(from_here() == reason);
}

TEST_CASE("a thread's own number of threads holds for its jobs alone, and can be given back") {
  REQUIRE(swav_set_threads(3) == SWAV_OK);
  int32_t previous = -1;
  REQUIRE(swav_set_caller_threads(2, &previous) == SWAV_OK);
  CHECK(previous == 0);
  int mine = 0, others = 0;
  parallel::run_on_engine([&] { mine = parallel::threads(); });
  std::thread([&] { parallel::run_on_engine([&] { others = parallel::threads(); }); }).join();
  CHECK(mine == 2);
  CHECK(others == 3);
  CHECK(threads_here() == 2);
  CHECK(swav_set_caller_threads(-1, &previous) == SWAV_ERROR_ARGUMENT);
  REQUIRE(swav_set_caller_threads(0, &previous) == SWAV_OK);
  CHECK(previous == 2);
  CHECK(threads_here() == 3);
  REQUIRE(swav_set_threads(0) == SWAV_OK);
}

TEST_CASE("threads whose stacks run go on, and others take half of what the address space leaves") {
  const int64_t stack = int64_t{8} << 20, gib = int64_t{1} << 30;
  CHECK(threads_with_stacks(48, 1, gib, stack) == 48);
  CHECK(threads_with_stacks(48, 1, gib / 4, stack) == 17);  // 1 and 128 MiB / 8 MiB
  CHECK(threads_with_stacks(48, 30, gib / 4, stack) == 46);
  CHECK(threads_with_stacks(48, 1, stack, stack) == 1);
  CHECK(threads_with_stacks(4, 1, 0, stack) == 1);
  CHECK(threads_with_stacks(4, 8, 0, stack) == 4);
}

TEST_CASE("the stack of OpenMP's threads is that of OMP_STACKSIZE, in KiB without a unit, and at least the system's") {
  const int64_t usual = thread_stack_bytes(nullptr), mib = int64_t{1} << 20;
  CHECK(usual >= mib);
  CHECK(thread_stack_bytes("262144") == 256 * mib);
  CHECK(thread_stack_bytes("256M") == 256 * mib);
  CHECK(thread_stack_bytes(" 1 g") == 1024 * mib);
  CHECK(thread_stack_bytes("268435456B") == 256 * mib);
  for (const char* text : {"", "1B", "x", "-4G", "4X", "99999999999999999999"}) CHECK(thread_stack_bytes(text) == usual);
}
