// The settings that a checkpoint belongs to, as names and texts, and how those of a file are compared with those of a run.
#pragma once

#include <map>
#include <string>

#include "objective/objective.h"
#include "training/plan.h"

namespace swav {

using Settings = std::map<std::string, std::string>;

Settings settings_of(const swav_network_config& network, const TrainerSettings& training,
                     const std::vector<Setting>& objective);

// What differs, as "batch: file has 6, this run has 4; ..."; empty where nothing does. Numbers are compared as the floats that
// they stand for. A setting that a file does not have did not exist when it was written: it counts as what was done then.
std::string difference(const Settings& file, const Settings& run);

// The settings of format 1: lines "name value".
Settings parse_old_settings(const std::string& text);

}  // namespace swav
