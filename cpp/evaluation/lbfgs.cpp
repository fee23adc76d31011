#include "evaluation/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <deque>

namespace swav {
namespace {

using Vector = Eigen::VectorXd;

constexpr size_t memory = 10;                         // pairs of steps and gradient differences
constexpr double sufficient = 1e-4, curvature = 0.9;  // c1 and c2 of the Wolfe conditions, as the book recommends

struct Pair {
  Vector s, y;
  double rho;  // 1 / (y . s)
};

// -H g by the two-loop recursion, with the usual scaling of the first matrix by (s . y) / (y . y).
Vector direction(const std::deque<Pair>& pairs, const Vector& gradient) {
  Vector d = -gradient;
  std::vector<double> alphas(pairs.size());
  for (size_t i = pairs.size(); i-- > 0;) {
    alphas[i] = pairs[i].rho * pairs[i].s.dot(d);
    d -= alphas[i] * pairs[i].y;
  }
  if (!pairs.empty()) d *= 1 / (pairs.back().rho * pairs.back().y.squaredNorm());
  for (size_t i = 0; i < pairs.size(); ++i) d += (alphas[i] - pairs[i].rho * pairs[i].y.dot(d)) * pairs[i].s;
  return d;
}

// The function along a ray: step, value, slope.
struct Point {
  double step, value, slope;
};

// Minimum of the cubic through two points and their slopes, kept within the middle 80 % of the interval; its middle where there
// is none.
double interpolate(const Point& a, const Point& b) {
  const double width = b.step - a.step;
  const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step);
  const double square = d1 * d1 - a.slope * b.slope;
  double fraction = 0.5;
  if (square >= 0 && std::isfinite(square)) {
    const double d2 = std::copysign(std::sqrt(square), width);
    fraction = 1 - (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
    if (!std::isfinite(fraction)) fraction = 0.5;
  }
  return a.step + width * std::clamp(fraction, 0.1, 0.9);
}

struct State {
  Vector x, gradient;
  double value;
};

// Moves `state` along d to a point that satisfies the strong Wolfe conditions or, when 40 tries find none, to the best one with
// a sufficient decrease. False when there is none of that either; state is then as it was.
bool line_search(const Objective& objective, const LbfgsOptions& options, const Vector& d, double first, State& state) {
  const Point start{0, state.value, state.gradient.dot(d)};
  if (!(start.slope < 0)) return false;
  const double slack = options.noise * std::abs(start.value);
  State trial = state;
  const auto evaluate = [&](double step) {
    trial.x = state.x + step * d;
    trial.value = objective(trial.x, trial.gradient);
    return Point{step, trial.value, trial.gradient.dot(d)};
  };
  Point low = start, high{};
  bool bracketed = false;
  double step = first;
  for (int i = 0; i < 40; ++i) {
    const Point p = evaluate(step);
    const bool rises =
        !(p.value <= start.value + sufficient * step * start.slope + slack) || (low.step > 0 && p.value > low.value + slack);
    if (rises) {
      high = p;
      bracketed = true;
    } else {
      if (std::abs(p.slope) <= -curvature * start.slope) {
        state = trial;
        return true;
      }
      if (bracketed ? p.slope * (high.step - low.step) >= 0 : p.slope >= 0) {
        high = low;
        bracketed = true;
      }
      low = p;
    }
    step = bracketed ? interpolate(low, high) : 2 * step;
    if (bracketed && std::abs(high.step - low.step) < 1e-12 * std::max(low.step, high.step)) break;
  }
  if (low.step == 0) return false;
  evaluate(low.step);
  state = trial;
  return true;
}

}  // namespace

LbfgsResult minimise(const Objective& objective, const LbfgsOptions& options, Vector& x) {
  State state{x, Vector(x.size()), 0};
  state.value = objective(state.x, state.gradient);
  std::deque<Pair> pairs;
  LbfgsResult result{state.value, state.gradient.lpNorm<Eigen::Infinity>(), 0, false};
  while (result.gradient > options.gradient_tolerance && result.iterations < options.max_iterations) {
    const Vector d = direction(pairs, state.gradient);
    const State before = state;
    // A first step of length 1 at most; afterwards the scaling of H makes 1 the natural one.
    const double first = pairs.empty() ? std::min(1.0, 1 / state.gradient.norm()) : 1;
    if (!line_search(objective, options, d, first, state)) {
      if (pairs.empty()) break;  // not even the steepest descent lowers the value
      pairs.clear();
      continue;
    }
    if (options.after) options.after(result.iterations + 1);
    ++result.iterations;
    result.value = state.value;
    result.gradient = state.gradient.lpNorm<Eigen::Infinity>();
    const Vector s = state.x - before.x, y = state.gradient - before.gradient;
    const double product = y.dot(s);
    if (product > 1e-12 * y.squaredNorm()) {
      if (pairs.size() == memory) pairs.pop_front();
      pairs.push_back({s, y, 1 / product});
    }
    if (before.value - state.value <= options.value_tolerance * std::max(1.0, std::abs(state.value))) break;
  }
  result.converged = result.iterations < options.max_iterations || result.gradient <= options.gradient_tolerance;
  x = state.x;
  return result;
}

}  // namespace swav
