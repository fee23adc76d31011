#include "base/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <sstream>

#include "base/arena.h"
#include "base/cgroup.h"
#include "base/status.h"

namespace swav {
namespace {

constexpr int64_t unlimited = INT64_MAX;
constexpr int64_t small_need = int64_t{16} << 20;  // of which there is always enough, or nothing works

// The number that a text begins with, spaces aside; `otherwise` where there is none.
int64_t number(const std::string& text, int64_t otherwise) {
  const size_t start = text.find_first_not_of(" \t");
  int64_t value = otherwise;
  if (start != std::string::npos) std::from_chars(text.data() + start, text.data() + text.size(), value);
  return value;
}

// The number behind a key at the start of a line, as "MemAvailable:   123 kB" or "inactive_file 123".
int64_t value_of(const std::string& text, const std::string& key, int64_t otherwise) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, key.size(), key) == 0) return number(line.substr(key.size()), otherwise);
  }
  return otherwise;
}

// Bytes left in one group; unlimited where it has no limit.
int64_t group_room(const ReadText& read, const std::string& folder, bool unified) {
  const int64_t limit = number(read(folder + (unified ? "/memory.max" : "/memory.limit_in_bytes")), unlimited);
  const int64_t used = number(read(folder + (unified ? "/memory.current" : "/memory.usage_in_bytes")), 0);
  if (limit >= unlimited / 2) return unlimited;  // version 1 says "none" by the largest multiple of a page
  const std::string stat = read(folder + "/memory.stat"), prefix = unified ? "" : "total_";
  const int64_t cache = value_of(stat, prefix + "inactive_file ", 0) + value_of(stat, prefix + "active_file ", 0);
  return std::max<int64_t>(0, limit - std::max<int64_t>(0, used - cache));
}

// Of this process (getrlimit); -1: none.
int64_t limit_on(int resource) {
  rlimit value;
  const bool limited = getrlimit(resource, &value) == 0 && value.rlim_cur <= rlim_t(unlimited);
  return limited ? int64_t(value.rlim_cur) : -1;
}

}  // namespace

int64_t machine_room(const std::string& meminfo) {
  constexpr int64_t unit = 1024;  // "kB"
  const int64_t available = value_of(meminfo, "MemAvailable:", -1);
  if (available >= 0) return available * unit;
  const int64_t free = value_of(meminfo, "MemFree:", -1);  // Linux before 3.14
  return free < 0 ? unlimited : (free + value_of(meminfo, "Buffers:", 0) + value_of(meminfo, "Cached:", 0)) * unit;
}

int64_t container_room(const ReadText& read) {
  int64_t room = unlimited;
  for (const CgroupFolder& folder : cgroup_folders("memory", read("/proc/self/cgroup"), read("/proc/self/mountinfo"))) {
    room = std::min(room, group_room(read, folder.path, folder.version == 2));
  }
  return room;
}

int64_t address_room(const std::string& statm, int64_t page, int64_t address_limit, int64_t data_limit) {
  std::istringstream numbers(statm);
  int64_t size = 0, resident = 0, shared = 0, text = 0, library = 0, data = 0;
  numbers >> size >> resident >> shared >> text >> library >> data;
  int64_t room = unlimited;
  if (address_limit >= 0) room = std::min(room, std::max<int64_t>(0, address_limit - size * page));
  if (data_limit >= 0) room = std::min(room, std::max<int64_t>(0, data_limit - data * page));
  return room;
}

MemoryRoom memory_room(const ReadText& read, int64_t address_limit, int64_t data_limit) {
  const auto without_reserve = [](int64_t bytes) { return bytes == unlimited ? bytes : bytes - bytes / 16; };
  return {without_reserve(machine_room(read("/proc/meminfo"))), without_reserve(container_room(read)),
          without_reserve(address_room(read("/proc/self/statm"), sysconf(_SC_PAGESIZE), address_limit, data_limit))};
}

MemoryRoom memory_room() {
  MemoryRoom room = memory_room(read_text, limit_on(RLIMIT_AS), limit_on(RLIMIT_DATA));
  const int64_t promised = Arena::untouched_bytes();  // part of the address space already
  for (int64_t* part : {&room.machine, &room.container}) {
    if (*part != unlimited) *part = std::max<int64_t>(0, *part - promised);
  }
  return room;
}

int64_t address_room() {
  const int64_t address = limit_on(RLIMIT_AS), data = limit_on(RLIMIT_DATA);
  if (address < 0 && data < 0) return unlimited;
  return address_room(read_text("/proc/self/statm"), sysconf(_SC_PAGESIZE), address, data);
}

int64_t MemoryRoom::smallest() const { return std::min({machine, container, address_space}); }

std::string gib_text(int64_t bytes) {
  char text[48];
  const int64_t hundredths = bytes / ((int64_t{1} << 30) / 100);  // no %f: its point depends on the locale
  std::snprintf(text, sizeof text, "%lld.%02lld GiB", static_cast<long long>(hundredths / 100),
                static_cast<long long>(hundredths % 100));
  return text;
}

std::string MemoryRoom::describe() const {
  const int64_t bytes = smallest();
  if (bytes == container) return "the container's limit leaves " + gib_text(bytes);
  if (bytes == machine) return "this machine has " + gib_text(bytes) + " to give";
  return "the limit on the address space leaves " + gib_text(bytes);
}

void require_memory(int64_t bytes, const std::string& what, const std::string& advice) {
  if (bytes <= small_need) return;
  const MemoryRoom room = memory_room();
  if (bytes <= room.smallest()) return;
  fail(SWAV_ERROR_MEMORY, "%s needs %s of memory and %s; %s", what.c_str(), gib_text(bytes).c_str(), room.describe().c_str(),
       advice.c_str());
}

int64_t largest_that_fits(int64_t most, int64_t room, const std::function<int64_t(int64_t)>& bytes_of) {
  int64_t fits = 0;
  for (int64_t beyond = most + 1; beyond - fits > 1;) {
    const int64_t middle = fits + (beyond - fits) / 2;
    (bytes_of(middle) <= room ? fits : beyond) = middle;
  }
  return fits;
}

}  // namespace swav
