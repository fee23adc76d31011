// Update rules: SGD with momentum under LARC (You et al., "Large batch training of convolutional networks", as published for
// SwAV), plain SGD, AdamW (Loshchilov and Hutter). PyTorch's semantics. One list of parameters under one set of settings:
// batch-norm weights and biases are not excluded from anything.
//
// For a parameter p with gradient g, learning rate lr, decay wd:
//   LARC   g <- a (g + wd p) with a = trust |p| / (|g| + wd |p| + 1e-8), norms of the whole tensor, if |p| > 0 and |g| > 0,
//          else g as it is;  v <- momentum v + g;  p <- p - lr v.  The factor a is inside the momentum, lr outside.
//   SGD    the same with g <- g + wd p.
//   AdamW  p <- (1 - lr wd) p;  m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
//          p <- p - lr m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + epsilon), t counted for each parameter.
// A frozen parameter is not touched: no decay, no momentum, no count. PyTorch starts momentum with v = g at a parameter's
// first step; zeros before it give the same, momentum * 0 + g.
#pragma once

#include <cstdint>
#include <vector>

#include "swav.h"

namespace swav {

// What is made of a rate as a float, AdamW's first step included, is finite up to here.
constexpr double most_learning_rate = 1e30;

// One tensor. All arrays have `count` floats, belong to the caller and outlive the optimizer.
struct ParameterView {
  float* value;
  const float* gradient;
  float* state1;  // momentum, or AdamW's m; zeros at the start
  float* state2;  // AdamW's v, zeros at the start; NULL for the others
  int64_t count;
  int64_t steps;  // updates so far, 0 at the start; state like the arrays, used by AdamW only
  bool frozen;    // skip it in measure() and update()
};

struct OptimizerConfig {
  swav_optimizer rule;
  float momentum;      // larc, sgd
  float trust;         // larc
  float beta1, beta2;  // adamw
  float epsilon;       // adamw
  float weight_decay;
};

// Throws SWAV_ERROR_ARGUMENT unless momentum and betas are in [0, 1), trust and epsilon > 0 (each where the rule uses it) and
// weight_decay >= 0.
void check(const OptimizerConfig& config);

class Optimizer {
 public:
  // Makes the plan of pieces; measure and update allocate nothing.
  Optimizer(const OptimizerConfig& config, std::vector<ParameterView> parameters);

  // How many arrays of a parameter's size a rule keeps: 1, or 2 for AdamW.
  static int states(swav_optimizer rule) { return rule == SWAV_OPTIMIZER_ADAMW ? 2 : 1; }

  // In the order given. `frozen` and `steps` may be written between calls.
  std::vector<ParameterView>& parameters() { return parameters_; }
  const std::vector<ParameterView>& parameters() const { return parameters_; }

  struct Measure {
    double gradient_norm;  // Frobenius norm over all parameters that are not frozen
    int64_t not_finite;    // index of the first of these whose gradient is not finite; -1: none
  };
  // Norms of the current gradients and, for LARC, values. update() uses them, so call it before each update.
  Measure measure();

  // Norms of one parameter, in the order given: its value now, its gradient and its update in the last measure and update; 0
  // where it was frozen or nothing was updated. Reads the arrays: not for every step.
  struct Norms {
    double value, gradient, update;
  };
  Norms norms(size_t parameter) const;

  // Carries the update out with the norms of the last measure().
  void update(double learning_rate);

 private:
  struct Piece {
    int64_t parameter, begin, end;
  };
  void update_piece(const Piece& piece, double learning_rate);

  OptimizerConfig config_;
  std::vector<ParameterView> parameters_;
  std::vector<Piece> pieces_;
  std::vector<double> gradient_squares_, value_squares_;  // of each piece
  std::vector<double> gradient_norms_, value_norms_;      // of each parameter
  double last_rate_ = 0;                                  // of the last update; 0 after a measure
};

}  // namespace swav
