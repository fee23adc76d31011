// State of which each process holds parts, as a checkpoint keeps it: that of one with the whole batch, so that any number of
// them can go on with it.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "objective/objective.h"

namespace swav {

// The shape in a file, of `parts` of them.
std::vector<int64_t> whole_shape(const StateArray& array, int parts);

// The whole array from the parts of all processes, of which each has as many, on rank 0; empty elsewhere. `piece_floats`: of
// all processes, that are gathered at a time. Collective.
std::vector<float> gather_whole(const std::vector<StateArray>& parts, Communicator& processes,
                                int64_t piece_floats = int64_t{4} << 20);

// Copies part number `part` of `parts` of the whole array to array.values.
void take_part(const std::vector<float>& whole, const StateArray& array, int parts, int part);

}  // namespace swav
