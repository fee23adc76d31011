// What a container allows: the limits of Linux' control groups, versions 1 and 2. Functions over texts, so that they are
// tested without a container; read_text and cpu_quota are all that looks at the system.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace swav {

struct CgroupFolder {
  std::string path;
  int version;  // 1 or 2: decides which files hold a limit
};

// The folders whose limits hold for this process, its own first, then those around it. controller: "cpu", "memory"; groups and
// mounts: the texts of /proc/self/cgroup and /proc/self/mountinfo. Empty where the controller is not mounted.
std::vector<CgroupFolder> cgroup_folders(std::string_view controller, std::string_view groups, std::string_view mounts);

// Processors that may be used at a time; infinite where there is no limit. Of version 2's cpu.max ("150000 100000", "max
// 100000").
double quota_of_cpu_max(std::string_view text);
// Of version 1's cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us.
double quota_of_cfs(std::string_view quota, std::string_view period);

// A file's text; empty where it cannot be read.
std::string read_text(const std::string& path);

// The smallest quota of this process' folders, in processors.
double cpu_quota();

}  // namespace swav
