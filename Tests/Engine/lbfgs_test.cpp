// The numerics under logistic regression: L-BFGS, and the logarithm that every CPU computes alike.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>

#include "base/logarithm.h"
#include "base/random.h"
#include "evaluation/lbfgs.h"

using namespace swav;

TEST_CASE("L-BFGS finds the minimum of Rosenbrock's function and of an ill-conditioned quadratic") {
  const Objective rosenbrock = [](const Eigen::VectorXd& x, Eigen::VectorXd& g) {
    g = Eigen::VectorXd::Zero(x.size());
    double value = 0;
    for (int i = 0; i + 1 < x.size(); ++i) {
      const double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
      value += 100 * a * a + b * b;
      g[i] += -400 * x[i] * a - 2 * b;
      g[i + 1] += 200 * a;
    }
    return value;
  };
  Eigen::VectorXd x = Eigen::VectorXd::Constant(10, -1.2);
  const LbfgsResult result = minimise(rosenbrock, {1000, 1e-8, 0, 0, {}}, x);
  CHECK(result.converged);
  CHECK((x - Eigen::VectorXd::Ones(10)).norm() < 1e-6);

  const Objective quadratic = [](const Eigen::VectorXd& x, Eigen::VectorXd& g) {
    double value = 0;
    for (int i = 0; i < x.size(); ++i) {
      const double c = std::pow(10.0, i);
      value += 0.5 * c * (x[i] - i) * (x[i] - i);
      g[i] = c * (x[i] - i);
    }
    return value;
  };
  x = Eigen::VectorXd::Constant(6, 50.0);
  CHECK(minimise(quadratic, {1000, 1e-8, 0, 0, {}}, x).gradient < 1e-8);
  for (int i = 0; i < 6; ++i) CHECK(std::abs(x[i] - i) < 1e-7);
  const LbfgsResult short_run = minimise(rosenbrock, {2, 1e-8, 0, 0, {}}, x);
  CHECK(short_run.iterations == 2);
  CHECK_FALSE(short_run.converged);
}

TEST_CASE("the logarithm that every CPU computes alike is that of the C library, within its rounding") {
  Random random(5, Purpose::test);
  for (int i = 0; i < 10000; ++i) {
    const double x = std::exp(random.uniform(-300, 300));
    REQUIRE(std::abs(logarithm(x) - std::log(x)) <= 2 * DBL_EPSILON * std::abs(std::log(x)));
    const double near = 1 + random.uniform(-0.3, 0.4);
    REQUIRE(std::abs(logarithm(near) - std::log(near)) <= 0.5 * DBL_EPSILON * (1 + std::abs(std::log(near))));
  }
  CHECK(logarithm(1) == 0);
}
