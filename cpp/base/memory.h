// How much memory this process may still take: what the machine has, what its container allows, and its address space. Plans
// are compared with it before they are allocated, because the system grants more than there is and kills who then uses it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace swav {

// Bytes; INT64_MAX where nothing limits. A sixteenth of each is left for everything that no plan knows.
struct MemoryRoom {
  int64_t machine = INT64_MAX;        // without swapping
  int64_t container = INT64_MAX;      // of the tightest control group above this process
  int64_t address_space = INT64_MAX;  // and of private data

  int64_t smallest() const;
  // "this machine has 3.20 GiB to give", of the smallest.
  std::string describe() const;
};

// Of this process, now. What plans have reserved and not touched yet counts as taken.
MemoryRoom memory_room();

// Bytes left under this process' limits on address space and data, now; INT64_MAX where there are none.
int64_t address_room();

// Throws SWAV_ERROR_MEMORY where `bytes` more do not fit: "<what> needs 7.10 GiB and this machine has 3.20 GiB to give;
// <advice>". Small needs are not compared.
void require_memory(int64_t bytes, const std::string& what, const std::string& advice);

// The largest n in [1, most] with bytes_of(n) <= room; 0 where there is none. bytes_of grows with n.
int64_t largest_that_fits(int64_t most, int64_t room, const std::function<int64_t(int64_t)>& bytes_of);

std::string gib_text(int64_t bytes);

// -- What the system says, as texts. read: a whole file by its path, empty where there is none. --

using ReadText = std::function<std::string(const std::string& path)>;

// Of the limits (setrlimit) on address space and on data.
MemoryRoom memory_room(const ReadText& read, int64_t address_limit, int64_t data_limit);

// Bytes available without swapping, of /proc/meminfo. INT64_MAX where it says nothing.
int64_t machine_room(const std::string& meminfo);

// Bytes left in the control groups (version 1 and 2) above a process, of /proc/self/cgroup, /proc/self/mountinfo and the files
// that they lead to. Page cache of the group counts as free: the system drops it first.
int64_t container_room(const ReadText& read);

// Bytes left under a limit on address space (all of it) and one on data, of /proc/self/statm; limits below 0: none.
int64_t address_room(const std::string& statm, int64_t page, int64_t address_limit, int64_t data_limit);

}  // namespace swav
