#include "base/thread_count.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/cgroup.h"
#include "base/number.h"

namespace swav {
namespace {

// The first number of a list; nothing where it is none or not positive.
std::optional<int> first_number(const char* variable) {
  if (variable == nullptr) return {};
  std::string_view text(variable);
  text = text.substr(0, text.find(','));
  const std::optional<int> number = number_of<int>(text);
  return number && *number > 0 ? number : std::nullopt;
}

int cores_by_affinity() {
  cpu_set_t set;
  // Fails on a machine of more than 1024 processors.
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return int(std::max(1u, std::thread::hardware_concurrency()));
}

ThreadCount limited(ThreadCount wanted, const ProcessLimits& limits) {
  const std::optional<int> limit = first_number(limits.omp_thread_limit);
  if (limit && *limit < wanted.count) wanted = {*limit, "OMP_THREAD_LIMIT"};
  wanted.count = std::clamp(wanted.count, 1, most_threads);
  return wanted;
}

}  // namespace

ProcessLimits ProcessLimits::of_this_process() {
  const int allowed = cores_by_affinity(), online = int(sysconf(_SC_NPROCESSORS_ONLN));
  return {std::max(online, allowed), allowed, cpu_quota(), std::getenv("OMP_NUM_THREADS"), std::getenv("OMP_THREAD_LIMIT")};
}

int usable_cores(const ProcessLimits& limits) {
  return std::max(1, int(std::min(double(limits.allowed_cores), std::ceil(limits.quota))));
}

ThreadCount default_threads(const ProcessLimits& limits) {
  if (const std::optional<int> number = first_number(limits.omp_num_threads))
    return limited({*number, "OMP_NUM_THREADS"}, limits);
  ThreadCount count{usable_cores(limits), "the cores of this machine"};
  if (limits.allowed_cores < limits.machine_cores)
    count.from = "affinity: " + text_of(limits.allowed_cores) + " of " + text_of(limits.machine_cores) + " cores";
  if (count.count < limits.allowed_cores) count.from = "CPU quota of the control group: " + text_of(limits.quota, 3);
  return limited(count, limits);
}

ThreadCount chosen_threads(int count, const ProcessLimits& limits) { return limited({count, "set by the program"}, limits); }

}  // namespace swav
