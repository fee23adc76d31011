// Parts of a batch: any number of ranks that has them gives the same bits. Ranks are threads here; make test-mpi runs
// processes.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <limits>

#include "base/status.h"
#include "comm/parts.h"
#include "rank_run.h"
#include "temporary_folder.h"

using namespace swav;
using namespace swav::test;

namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Reports, health and all state, as the checkpoint has it.
void check_same(const Run& a, const Run& b) {
  CHECK(a.losses == b.losses);
  CHECK(a.values[0] == b.values[0]);
  for (size_t t = 0; t < a.reports.size(); ++t) {
    CHECK(a.reports[t].gradient_norm == b.reports[t].gradient_norm);
    CHECK(a.reports[t].code_entropy == b.reports[t].code_entropy);
    CHECK(a.reports[t].sinkhorn_error == b.reports[t].sinkhorn_error);
    CHECK(a.reports[t].score_spread == b.reports[t].score_spread);
    CHECK(a.reports[t].prediction_entropy == b.reports[t].prediction_entropy);
    CHECK(a.reports[t].similarity == b.reports[t].similarity);
    CHECK(a.reports[t].prototypes_used == b.reports[t].prototypes_used);
    CHECK(a.reports[t].queue_used == b.reports[t].queue_used);
  }
  CHECK(a.health.embedding_rank == b.health.embedding_rank);
  CHECK(a.health.perplexity == b.health.perplexity);
  CHECK(a.health.dead_prototypes == b.health.dead_prototypes);
  CHECK(bytes_of(a.save) == bytes_of(b.save));
}

// The run on each number of ranks has the bits of one process.
void check_any(const Run& run, const std::vector<int>& numbers) {
  TemporaryFolder folder;
  Run one = run;
  one.save = folder / "one";
  one.run(1);
  REQUIRE(std::isfinite(one.losses.back()));
  for (const int ranks : numbers) {
    CAPTURE(ranks);
    Run several = run;
    several.save = folder / ("of" + std::to_string(ranks)).c_str();
    several.run(ranks);
    check_same(several, one);
  }
}

}  // namespace

TEST_CASE("twelve parts give the same bits on any number of ranks: LARC, frozen prototypes, a queue in use, two resolutions") {
  Run run;
  run.group.parts = 12;
  run.steps = 4;
  check_any(run, {2, 3, 4, 6, 12});
  run.run(1);
  CHECK(run.reports[3].queue_used);
}

TEST_CASE("parts give the same bits with AdamW, several sets of prototypes, a relative epsilon and micro-batches") {
  Run run;
  run.network = small_network(18, SWAV_STEM_IMAGENET);
  run.network.head_count = 2;
  run.network.prototypes[1] = 5;
  run.config = small_training();
  run.config.batch = 16;
  run.config.micro_batch = 2;
  run.config.crop_sizes[0] = 33;
  run.config.crop_sizes[1] = 24;
  run.config.codes = {0.5f, true, 1e-3f, 3};
  run.config.optimizer = SWAV_OPTIMIZER_ADAMW;
  run.group.parts = 4;
  check_any(run, {2, 4});
}

TEST_CASE("parts give the same bits where batch-norm's statistics are those of neighbours, or of a part") {
  for (const int32_t norm_ranks : {3, 1}) {
    Run run;
    run.group = {false, norm_ranks, 4};
    check_any(run, {2, 4});
  }
}

TEST_CASE("parts give the same bits with Winograd's convolutions, and in bfloat16") {
  for (const bool bfloat16 : {false, true}) {
    Run run;
    run.network = wide_network();
    run.config = wide_training();
    run.config.bfloat16 = bfloat16;
    run.group.parts = 4;
    run.steps = 1;
    check_any(run, {2});
  }
}

TEST_CASE("a run in parts goes on with other numbers of ranks, and its bits are those of a run without a break") {
  TemporaryFolder folder;
  Run whole;
  whole.group.parts = 4;
  whole.steps = 4;
  whole.save = folder / "whole";
  whole.run(1);
  Run begun = whole;
  begun.steps = 2;
  begun.save = folder / "begun";
  begun.run(2);
  for (const int ranks : {4, 1}) {
    CAPTURE(ranks);
    Run rest = begun;
    rest.first = 2;
    rest.load = begun.save;
    rest.save = folder / "rest";
    rest.run(ranks);
    CHECK(std::string(rest.info.warning).empty());
    CHECK(rest.values[0] == whole.values[0]);
    CHECK(bytes_of(rest.save) == bytes_of(whole.save));
  }
  Run other = begun;
  other.group.parts = 3;
  other.load = begun.save;
  other.run(1);
  CHECK(std::string(other.info.warning).find("added up 4 parts of a batch, and training goes on with 3") != std::string::npos);
}

TEST_CASE("a value that is not finite in one part ends the step, and leaves all as it was") {
  for (const int ranks : {1, 2}) {
    Run run;
    run.group.parts = 4;
    run.steps = 0;
    run.run(ranks);
    const Floats before = run.values[0];
    run.steps = 1;
    run.spoilt = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(run.run(ranks), doctest::Contains("not finite"), Error);
    CHECK(run.values[0] == before);
  }
}

TEST_CASE("parts that cannot be shared out are refused") {
  CHECK(api::parts_of(0, 3) == 3);
  CHECK(api::parts_of(6, 3) == 6);
  CHECK_THROWS_WITH(api::parts_of(4, 3), "parts is 4, and there are 3 ranks; a multiple of their number is needed, as 6");
  CHECK_THROWS_WITH(api::share(queue_training(), 8, "parts"),
                    "batch is 12, and there are 8 parts; a multiple of their number is needed, as 16");
}

TEST_CASE("a part finds in its group what a rank of a process of its own would") {
  for (const int ranks : {1, 2, 3}) {
    ThreadGroup threads(ranks);
    std::vector<int> right(6, 0);
    threads.run([&](Communicator& member) {
      ProcessGroup all(functions_of(member, true), false, 6 / ranks);
      Parts parts(all, 6 / ranks);
      parts.run([&](int part) {
        Communicator& own = parts.member(part);
        const int rank = own.rank();
        double scratch[2] = {double(rank), 1};
        own.sum(scratch, 2);
        float largest[] = {float(rank), rank == 4 ? std::numeric_limits<float>::quiet_NaN() : 1.0f};
        own.max(largest, 2);
        int mine = 10 * rank, all_values[6], root = rank;
        own.gather(&mine, sizeof mine, all_values);
        own.broadcast(&root, sizeof root, 4);
        own.barrier();
        bool same = own.size() == 6 && scratch[0] == 15 && scratch[1] == 6 && largest[0] == 5 && std::isnan(largest[1]);
        for (int r = 0; r < 6; ++r) same = same && all_values[r] == 10 * r;
        right[size_t(rank)] = same && root == 4;
      });
    });
    CHECK(right == std::vector<int>(6, 1));
  }
}

TEST_CASE("what one part throws ends all parts, and the next run begins anew") {
  Parts parts(group_of_one(), 3);
  std::vector<int> ended;
  const auto step = [&](bool fails) {
    ended.clear();
    parts.run([&](int part) {
      double value = 1;
      parts.member(part).sum(&value, 1);
      if (fails && part == 1) fail(SWAV_ERROR_IO, "part 1 failed");
      parts.member(part).sum(&value, 1);
      ended.push_back(int(value));
    });
  };
  CHECK_THROWS_WITH(step(true), "part 1 failed");
  CHECK(ended.empty());
  step(false);
  CHECK(ended == std::vector<int>{9, 9, 9});
}
