// Facts 9 to 13 of the swapped prediction, through the C interface and the C++ one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <string>

#include "objective/codes.h"
#include "objective/swapped_loss.h"
#include "score_samples.h"
#include "swav.h"

using namespace swav;
using namespace swav::test;

namespace {

struct Case {
  int64_t crops, batch, prototypes;
  std::vector<int32_t> assign;
  float temperature = 0.1f;
  Floats scores{}, codes{};

  int64_t row(int64_t v, int64_t b) const { return (v * batch + b) * prototypes; }

  double loss(Floats* gradient = nullptr) const {
    double value = NAN;
    if (gradient) gradient->assign(scores.size(), NAN);
    const swav_status status =
        swav_swapped_loss(scores.data(), crops, batch, prototypes, codes.data(), assign.data(), int32_t(assign.size()),
                          temperature, &value, gradient ? gradient->data() : nullptr);
    REQUIRE_MESSAGE(status == SWAV_OK, swav_error_message());
    return value;
  }
};

Case make_case(uint64_t seed, int64_t crops, int64_t batch, int64_t prototypes, std::vector<int32_t> assign) {
  Case c{crops, batch, prototypes, assign};
  c.scores = random_scores(seed, crops * batch, prototypes);
  const swav_codes_config config = swav_codes_config_default();
  c.codes.resize(assign.size() * size_t(batch * prototypes));
  for (size_t a = 0; a < assign.size(); ++a) {
    REQUIRE(swav_codes(c.scores.data() + c.row(assign[a], 0), batch, prototypes, batch, &config,
                       c.codes.data() + a * size_t(batch * prototypes), nullptr) == SWAV_OK);
  }
  return c;
}

// The loss (paper, equation 2) in double, term by term.
double reference_loss(const Case& c, Doubles* gradient) {
  const double tau = double(c.temperature), average = 1.0 / (double(c.assign.size()) * double(c.crops - 1) * double(c.batch));
  if (gradient) gradient->assign(c.scores.size(), 0.0);
  double loss = 0;
  for (size_t a = 0; a < c.assign.size(); ++a) {
    for (int64_t v = 0; v < c.crops; ++v) {
      if (v == c.assign[a]) continue;
      for (int64_t b = 0; b < c.batch; ++b) {
        Doubles t;
        for (int64_t k = 0; k < c.prototypes; ++k) t.push_back(double(c.scores[size_t(c.row(v, b) + k)]) / tau);
        const double total = log_sum_exp(t);
        double mass = 0;
        const float* q = c.codes.data() + (int64_t(a) * c.batch + b) * c.prototypes;
        for (int64_t k = 0; k < c.prototypes; ++k) mass += double(q[k]);
        for (int64_t k = 0; k < c.prototypes; ++k) {
          loss -= average * double(q[k]) * (t[size_t(k)] - total);
          if (gradient)
            (*gradient)[size_t(c.row(v, b) + k)] += average / tau * (mass * std::exp(t[size_t(k)] - total) - double(q[k]));
        }
      }
    }
  }
  return loss;
}

std::vector<Case> cases() {
  return {make_case(1, 2, 1, 1, {0}),      make_case(2, 2, 3, 15, {0, 1}),    make_case(3, 8, 5, 100, {0, 1}),
          make_case(4, 6, 2, 33, {0}),     make_case(5, 5, 7, 17, {3, 0, 2}), make_case(6, 3, 70, 16, {0, 1, 2}),
          make_case(7, 8, 2, 3000, {0, 1})};
}

}  // namespace

TEST_CASE("loss and gradient equal the reference formula in double, for any choice of assignment crops") {
  for (const Case& c : cases()) {
    CAPTURE(c.crops);
    CAPTURE(c.prototypes);
    CAPTURE(int(c.assign.size()));
    Doubles expected_gradient;
    const double expected = reference_loss(c, &expected_gradient);
    Floats gradient;
    const double loss = c.loss(&gradient);
    // t = score / tau is rounded: |t| <= 10, eps / 2 each, plus 16 eps of row sums; relative to a loss of ln K + 10 at most.
    CHECK(std::abs(loss - expected) <= 26 * double(FLT_EPSILON) * (std::log(double(c.prototypes)) + 10));
    CHECK(c.loss() == loss);
    const double factor = 1 / (double(c.assign.size()) * double(c.crops - 1) * double(c.batch) * double(c.temperature));
    for (size_t i = 0; i < gradient.size(); ++i) {
      // |p - q| terms of size up to A each, with the relative error of exp and of the row sum: 26 eps.
      const double bound = 26 * double(FLT_EPSILON) * factor * double(c.assign.size());
      CHECK(std::abs(double(gradient[i]) - expected_gradient[i]) <= bound);
    }
  }
}

TEST_CASE("constant scores give a loss of ln K") {
  const std::pair<int64_t, double> expected[] = {{3000, 8.006368}, {512, 6.238325}, {30, 3.401197}};
  for (const auto& [prototypes, value] : expected) {
    Case c = make_case(8, 4, 3, prototypes, {0, 1});
    c.scores.assign(c.scores.size(), 0.37f);
    CHECK(std::abs(c.loss() - value) < 1e-6);
  }
}

TEST_CASE("random features and prototypes start about 1 / (2 D tau^2) above ln K") {
  Case c{4, 64, 3000, {0, 1}};
  c.scores = random_scores(9, c.crops * c.batch, c.prototypes, 128);
  const swav_codes_config config = swav_codes_config_default();
  c.codes.resize(size_t(2 * c.batch * c.prototypes));
  for (int64_t a = 0; a < 2; ++a) {
    REQUIRE(swav_codes(c.scores.data() + c.row(a, 0), c.batch, c.prototypes, c.batch, &config,
                       c.codes.data() + a * c.batch * c.prototypes, nullptr) == SWAV_OK);
  }
  // ln 3000 + 0.39 = 8.40; measured 8.42 for independent crops. 0.05 is five standard errors over 256 rows.
  CHECK(c.loss() == doctest::Approx(8.41).epsilon(0.05 / 8.41));
}

TEST_CASE("the loss is at least the mean entropy of the codes, and equal to it when predictions are the codes") {
  for (Case c : cases()) {
    double entropy = 0;
    for (float q : c.codes) entropy -= q > 0 ? double(q) * std::log(double(q)) : 0;
    entropy /= double(c.assign.size()) * double(c.batch);
    CHECK(c.loss() >= entropy - 1e-6);
  }
  Case c = make_case(10, 2, 6, 40, {0, 1});
  double entropy = 0;
  for (size_t i = 0; i < c.codes.size(); ++i) entropy -= double(c.codes[i]) * std::log(double(c.codes[i])) / 12;
  const size_t half = c.codes.size() / 2;
  for (size_t i = 0; i < half; ++i) {  // crop 0 predicts code 1 and crop 1 code 0
    c.scores[i] = c.temperature * std::log(c.codes[half + i]);
    c.scores[half + i] = c.temperature * std::log(c.codes[i]);
  }
  CHECK(std::abs(c.loss() - entropy) < 1e-5);  // |t| up to 40 rounded to eps / 2 each: 2.4e-6
}

TEST_CASE("the value does not depend on the number of crops when all predict the same") {
  Case two = make_case(11, 2, 4, 30, {0, 1});
  std::copy_n(two.scores.begin(), two.scores.size() / 2, two.scores.begin() + int64_t(two.scores.size() / 2));
  std::copy_n(two.codes.begin(), two.codes.size() / 2, two.codes.begin() + int64_t(two.codes.size() / 2));
  Case eight = two;
  eight.crops = 8;
  for (int i = 0; i < 3; ++i) eight.scores.insert(eight.scores.end(), two.scores.begin(), two.scores.end());
  CHECK(std::abs(eight.loss() - two.loss()) < 1e-9);  // the same rows, averaged in double
}

TEST_CASE("the gradient of the scores equals finite differences of the reference loss") {
  const Case c = make_case(12, 4, 3, 20, {0, 1});
  Floats gradient;
  c.loss(&gradient);
  const float step = 0x1p-9f;
  for (size_t i = 0; i < gradient.size(); i += 7) {
    Case up = c, down = c;
    up.scores[i] += step;
    down.scores[i] -= step;
    const double width = double(up.scores[i]) - double(down.scores[i]);
    const double difference = (reference_loss(up, nullptr) - reference_loss(down, nullptr)) / width;
    // Third derivative of log-sum-exp: at most 1 / tau^3, times step^2 / 6, times the row's weight 2 / (A (V - 1) B).
    const double bound = 1000 * double(step) * double(step) / 6 * 2 / (2 * 3 * 3) + 1e-6;
    CHECK(std::abs(double(gradient[i]) - difference) < bound);
  }
}

TEST_CASE("codes carry no gradient: a crop is not pulled towards its own code") {
  Case c = make_case(13, 4, 3, 20, {0, 1});
  Floats before, after;
  c.loss(&before);
  for (int64_t i = 0; i < c.batch * c.prototypes; ++i)
    c.codes[size_t(i)] = c.codes[size_t((i * 13 + 5) % (c.batch * c.prototypes))];
  c.loss(&after);
  const int64_t crop = c.batch * c.prototypes;
  CHECK(std::equal(before.begin(), before.begin() + crop, after.begin()));  // crop 0 does not see code 0
  CHECK_FALSE(std::equal(before.begin() + crop, before.begin() + 2 * crop, after.begin() + crop));  // crop 1 does
  const Case only = make_case(14, 3, 3, 20, {0});
  only.loss(&before);
  for (int64_t i = 0; i < crop; ++i) CHECK(before[size_t(i)] == 0);  // nothing to predict
}

TEST_CASE("the gradient of each row sums to zero") {
  for (const Case& c : cases()) {
    Floats gradient;
    c.loss(&gradient);
    const double factor = 1 / (double(c.assign.size()) * double(c.crops - 1) * double(c.batch) * double(c.temperature));
    for (int64_t n = 0; n < c.crops * c.batch; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < c.prototypes; ++k) sum += double(gradient[size_t(n * c.prototypes + k)]);
      CHECK(std::abs(sum) < 26 * double(FLT_EPSILON) * factor * double(c.assign.size()));
    }
  }
}

TEST_CASE("two assignment crops average the losses of each, and two crops give the mean of the two cross-entropies") {
  for (const int64_t crops : {2, 5}) {
    const Case both = make_case(15, crops, 4, 25, {0, 1});
    Case first = both, second = both;
    first.assign = {0};
    first.codes.resize(both.codes.size() / 2);
    second.assign = {1};
    second.codes.assign(both.codes.begin() + int64_t(both.codes.size() / 2), both.codes.end());
    CHECK(std::abs(both.loss() - (first.loss() + second.loss()) / 2) < 1e-6);
  }
}

TEST_CASE("tau acts on predictions only, epsilon on codes only") {
  Case c = make_case(16, 3, 4, 25, {0, 1});
  Case sharper = c;
  sharper.temperature = 0.05f;
  for (float& s : sharper.scores) s *= 0.5f;
  CHECK(std::abs(sharper.loss() - c.loss()) < 1e-6);  // scores / tau as before, codes kept
}

TEST_CASE("the gradient may overwrite the scores, and scale multiplies loss and gradient") {
  const Case c = make_case(17, 8, 5, 100, {0, 1});
  Floats gradient;
  const double loss = c.loss(&gradient);
  SwappedLoss shape{c.crops, c.batch, c.prototypes, c.assign.data(), 2, c.temperature, 1};
  Floats workspace(size_t(swapped_loss_workspace(shape))), in_place = c.scores;
  CHECK(swapped_loss(shape, in_place.data(), c.codes.data(), workspace.data(), in_place.data()) == loss);
  CHECK(in_place == gradient);
  shape.scale = 0.5;
  CHECK(swapped_loss(shape, c.scores.data(), c.codes.data(), workspace.data(), in_place.data()) == loss / 2);
  for (size_t i = 0; i < gradient.size(); ++i) CHECK(in_place[i] == gradient[i] / 2);
}

TEST_CASE("loss and gradient are finite for any finite scores; scores that are not are an error") {
  for (const float magnitude : {1e-30f, 1e10f, 1e30f, FLT_MAX}) {
    Case c = make_case(18, 3, 4, 21, {0, 1});
    for (float& s : c.scores) s = s > 0 ? s * magnitude : -magnitude;
    Floats gradient;
    CHECK(std::isfinite(c.loss(&gradient)));
    for (float g : gradient) CHECK(std::isfinite(g));
  }
  Case c = make_case(19, 3, 4, 21, {0, 1});
  c.scores[17] = NAN;
  double loss = 7;
  CHECK(swav_swapped_loss(c.scores.data(), 3, 4, 21, c.codes.data(), c.assign.data(), 2, 0.1f, &loss, nullptr) ==
        SWAV_ERROR_NUMERIC);
  CHECK(loss == 7);
}

TEST_CASE("loss and gradient have the same bits with any number of threads") {
  const Case c = make_case(20, 4, 100, 50, {0, 1});
  Floats expected, gradient;
  swav_set_threads(1);
  const double loss = c.loss(&expected);
  for (const int threads : {2, 3, 7}) {
    swav_set_threads(threads);
    CHECK(c.loss(&gradient) == loss);
    CHECK(gradient == expected);
  }
  swav_set_threads(0);
}

TEST_CASE("swav_swapped_loss refuses what its comment excludes, naming the value") {
  const Case c = make_case(21, 3, 2, 4, {0, 1});
  const auto message = [&](int64_t crops, int64_t batch, std::vector<int32_t> assign, float temperature) {
    double loss;
    const int32_t count = int32_t(assign.size());
    assign.resize(4);
    CHECK(swav_swapped_loss(c.scores.data(), crops, batch, 4, c.codes.data(), assign.data(), count, temperature, &loss,
                            nullptr) == SWAV_ERROR_ARGUMENT);
    return std::string(swav_error_message());
  };
  CHECK(message(1, 2, {0}, 0.1f) == "swav_swapped_loss: crops is 1; 2 to 2147483647 is allowed");
  CHECK(message(3, 0, {0}, 0.1f) == "swav_swapped_loss: batch is 0; 1 to 2147483647 is allowed");
  CHECK(message(3, 2, {3}, 0.1f) == "assignment crop 0 is 3; 0 to 2 is allowed");
  CHECK(message(3, 2, {1, 1}, 0.1f) == "assignment crop 1 is given twice");
  CHECK(message(3, 2, {}, 0.1f) == "swav_swapped_loss: assign_count is 0; 1 to 8, and no more than crops, is allowed");
  CHECK(message(3, 2, {0}, 0.0f) == "temperature is 0; 1e-06 to 1e+06 is allowed");
}
