// State of which each rank holds a part, as a checkpoint keeps it: that of one process with the whole batch, so that any number
// of ranks can go on with it.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "objective/objective.h"

namespace swav {

// The shape in a file, for `ranks` of them.
std::vector<int64_t> whole_shape(const StateArray& array, int ranks);

// The whole array from the parts of all ranks. Collective.
std::vector<float> gather_whole(const StateArray& array, Communicator& group);

// Copies this rank's part of the whole array to array.values.
void take_part(const std::vector<float>& whole, const StateArray& array, const Communicator& group);

}  // namespace swav
