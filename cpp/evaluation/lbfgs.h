// Minimisation of a smooth function by L-BFGS with a strong-Wolfe line search (Nocedal and Wright, "Numerical optimization",
// 2nd ed., algorithms 7.4, 7.5, 3.5 and 3.6).
#pragma once

#include <Eigen/Core>
#include <functional>

namespace swav {

struct LbfgsOptions {
  int max_iterations;
  double gradient_tolerance = 1e-5;  // done when the largest component of the gradient is below
  double value_tolerance = 2e-9;     // or when a step lowers the value by less than this, relatively
  double noise = 0;                  // relative error of the values: a rise below it does not count as one
  std::function<void(int)> after{};  // is called with the number of iterations after each
};

struct LbfgsResult {
  double value;
  double gradient;  // largest component
  int iterations;
  bool converged;  // by one of the tolerances, or because no step lowers the value any more
};

// Returns the value at x and writes the gradient, which has the size of x.
using Objective = std::function<double(const Eigen::VectorXd& x, Eigen::VectorXd& gradient)>;

// Starts from x and leaves the best point in it.
LbfgsResult minimise(const Objective& objective, const LbfgsOptions& options, Eigen::VectorXd& x);

}  // namespace swav
