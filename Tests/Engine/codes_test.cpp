// Properties of Sinkhorn-Knopp, through the C interface and the C++ one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <string>

#include "base/parallel.h"
#include "objective/codes.h"
#include "score_samples.h"
#include "swav.h"
#include "thread_group.h"

using namespace swav;
using namespace swav::test;

namespace {

struct Shape {
  int64_t rows, prototypes;
};

Floats codes_of(const Floats& scores, int64_t rows, int64_t prototypes, float epsilon = 0.05f, int iterations = 3,
                int64_t keep = 0) {
  if (keep == 0) keep = rows;
  const swav_codes_config config{epsilon, false, 1e-3f, iterations};
  Floats codes(size_t(keep * prototypes), -1.0f);
  const swav_status status = swav_codes(scores.data(), rows, prototypes, keep, &config, codes.data(), nullptr);
  REQUIRE_MESSAGE(status == SWAV_OK, swav_error_message());
  return codes;
}

template <class A, class B>
double largest_difference(const A& a, const B& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double(a[i]) - double(b[i]));
    worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
  }
  return worst;
}

double row_sum(const Floats& codes, int64_t n, int64_t prototypes) {
  double sum = 0;
  for (int64_t k = 0; k < prototypes; ++k) sum += double(codes[size_t(n * prototypes + k)]);
  return sum;
}

// Largest relative error of a prototype's share against rows / prototypes.
double marginal_error(const Floats& codes, int64_t rows, int64_t prototypes) {
  double worst = 0;
  for (int64_t k = 0; k < prototypes; ++k) {
    double share = 0;
    for (int64_t n = 0; n < rows; ++n) share += double(codes[size_t(n * prototypes + k)]);
    worst = std::max(worst, std::abs(share * double(prototypes) / double(rows) - 1));
  }
  return worst;
}

// The plain formula in float: exponentials of scores / epsilon, no shift.
Floats plain_codes(const Floats& scores, int64_t rows, int64_t prototypes, float epsilon, int iterations) {
  Floats q(scores.size());
  for (size_t i = 0; i < q.size(); ++i) q[i] = std::exp(scores[i] / epsilon);
  for (int it = 0; it < iterations; ++it) {
    for (int64_t k = 0; k < prototypes; ++k) {
      float sum = 0;
      for (int64_t n = 0; n < rows; ++n) sum += q[size_t(n * prototypes + k)];
      for (int64_t n = 0; n < rows; ++n) q[size_t(n * prototypes + k)] /= sum * float(prototypes);
    }
    for (int64_t n = 0; n < rows; ++n) {
      float sum = 0;
      for (int64_t k = 0; k < prototypes; ++k) sum += q[size_t(n * prototypes + k)];
      for (int64_t k = 0; k < prototypes; ++k)
        q[size_t(n * prototypes + k)] /= sum * (it + 1 < iterations ? float(rows) : 1.0f);
    }
  }
  return q;
}

}  // namespace

TEST_CASE("each code row sums to 1 and no entry is negative") {
  for (const Shape s : {Shape{1, 1}, {1, 7}, {7, 1}, {3, 15}, {5, 16}, {4, 17}, {65, 31}, {64, 300}, {200, 33}}) {
    for (const float epsilon : {1e-3f, 0.05f, 1.0f}) {
      CAPTURE(s.rows);
      CAPTURE(s.prototypes);
      CAPTURE(epsilon);
      const Floats codes = codes_of(random_scores(1, s.rows, s.prototypes), s.rows, s.prototypes, epsilon);
      for (int64_t n = 0; n < s.rows; ++n) CHECK(std::abs(row_sum(codes, n, s.prototypes) - 1) < 1e-6);
      CHECK(*std::min_element(codes.begin(), codes.end()) >= 0);
    }
  }
}

TEST_CASE("prototype marginals approach N / K monotonically in the iterations") {
  const Floats scores = random_scores(2, 64, 3000, 128);
  double previous = 1e9;
  // Measured with the plain formula in double on such data: 0.1, 0.014, 0.002 and under 1e-8; twice that is allowed. Float sums
  // of 64 codes stop at 64 eps = 8e-6.
  const std::pair<int, double> expected[] = {{1, 0.2}, {2, 0.028}, {3, 0.004}, {10, 8e-6}};
  for (const auto& [iterations, bound] : expected) {
    const double error = marginal_error(codes_of(scores, 64, 3000, 0.05f, iterations), 64, 3000);
    CAPTURE(iterations);
    CHECK(error < bound);
    CHECK(error < previous);
    previous = error;
  }
}

TEST_CASE("identical samples give exactly uniform codes, identical prototypes equal entries") {
  const Floats one = random_scores(3, 1, 40);
  Floats same_samples, same_prototypes;
  for (int n = 0; n < 24; ++n) same_samples.insert(same_samples.end(), one.begin(), one.end());
  for (float q : codes_of(same_samples, 24, 40)) CHECK(std::abs(double(q) - 1.0 / 40) < 1e-7);  // 4 eps / 40
  for (float score : one) same_prototypes.insert(same_prototypes.end(), 24, score);
  for (float q : codes_of(same_prototypes, 40, 24)) CHECK(std::abs(double(q) - 1.0 / 24) < 1e-7);
}

TEST_CASE("a constant added to all scores or to a prototype changes nothing; to a sample it does, until convergence") {
  const int64_t rows = 48, prototypes = 40;
  const Floats scores = random_scores(4, rows, prototypes);
  Floats global = scores, by_prototype = scores, by_sample = scores;
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t k = 0; k < prototypes; ++k) {
      const size_t i = size_t(n * prototypes + k);
      global[i] += 3;
      by_prototype[i] += 0.01f * float(k % 7);
      by_sample[i] += 0.05f * float(n % 5);
    }
  }
  // A shifted score is rounded to eps * 4 / 2; that over epsilon 0.05 moves a code by 5e-6, relatively.
  const Floats codes = codes_of(scores, rows, prototypes);
  CHECK(largest_difference(codes_of(global, rows, prototypes), codes) < 1e-5);
  CHECK(largest_difference(codes_of(by_prototype, rows, prototypes), codes) < 1e-5);
  CHECK(largest_difference(codes_of(by_sample, rows, prototypes), codes) > 1e-3);
  CHECK(largest_difference(codes_of(by_sample, rows, prototypes, 0.05f, 300), codes_of(scores, rows, prototypes, 0.05f, 300)) <
        1e-5);
}

TEST_CASE("samples and prototypes may be permuted") {
  const int64_t rows = 70, prototypes = 45;
  const Floats scores = random_scores(5, rows, prototypes);
  const auto moved = [&](const Floats& x) {
    Floats y(x.size());
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t k = 0; k < prototypes; ++k) {
        y[size_t((n * 37 % rows) * prototypes + k * 7 % prototypes)] = x[size_t(n * prototypes + k)];
      }
    }
    return y;
  };
  CHECK(moved(scores) != scores);
  // Only the order of sums over 70 and 45 terms changes: 64 eps = 8e-6, relative to codes below 1.
  CHECK(largest_difference(codes_of(moved(scores), rows, prototypes), moved(codes_of(scores, rows, prototypes))) < 8e-6);
}

TEST_CASE("a small epsilon tends to a balanced assignment, a large one to uniform codes") {
  const int64_t rows = 40, prototypes = 10;
  const Floats scores = random_scores(6, rows, prototypes);
  const Floats hard = codes_of(scores, rows, prototypes, 1e-3f, 1000);
  CHECK(marginal_error(hard, rows, prototypes) < 0.05);
  int decided = 0;
  for (int64_t n = 0; n < rows; ++n) {
    decided += *std::max_element(hard.begin() + n * prototypes, hard.begin() + (n + 1) * prototypes) > 0.95f;
  }
  CHECK(decided >= rows - (prototypes - 1));  // a vertex of the transport polytope splits at most K - 1 samples
  // |code - 1/K| <= (2 range of the scores / epsilon) / K to first order, range 2.
  for (float q : codes_of(scores, rows, prototypes, 1000.0f)) CHECK(std::abs(double(q) - 0.1) < 4.0 / 1000 / 10);
}

TEST_CASE("W ranks with sharded samples give the codes of one process, with 1 + iterations reductions") {
  const int64_t rows = 96, prototypes = 120;
  const Floats scores = random_scores(7, rows, prototypes);
  for (const float epsilon : {0.05f, 2e-3f}) {
    const Floats expected = codes_of(scores, rows, prototypes, epsilon);
    for (const int ranks : {2, 3, 4}) {
      const int64_t local = rows / ranks;
      Floats codes(scores.size());
      ThreadGroup group(ranks);
      group.run([&](Communicator& member) {
        Floats workspace(size_t(codes_workspace(local, prototypes)));
        const int64_t offset = member.rank() * local * prototypes;
        compute_codes(scores.data() + offset, local, prototypes, local, double(epsilon), 3, member, workspace.data(),
                      codes.data() + offset);
      });
      CAPTURE(ranks);
      CHECK(group.reductions() == 1 + 3);
      CHECK(largest_difference(codes, expected) < 8e-6);  // the order of sums over 96 rows: 64 eps
    }
  }
}

TEST_CASE("the spread over W ranks is that of one process, and equals the textbook formula") {
  const int64_t rows = 90, prototypes = 37;
  Floats scores = random_scores(8, rows, prototypes);
  for (float& s : scores) s += 5;  // an offset must not cancel digits
  double expected = 0;
  for (int64_t k = 0; k < prototypes; ++k) {
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < rows; ++n) sum += double(scores[size_t(n * prototypes + k)]);
    for (int64_t n = 0; n < rows; ++n) squares += std::pow(double(scores[size_t(n * prototypes + k)]) - sum / rows, 2);
    expected += std::sqrt(squares / (rows - 1)) / prototypes;
  }
  for (const int ranks : {1, 2, 3}) {
    const int64_t local = rows / ranks;
    Doubles spreads(size_t(ranks), 0.0);
    ThreadGroup group(ranks);
    group.run([&](Communicator& member) {
      Floats workspace(size_t(codes_workspace(local, prototypes)));
      spreads[size_t(member.rank())] =
          score_spread(scores.data() + member.rank() * local * prototypes, local, prototypes, member, workspace.data());
    });
    for (double spread : spreads) CHECK(spread == doctest::Approx(expected).epsilon(8e-6));  // float sums of 64 terms: 64 eps
  }
  Floats workspace(size_t(codes_workspace(1, prototypes)));
  CHECK(score_spread(scores.data(), 1, prototypes, group_of_one(), workspace.data()) == 0);
}

TEST_CASE("queue rows change the codes only through the prototypes' sums, and the last rows are kept") {
  const int64_t queue = 80, batch = 24, prototypes = 50;
  const Floats all = random_scores(9, queue + batch, prototypes);
  const Floats codes = codes_of(all, queue + batch, prototypes, 0.05f, 3, batch);
  const Floats complete = codes_of(all, queue + batch, prototypes);
  CHECK(std::equal(codes.begin(), codes.end(), complete.begin() + queue * prototypes));
  const Floats alone = codes_of(Floats(all.begin() + queue * prototypes, all.end()), batch, prototypes);
  CHECK(largest_difference(codes, alone) > 1e-3);
  // The batch's codes repeated as its own queue leave the prototypes' shares, and so the codes, as they were.
  Floats twice(all.begin() + queue * prototypes, all.end());
  twice.insert(twice.end(), all.begin() + queue * prototypes, all.end());
  CHECK(largest_difference(codes_of(twice, 2 * batch, prototypes, 0.05f, 3, batch), alone) < 8e-6);
}

TEST_CASE("codes equal the plain float formula to 1e-5 at epsilon 0.05") {
  for (const Shape s : {Shape{64, 100}, {37, 300}, {128, 3000}, {300, 30}}) {
    const Floats scores = random_scores(10, s.rows, s.prototypes, 64);
    CAPTURE(s.rows);
    CHECK(largest_difference(codes_of(scores, s.rows, s.prototypes), plain_codes(scores, s.rows, s.prototypes, 0.05f, 3)) <
          1e-5);
  }
}

TEST_CASE("codes equal the log-domain formula in double, down to an epsilon where the plain one overflows") {
  for (const Shape s : {Shape{64, 100}, {37, 300}, {8, 900}, {130, 17}, {1, 5}, {5, 1}}) {
    for (const float epsilon : {1.0f, 0.05f, 0.01f, 1e-3f, 1e-4f}) {
      // A hundred times ln(K / N) would be far beyond exp's range.
      for (const int iterations : {1, 3, 10, 100}) {
        const Floats scores = random_scores(11, s.rows, s.prototypes, 8);
        const Floats codes = codes_of(scores, s.rows, s.prototypes, epsilon, iterations);
        CAPTURE(s.rows);
        CAPTURE(s.prototypes);
        CAPTURE(epsilon);
        CAPTURE(iterations);
        // Each iteration rounds t = score / epsilon - f once: eps / 2 * |t|, |t| <= 2 / epsilon (cosines), and moves a code q
        // by at most q (1 - q) <= 1/4 of that, in each of the two steps; 64 eps for the sums.
        const double bound = iterations * 2 * 0.25 * double(FLT_EPSILON) / 2 * (2 / double(epsilon)) + 64 * double(FLT_EPSILON);
        CHECK(largest_difference(codes, log_domain_codes(scores, s.rows, s.prototypes, double(epsilon), iterations)) < bound);
      }
    }
  }
  CHECK(std::isnan(plain_codes(Floats(6, 1.0f), 2, 3, 1e-3f, 3)[0]));
}

TEST_CASE("a prototype far from every sample and a sample far from every prototype get correct codes") {
  const int64_t rows = 33, prototypes = 20;
  Floats scores = random_scores(12, rows, prototypes);
  for (int64_t n = 0; n < rows; ++n) scores[size_t(n * prototypes + 3)] -= 50;  // 5e4 epsilons
  for (int64_t k = 0; k < prototypes; ++k) scores[size_t(4 * prototypes + k)] -= 80;
  for (const float epsilon : {0.05f, 1e-3f}) {
    const Doubles expected = log_domain_codes(scores, rows, prototypes, double(epsilon), 3);
    // As above with |t| <= 80 / epsilon for the far sample.
    const double bound = 3 * 2 * 0.25 * double(FLT_EPSILON) / 2 * (82 / double(epsilon)) + 64 * double(FLT_EPSILON);
    CHECK(largest_difference(codes_of(scores, rows, prototypes, epsilon), expected) < bound);
  }
}

TEST_CASE("codes stay finite and sum to 1 for any finite scores") {
  for (const float magnitude : {1e-30f, 1e10f, 1e30f, FLT_MAX}) {
    Floats scores = random_scores(13, 20, 30);
    for (float& s : scores) s = s > 0 ? s * magnitude : -magnitude;
    const Floats codes = codes_of(scores, 20, 30, 1e-3f);
    CAPTURE(magnitude);
    for (int64_t n = 0; n < 20; ++n) CHECK(std::abs(row_sum(codes, n, 30) - 1) < 1e-6);
  }
}

TEST_CASE("a score that is not finite is an error that names the stage") {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (const size_t place : {size_t{0}, size_t{50 * 19 - 1}}) {
      Floats scores = random_scores(14, 50, 19), codes(scores.size());
      scores[place] = bad;
      const swav_codes_config config = swav_codes_config_default();
      CHECK(swav_codes(scores.data(), 50, 19, 50, &config, codes.data(), nullptr) == SWAV_ERROR_NUMERIC);
      CHECK(std::string(swav_error_message()).find("codes: a score is not finite") == 0);
    }
  }
}

TEST_CASE("relative epsilon is a multiple of the batch's spread, not under its floor") {
  const int64_t queue = 32, batch = 16, prototypes = 25;
  Floats scores = random_scores(15, queue + batch, prototypes);
  for (int64_t i = 0; i < queue * prototypes; ++i) scores[size_t(i)] *= 9;  // the queue's spread must not count
  Floats workspace(size_t(codes_workspace(batch, prototypes)));
  const double spread = score_spread(scores.data() + queue * prototypes, batch, prototypes, group_of_one(), workspace.data());
  swav_codes_config config{0.5f, true, 1e-3f, 3};
  Floats codes(size_t(batch * prototypes));
  float epsilon = 0;
  REQUIRE(swav_codes(scores.data(), queue + batch, prototypes, batch, &config, codes.data(), &epsilon) == SWAV_OK);
  CHECK(epsilon == float(0.5 * spread));
  CHECK(codes == codes_of(scores, queue + batch, prototypes, epsilon, 3, batch));
  config.epsilon_floor = 10;
  REQUIRE(swav_codes(scores.data(), queue + batch, prototypes, batch, &config, codes.data(), &epsilon) == SWAV_OK);
  CHECK(epsilon == 10);
}

TEST_CASE("codes have the same bits with any number of threads") {
  const Floats scores = random_scores(16, 300, 700);
  swav_set_threads(1);
  const Floats expected = codes_of(scores, 300, 700);
  for (const int threads : {2, 3, 7}) {
    swav_set_threads(threads);
    CHECK(codes_of(scores, 300, 700) == expected);
  }
  swav_set_threads(0);
}

TEST_CASE("swav_codes refuses what its comment excludes, naming the value") {
  const Floats scores(12, 0.5f);
  Floats codes(12);
  const auto message = [&](int64_t rows, int64_t prototypes, int64_t keep, swav_codes_config config) {
    CHECK(swav_codes(scores.data(), rows, prototypes, keep, &config, codes.data(), nullptr) == SWAV_ERROR_ARGUMENT);
    return std::string(swav_error_message());
  };
  const swav_codes_config good = swav_codes_config_default();
  CHECK(message(4, 3, 5, good) == "swav_codes: keep is 5; 1 to 4 rows is allowed");
  CHECK(message(4, 3, 0, good) == "swav_codes: keep is 0; 1 to 4 rows is allowed");
  CHECK(message(0, 3, 1, good) == "swav_codes: rows is 0; 1 to 2147483647 is allowed");
  CHECK(message(int64_t{1} << 40, int64_t{1} << 40, 1, good).find("swav_codes: rows is 1099511627776; ") == 0);
  CHECK(message(4, 3, 4, {0.0f, false, 1e-3f, 3}) == "epsilon is 0; 1e-06 to 1e+06 is allowed");
  CHECK(message(4, 3, 4, {NAN, false, 1e-3f, 3}) == "epsilon is nan; 1e-06 to 1e+06 is allowed");
  CHECK(message(4, 3, 4, {0.5f, true, 0.0f, 3}) == "epsilon_floor is 0; 1e-06 to 1e+06 is allowed");
  CHECK(message(4, 3, 4, {0.05f, false, 1e-3f, 0}) == "Sinkhorn iterations are 0; 1 to 1000 is allowed");
  CHECK(swav_codes(nullptr, 4, 3, 4, &good, codes.data(), nullptr) == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()) == "swav_codes: scores is NULL");
}
