#include "base/cgroup.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>

#include "base/number.h"

namespace swav {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

bool lists(std::string_view names, std::string_view name) {
  const auto parts = split(names, ',');
  return std::find(parts.begin(), parts.end(), name) != parts.end();
}

// The process' place in a hierarchy: lines "7:cpu,cpuacct:/path", and "0::/path" of version 2.
std::optional<std::string_view> place_in(std::string_view groups, std::string_view controller, int version) {
  for (std::string_view line : split(groups, '\n')) {
    const size_t first = line.find(':'), second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view names = line.substr(first + 1, second - first - 1);
    if (version == 2 ? names.empty() : lists(names, controller)) return line.substr(second + 1);
  }
  return {};
}

// Where a mount shows the place. A process that sees a path outside of what is mounted is in a container whose own folder is
// the mount.
std::string_view below(std::string_view place, std::string_view root) {
  if (root == "/") root = "";
  const bool inside = place.substr(0, root.size()) == root && (place.size() == root.size() || place[root.size()] == '/');
  if (!inside || place.find("/..") != std::string_view::npos) return "";
  place.remove_prefix(root.size());
  return place == "/" ? "" : place;
}

double positive(std::optional<double> value) { return value && *value > 0 ? *value : 0; }

}  // namespace

std::vector<CgroupFolder> cgroup_folders(std::string_view controller, std::string_view groups, std::string_view mounts) {
  std::vector<CgroupFolder> folders;
  for (std::string_view line : split(mounts, '\n')) {
    // "31 23 0:28 ROOT MOUNT OPTIONS [more] - TYPE SOURCE CONTROLLERS,..."
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 6 || fields.end() - dash < 4) continue;
    const int version = dash[1] == "cgroup2" ? 2 : dash[1] == "cgroup" && lists(dash[3], controller) ? 1 : 0;
    if (version == 0) continue;
    const auto place = place_in(groups, controller, version);
    if (!place) continue;
    const std::string mount(fields[4]);
    for (std::string_view rest = below(*place, fields[3]);;) {
      folders.push_back({mount + std::string(rest), version});
      if (rest.empty()) break;
      rest = rest.substr(0, rest.rfind('/'));
    }
  }
  return folders;
}

double quota_of_cpu_max(std::string_view text) {
  const double quota = positive(take_number<double>(text)), period = positive(take_number<double>(text));
  return quota > 0 && period > 0 ? quota / period : unlimited;
}

double quota_of_cfs(std::string_view quota, std::string_view period) {
  const double most = positive(number_of<double>(quota)), of = positive(number_of<double>(period));
  return most > 0 && of > 0 ? most / of : unlimited;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

double cpu_quota() {
  double quota = unlimited;
  for (const auto& [path, version] : cgroup_folders("cpu", read_text("/proc/self/cgroup"), read_text("/proc/self/mountinfo"))) {
    quota = std::min(quota, version == 2
                                ? quota_of_cpu_max(read_text(path + "/cpu.max"))
                                : quota_of_cfs(read_text(path + "/cpu.cfs_quota_us"), read_text(path + "/cpu.cfs_period_us")));
  }
  return quota;
}

}  // namespace swav
