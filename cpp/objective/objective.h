// The seam between the trainer and what is learned: an objective turns the head's output for all crops of a step into a loss
// and its gradients. It has settings, state and figures of its own, of which the trainer knows no more than what is below, so
// that another one can take its place. swapped_prediction.h is SwAV's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/scratch.h"
#include "comm/communicator.h"
#include "swav.h"

namespace swav {

// Sizes of a step of one rank. Rows of embeddings and scores are crop-major: row v * batch + b.
struct ObjectiveShape {
  int64_t crops = 0, batch = 0, dim = 0;
  std::vector<int64_t> prototypes;  // K of each set; may be empty
  int64_t parts = 1;                // of the batch, in all processes: each has a shape of its own like this one
  int64_t rows() const { return crops * batch; }
};

// One set of prototypes.
struct PrototypeSet {
  float* prototypes;  // [K][dim], parameters of the network
  float* scores;      // [rows][K], prototypes times embeddings; becomes the loss's gradient by them
};

// What the network gives an objective, and gets back. The memory is the plan's and stays where it is.
struct HeadOutput {
  const float* embeddings = nullptr;  // [rows][dim], of unit norm
  float* d_embeddings = nullptr;      // [rows][dim], undefined; the loss's gradient beside that through the scores
  std::vector<PrototypeSet> sets;
};

// An array of an objective's state as a checkpoint keeps it.
struct StateArray {
  std::string name;
  std::vector<int64_t> shape;
  float* values;      // or
  int64_t* counters;  // numbers from 0 up; the other one is NULL
  // Where it is above 0 the values are rows [crops][length][dim] of this rank's images, so many of each batch; else they are
  // the same on every rank.
  int64_t batch = 0;
  bool may_lack = false;  // older files do not have it: it is zero then
};

// A setting that a checkpoint must agree with.
struct Setting {
  std::string name;
  double value;
  bool counts_rows = false;  // of this rank: it is as many times larger for all ranks together
};

class Objective {
 public:
  virtual ~Objective() = default;

  // Planning. Throws SWAV_ERROR_ARGUMENT when the objective cannot be computed with this shape. take_state and take may be
  // called for several shapes, to count; the last call hands out memory, which is zero.
  virtual void check(const ObjectiveShape& shape) const = 0;
  virtual void take_state(Arena& arena, const ObjectiveShape& shape) = 0;
  virtual void take(Arena& arena, const ObjectiveShape& shape) = 0;
  // Scratch of the workers for the shape of the last take.
  virtual ScratchSize scratch() const { return {}; }

  // Whether evaluate writes d_embeddings.
  virtual bool differentiates_embeddings() const { return false; }

  // The parts of a step, in order. Collective. prepare runs before the forward pass and may change prototypes in place; a step
  // that fails undoes it. evaluate replaces scores by gradients and fills the report's figures that it has, all of them over
  // all ranks. The loss is a mean over all ranks' rows: gradients of this rank's rows are divided by their number, and are
  // summed over the ranks by the trainer. finish runs after an update of the parameters.
  virtual void prepare(const HeadOutput& output) = 0;
  virtual void evaluate(const HeadOutput& output, const swav_step_input& input, Communicator& group,
                        swav_step_report& report) = 0;
  virtual void finish(const HeadOutput& output, const swav_step_input& input) = 0;

  // Figures of the last step that are dearer than those of the report. Collective.
  virtual void health(const HeadOutput&, Communicator&, swav_health&) {}

  // All that a resumed run needs, borrowed: reading it out and writing it back restores the objective.
  virtual std::vector<StateArray> state() = 0;
  virtual std::vector<Setting> settings() const = 0;
};

}  // namespace swav
