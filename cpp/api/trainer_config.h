// The flat settings of the C interface as those of the engine's parts. Throw SWAV_ERROR_ARGUMENT for counts that an array of
// the struct cannot hold; the parts check the rest.
#pragma once

#include <memory>

#include "objective/swapped_prediction.h"
#include "training/plan.h"

namespace swav::api {

TrainerSettings trainer_settings(const swav_trainer_config& config);
std::unique_ptr<Objective> objective(const swav_trainer_config& config);

// Parts that a batch is cut into by `ranks` processes, where `wanted` (0: a part each) were asked for. Throws
// SWAV_ERROR_ARGUMENT where they cannot be shared out.
int parts_of(int wanted, int ranks);

// The settings of one of `parts`, from those of all. Throws SWAV_ERROR_ARGUMENT where the batch cannot be divided; `name`:
// what the parts are to the caller.
swav_trainer_config share(const swav_trainer_config& config, int parts, const char* name = "ranks");

}  // namespace swav::api
