// Facts 19 to 21 of the optimiser, and the update rules against their formulas in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>

#include "base/parallel.h"
#include "base/status.h"
#include "optim/optimizer.h"
#include "score_samples.h"
#include "worse.h"

using namespace swav;
using namespace swav::test;

namespace {

Floats normal(uint64_t seed, int64_t count, double scale = 1) {
  Random random(seed, Purpose::test);
  Floats x;
  for (int64_t i = 0; i < count; ++i) x.push_back(float(scale * random.normal()));
  return x;
}

double norm(const Floats& x) {
  double sum = 0;
  for (float v : x) sum += double(v) * double(v);
  return std::sqrt(sum);
}

double distance(const Floats& a, const Floats& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(double(a[i]) - double(b[i]), 2);
  return std::sqrt(sum);
}

// A few tensors with gradients and state.
struct Tensors {
  std::vector<Floats> value, gradient, state1, state2;

  void add(Floats v, Floats g) {
    state1.push_back(Floats(v.size(), 0.0f));
    state2.push_back(Floats(v.size(), 0.0f));
    value.push_back(std::move(v));
    gradient.push_back(std::move(g));
  }
  Optimizer optimizer(const OptimizerConfig& config) {
    std::vector<ParameterView> views;
    for (size_t i = 0; i < value.size(); ++i) {
      views.push_back(
          {value[i].data(), gradient[i].data(), state1[i].data(), state2[i].data(), int64_t(value[i].size()), 0, false});
    }
    return Optimizer(config, views);
  }
};

OptimizerConfig larc(float decay = 1e-6f) { return {SWAV_OPTIMIZER_LARC, 0.9f, 0.001f, 0, 0, 0, decay}; }
OptimizerConfig sgd(float decay) { return {SWAV_OPTIMIZER_SGD, 0.9f, 0, 0, 0, 0, decay}; }
OptimizerConfig adamw(float decay) { return {SWAV_OPTIMIZER_ADAMW, 0, 0, 0.9f, 0.999f, 1e-8f, decay}; }

void step(Optimizer& optimizer, double rate) {
  optimizer.measure();
  optimizer.update(rate);
}

// One tensor's update in double, as the formulas in optimizer.h stand.
struct Reference {
  Doubles p, v, m;
  int t = 0;
  explicit Reference(const Floats& value) : p(value.begin(), value.end()), v(p.size(), 0.0), m(p.size(), 0.0) {}

  void update(const OptimizerConfig& c, const Floats& g, double rate) {
    ++t;
    double p_norm = 0, g_norm = 0;
    for (size_t i = 0; i < p.size(); ++i) {
      p_norm += p[i] * p[i];
      g_norm += double(g[i]) * double(g[i]);
    }
    p_norm = std::sqrt(p_norm);
    g_norm = std::sqrt(g_norm);
    double scale = 1, decay = double(c.weight_decay);
    if (c.rule == SWAV_OPTIMIZER_LARC) {
      const bool adapt = p_norm > 0 && g_norm > 0;
      scale = adapt ? double(c.trust) * p_norm / (g_norm + decay * p_norm + 1e-8) : 1;
      decay = adapt ? decay : 0;
    }
    for (size_t i = 0; i < p.size(); ++i) {
      if (c.rule == SWAV_OPTIMIZER_ADAMW) {
        const double b1 = double(c.beta1), b2 = double(c.beta2);
        p[i] *= 1 - rate * decay;
        m[i] = b1 * m[i] + (1 - b1) * double(g[i]);
        v[i] = b2 * v[i] + (1 - b2) * double(g[i]) * double(g[i]);
        p[i] -= rate * m[i] / (1 - std::pow(b1, t)) / (std::sqrt(v[i] / (1 - std::pow(b2, t))) + double(c.epsilon));
      } else {
        v[i] = double(c.momentum) * v[i] + scale * (double(g[i]) + decay * p[i]);
        p[i] -= rate * v[i];
      }
    }
  }
};

}  // namespace

TEST_CASE("ten steps of each rule equal the formulas in double") {
  for (const OptimizerConfig& config : {larc(), larc(0.1f), sgd(0), sgd(0.1f), adamw(0), adamw(0.1f)}) {
    for (const int64_t count : {1, 15, 16, 17, 31, 100, 16384, 16385, 40000}) {
      CAPTURE(int(config.rule));
      CAPTURE(count);
      Tensors tensors;
      tensors.add(normal(1, count), normal(2, count));
      Optimizer optimizer = tensors.optimizer(config);
      Reference reference(tensors.value[0]);
      const double rate = config.rule == SWAV_OPTIMIZER_ADAMW ? 0.01 : config.rule == SWAV_OPTIMIZER_LARC ? 4.8 : 0.05;
      for (uint64_t t = 0; t < 10; ++t) {
        std::ranges::copy(normal(10 + t, count), tensors.gradient[0].begin());
        reference.update(config, tensors.gradient[0], rate);
        step(optimizer, rate);
      }
      double worst = 0;
      for (size_t i = 0; i < size_t(count); ++i) worst = worse(worst, std::abs(double(tensors.value[0][i]) - reference.p[i]));
      // Per step the value is rounded once and the increment has a few eps; values stay under 8, increments sum to less than 8.
      CHECK(worst < 10 * 8 * double(FLT_EPSILON));
    }
  }
}

TEST_CASE("the first LARC step has length lr * trust * |p|, whatever the scale of the loss, and never more") {
  for (const float scale : {1e-3f, 1.0f, 1000.0f}) {
    Tensors tensors;
    tensors.add(normal(3, 5000), normal(4, 5000));
    for (float& g : tensors.gradient[0]) g *= scale;
    const Floats before = tensors.value[0];
    Optimizer optimizer = tensors.optimizer(larc());
    step(optimizer, 4.8);
    const double length = distance(tensors.value[0], before), limit = 4.8 * 0.001 * norm(before);
    // a |g + wd p| / (trust |p|) = |g + wd p| / (|g| + wd |p|) <= 1; wd |p| / |g| = 1e-3 at most here, rounding of p adds
    // eps / 2 * |p| / sqrt(3).
    CHECK(length > limit * (1 - 2.1e-3));
    CHECK(length < limit + double(FLT_EPSILON) * norm(before));
  }
}

TEST_CASE("a zero-norm tensor moves by lr * gradient without decay; a zero gradient gets no decay, and momentum still drifts") {
  Tensors tensors;
  tensors.add(Floats(100, 0.0f), normal(5, 100));
  tensors.add(normal(6, 100), normal(7, 100));
  const Floats g0 = tensors.gradient[0];
  Optimizer optimizer = tensors.optimizer(larc(0.5f));
  step(optimizer, 2.0);
  for (size_t i = 0; i < 100; ++i) CHECK(tensors.value[0][i] == -2 * g0[i]);
  const Floats p = tensors.value[1], v = tensors.state1[1];
  std::fill(tensors.gradient[1].begin(), tensors.gradient[1].end(), 0.0f);
  step(optimizer, 2.0);
  for (size_t i = 0; i < 100; ++i) {
    CHECK(tensors.state1[1][i] == 0.9f * v[i]);
    CHECK(double(tensors.value[1][i]) == doctest::Approx(double(p[i]) - 2 * double(0.9f * v[i])).epsilon(double(FLT_EPSILON)));
  }
  // Both at once: nothing moves.
  Tensors zeros;
  zeros.add(Floats(20, 0.0f), Floats(20, 0.0f));
  Optimizer still = zeros.optimizer(larc(0.5f));
  step(still, 2.0);
  CHECK(zeros.value[0] == Floats(20, 0.0f));
}

TEST_CASE("gradients far below and far above one do not lose their norm") {
  for (const double magnitude : {1e-25, 1e25}) {
    Tensors tensors;
    tensors.add(normal(8, 1000), normal(9, 1000, magnitude));
    Optimizer optimizer = tensors.optimizer(larc(0));
    const Optimizer::Measure measure = optimizer.measure();
    CHECK(measure.gradient_norm == doctest::Approx(norm(tensors.gradient[0])).epsilon(1e-12));
    CHECK(measure.not_finite == -1);
  }
}

TEST_CASE("a frozen parameter is untouched: no decay, no momentum, no count; its first free step is a first step") {
  for (const OptimizerConfig& config : {larc(0.1f), sgd(0.1f), adamw(0.1f)}) {
    Tensors tensors, fresh;
    tensors.add(normal(10, 50), normal(11, 50));
    tensors.add(normal(12, 50), normal(13, 50));
    const Floats before = tensors.value[0];
    fresh.add(before, normal(14, 50));
    Optimizer optimizer = tensors.optimizer(config);
    optimizer.parameters()[0].frozen = true;
    for (int t = 0; t < 3; ++t) {
      const double other = norm(tensors.gradient[1]);
      CHECK(optimizer.measure().gradient_norm == doctest::Approx(other).epsilon(1e-12));  // without the frozen one
      optimizer.update(0.1);
    }
    CHECK(tensors.value[0] == before);
    CHECK(tensors.state1[0] == Floats(50, 0.0f));
    CHECK(optimizer.parameters()[0].steps == 0);
    CHECK(optimizer.parameters()[1].steps == 3);
    optimizer.parameters()[0].frozen = false;
    std::copy(fresh.gradient[0].begin(), fresh.gradient[0].end(), tensors.gradient[0].begin());
    step(optimizer, 0.1);
    Optimizer first = fresh.optimizer(config);
    step(first, 0.1);
    CHECK(tensors.value[0] == fresh.value[0]);
    CHECK(tensors.state1[0] == fresh.state1[0]);
  }
}

TEST_CASE("measure names the first parameter whose gradient is not finite") {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    Tensors tensors;
    for (uint64_t i = 0; i < 4; ++i) tensors.add(normal(20 + i, 20000), normal(30 + i, 20000));
    tensors.gradient[2][19999] = bad;
    Optimizer optimizer = tensors.optimizer(larc());
    CHECK(optimizer.measure().not_finite == 2);
    optimizer.parameters()[2].frozen = true;
    CHECK(optimizer.measure().not_finite == -1);
  }
}

TEST_CASE("an update has the same bits with any number of threads") {
  Floats expected;
  for (const int threads : {1, 2, 3, 7}) {
    parallel::set_threads(threads);
    Tensors tensors;
    tensors.add(normal(40, 100000), normal(41, 100000));
    Optimizer optimizer = tensors.optimizer(larc());
    step(optimizer, 1.0);
    if (threads == 1) expected = tensors.value[0];
    CHECK(tensors.value[0] == expected);
  }
  parallel::set_threads(0);
}

TEST_CASE("an optimizer refuses settings out of range, naming the value") {
  const auto message = [](OptimizerConfig config) -> std::string {
    try {
      check(config);
    } catch (const Error& error) {
      CHECK(error.status() == SWAV_ERROR_ARGUMENT);
      return error.what();
    }
    return "accepted";
  };
  CHECK(message(larc()) == "accepted");
  OptimizerConfig config = larc();
  config.trust = 0;
  CHECK(message(config) == "trust is 0; a number above 0 is needed");
  config = sgd(-1);
  CHECK(message(config) == "weight decay is -1; 0 or more is allowed");
  config = sgd(0);
  config.momentum = 1;
  CHECK(message(config) == "momentum is 1; 0 or more and less than 1 is allowed");
  config = adamw(0);
  config.beta2 = NAN;
  CHECK(message(config) == "beta2 is nan; 0 or more and less than 1 is allowed");
  config.rule = swav_optimizer(3);  // the only wrong value that the enum can hold in C++
  CHECK(message(config) == "optimizer is 3; larc (0), sgd (1) or adamw (2) is allowed");
}

TEST_CASE("norms of a parameter are those of its value, its gradient and what the last update added to it") {
  for (const OptimizerConfig& config : {larc(0.1f), sgd(0.1f), adamw(0.1f)}) {
    CAPTURE(int(config.rule));
    Tensors tensors;
    tensors.add(normal(1, 20000), normal(2, 20000));
    tensors.add(normal(3, 7), normal(4, 7));
    Optimizer optimizer = tensors.optimizer(config);
    optimizer.parameters()[1].frozen = true;
    for (int t = 0; t < 3; ++t) {
      optimizer.measure();
      CHECK(optimizer.norms(0).update == 0);
      const Floats before = tensors.value[0];
      optimizer.update(0.5);
      const Optimizer::Norms norms = optimizer.norms(0);
      CHECK(norms.value == doctest::Approx(norm(tensors.value[0])).epsilon(1e-6));
      CHECK(norms.gradient == doctest::Approx(norm(tensors.gradient[0])).epsilon(1e-6));
      // A value's rounding is half an eps of its own size, and there may be three of them.
      CHECK(std::abs(norms.update - distance(tensors.value[0], before)) <= 2 * double(FLT_EPSILON) * norms.value);
      CHECK(optimizer.norms(1).gradient == 0);
      CHECK(optimizer.norms(1).update == 0);
    }
  }
}
