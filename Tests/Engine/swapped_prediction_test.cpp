// SwAV's objective as a whole, alone: codes with the queue, loss, figures and workspace, against the formulas in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "base/status.h"
#include "kernel_samples.h"
#include "objective/swapped_prediction.h"

using namespace swav;
using namespace swav::test;

namespace {

// An objective with a head's output of its own, each array of its exact size.
struct ObjectiveBench {
  ObjectiveShape shape;
  SwappedPredictionSettings settings;
  SwappedPrediction objective;
  Arena arena;
  Floats embeddings;
  std::vector<Floats> prototypes, scores;
  HeadOutput output;

  ObjectiveBench(const ObjectiveShape& given, std::vector<int32_t> assign, int64_t queue_length = 0)
      : shape(given), settings{std::move(assign), swav_codes_config_default(), 0.1f, queue_length}, objective(settings) {
    objective.check(shape);
    arena.lay_out([&] {
      objective.take(arena, shape);
      objective.take_state(arena, shape);
    });
    for (int64_t k : shape.prototypes) {
      prototypes.push_back(normals(uint64_t(k), k * shape.dim));
      scores.emplace_back(size_t(shape.rows() * k));
    }
    for (size_t set = 0; set < prototypes.size(); ++set) output.sets.push_back({prototypes[set].data(), scores[set].data()});
  }

  // What the trainer does, for embeddings that are a function of `number`.
  swav_step_report step(uint64_t number, bool use_queue = true, bool update = true) {
    embeddings = unit_vectors(number, shape.rows(), shape.dim);
    output.embeddings = embeddings.data();
    objective.prepare(output);
    for (size_t set = 0; set < prototypes.size(); ++set) {
      const Floats s = cosines(embeddings, prototypes[set], shape.dim);
      std::copy(s.begin(), s.end(), scores[set].begin());
    }
    const swav_step_input input{nullptr, 0, false, use_queue, update};
    swav_step_report report{};
    objective.evaluate(output, input, group_of_one(), report);
    if (update) objective.finish(output, input);
    return report;
  }

  // Rows of assignment crop a of an earlier step, then those of `number`.
  Floats rows(int32_t a, std::vector<uint64_t> earlier, uint64_t number) const {
    earlier.push_back(number);
    Floats all;
    for (uint64_t t : earlier) {
      const Floats z = unit_vectors(t, shape.rows(), shape.dim);
      const auto begin = z.begin() + settings.assign[size_t(a)] * shape.batch * shape.dim;
      all.insert(all.end(), begin, begin + shape.batch * shape.dim);
    }
    return all;
  }

  // The loss of a step in double, and with it the mean entropy of its codes over ln K.
  std::pair<double, double> expected(uint64_t number, const std::vector<uint64_t>& queue) const {
    const Floats z = unit_vectors(number, shape.rows(), shape.dim);
    const int64_t batch = shape.batch, count = int64_t(settings.assign.size());
    double loss = 0, entropy = 0;
    for (size_t set = 0; set < prototypes.size(); ++set) {
      const int64_t k = shape.prototypes[set];
      const Floats s = cosines(z, prototypes[set], shape.dim);
      for (int32_t a = 0; a < count; ++a) {
        const Floats joint = cosines(rows(a, queue, number), prototypes[set], shape.dim);
        const int64_t length = int64_t(joint.size()) / k;
        const Doubles q = log_domain_codes(joint, length, k, double(0.05f), 3);
        const double* codes = q.data() + (length - batch) * k;
        for (int64_t i = 0; i < batch * k; ++i) {
          const double share = 1.0 / (double(batch) * std::log(double(k)) * double(count) * double(prototypes.size()));
          entropy -= codes[i] > 0 ? share * codes[i] * std::log(codes[i]) : 0;
        }
        for (int64_t row = 0; row < shape.rows(); ++row) {
          if (row / batch == settings.assign[size_t(a)]) continue;
          Doubles x;
          for (int64_t i = 0; i < k; ++i) x.push_back(double(s[size_t(row * k + i)]) / double(0.1f));
          const double normalizer = log_sum_exp(x);
          for (int64_t i = 0; i < k; ++i) loss -= codes[row % batch * k + i] * (x[size_t(i)] - normalizer);
        }
      }
    }
    return {loss / (double(count) * double(shape.crops - 1) * double(batch) * double(prototypes.size())), entropy};
  }
};

}  // namespace

TEST_CASE("the window of usage counts the codes of all parts") {
  for (const int64_t parts : {1, 4}) {
    ObjectiveBench bench({2, 4, 8, {100}, parts}, {0, 1});
    for (uint64_t t = 0; t < 110; ++t) bench.step(t);
    swav_health health{};
    bench.objective.health(bench.output, group_of_one(), health);
    // Eight codes for each of 100 prototypes, 8 of each part a step.
    CHECK(health.window == 100 / parts);
  }
}

TEST_CASE(
    "loss and code entropy are those of the formulas, for more images than prototypes, fewer, and sets of several sizes") {
  const ObjectiveShape shapes[] = {
      {2, 1024, 8, {10}}, {3, 2, 8, {500}}, {2, 300, 8, {2}}, {3, 40, 6, {7, 300, 2}}, {2, 513, 5, {3, 64}}};
  for (const ObjectiveShape& shape : shapes) {
    CAPTURE(shape.batch);
    CAPTURE(shape.prototypes[0]);
    ObjectiveBench bench(shape, {0, 1});
    const swav_step_report report = bench.step(3);
    const auto [loss, entropy] = bench.expected(3, {});
    // Scores have 3 roundings of values up to 1; over tau = 0.1 and epsilon = 0.05 that is up to 60 eps of each logarithm.
    CHECK(std::abs(report.loss - loss) <= 60 * double(FLT_EPSILON) * (1 + std::abs(loss)));
    CHECK(std::abs(report.code_entropy - entropy) <= 60 * double(FLT_EPSILON));
    CHECK(report.epsilon == doctest::Approx(double(0.05f)).epsilon(1e-15));
    CHECK_FALSE(report.queue_used);
  }
}

TEST_CASE("codes are those of the batch beside the embeddings of the queue, each assignment crop its own") {
  ObjectiveBench bench({3, 6, 8, {12, 5}}, {2, 0}, 13);  // rounded down to 12: two batches
  for (uint64_t t = 0; t < 5; ++t) {
    const swav_step_report report = bench.step(t);
    CHECK(report.queue_used == (t >= 2));
    const auto [loss, entropy] = bench.expected(t, t >= 2 ? std::vector<uint64_t>{t - 2, t - 1} : std::vector<uint64_t>{});
    CHECK(std::abs(report.loss - loss) <= 60 * double(FLT_EPSILON) * (1 + std::abs(loss)));
    CHECK(std::abs(report.code_entropy - entropy) <= 60 * double(FLT_EPSILON));
  }
}

TEST_CASE("prototypes have unit norm after prepare, and only a step with an update that asks for the queue fills it") {
  ObjectiveBench bench({2, 4, 3, {5}}, {0, 1}, 4);
  bench.step(0, false);
  bench.step(1, true, false);
  CHECK(bench.objective.state()[1].counters[0] == 0);
  bench.step(2);
  CHECK(bench.objective.state()[1].counters[0] == 1);
  for (int64_t k = 0; k < 5; ++k) {
    double square = 0;
    for (int64_t i = 0; i < 3; ++i) square += std::pow(double(bench.prototypes[0][size_t(k * 3 + i)]), 2);
    CHECK(std::abs(square - 1) <= 4 * double(FLT_EPSILON));
  }
}

TEST_CASE("settings of swapped prediction out of range are refused, naming the setting and what is allowed") {
  const SwappedPredictionSettings good{{0, 1}, swav_codes_config_default(), 0.1f, 0};
  SwappedPredictionSettings queue = good, epsilon = good, crop = good, cold = good;
  queue.queue_length = int64_t{1} << 40;
  CHECK_THROWS_WITH_AS(SwappedPrediction{queue}, "queue_length is 1099511627776; 0 to 16777216 is allowed", Error);
  epsilon.codes.epsilon = 0;
  CHECK_THROWS_AS(SwappedPrediction{epsilon}, Error);
  const ObjectiveShape shape{2, 4, 3, {5}};
  crop.assign[1] = 2;
  CHECK_THROWS_WITH_AS(SwappedPrediction(crop).check(shape), "assignment crop 1 is 2; 0 to 1 is allowed", Error);
  cold.temperature = 0;
  CHECK_THROWS_AS(SwappedPrediction(cold).check(shape), Error);
  CHECK_THROWS_WITH_AS(SwappedPrediction(good).check({1, 4, 3, {5}}), "crops are 1; swapped prediction needs at least 2",
                       Error);
}
