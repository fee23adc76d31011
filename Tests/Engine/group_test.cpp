// Groups of processes behind a communicator's functions: their sums, neighbours that share batch-norm statistics, and
// checkpoints that another number of ranks goes on with. Ranks are threads here; make test-mpi runs processes.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>

#include "base/status.h"
#include "comm/on_root.h"
#include "rank_run.h"
#include "temporary_folder.h"
#include "training/rank_state.h"

using namespace swav;
using namespace swav::test;

namespace {

// Of both signs, and rounded when they are added.
Floats part_of_rank(int rank, int64_t count) {
  Floats values(static_cast<size_t>(count));
  uint32_t state = uint32_t(rank + 1);
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = float(int32_t(state)) / 3e6f;
  }
  return values;
}

Floats added_rank_by_rank(int ranks, int64_t count) {
  Floats sum = part_of_rank(0, count);
  for (int r = 1; r < ranks; ++r) {
    const Floats part = part_of_rank(r, count);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
  }
  return sum;
}

// How far the loss of the same images may be off where sums have another order: each of 20 layers rounds, as often up as down,
// by an eps; and weights that `moved` so many steps of LARC since they were the same differ by a twentieth of a step, as
// ranks_test.cpp has it of gradients. A score, a cosine, moves by as much; the loss by 2 / temperature times it, and by its
// codes by 2 / epsilon times the loss, which is about the logarithm of the 12 prototypes.
double loss_error(const swav_trainer_config& config, double moved) {
  const double step = 0.1 * double(config.trust) / 20, score = std::sqrt(20.0) * (double(FLT_EPSILON) + moved * step);
  return score * (2 / double(config.temperature) + 2 / double(config.codes.epsilon) * std::log(12.0));
}

}  // namespace

TEST_CASE("a sum has the bits of adding rank by rank, whether it is gathered or exchanged, short or of several pieces") {
  for (const int ranks : {2, 3, 4}) {
    for (const int64_t count : {int64_t{1}, int64_t{100}, int64_t{4097}, int64_t{1100001}}) {
      for (const bool exchanges : {false, true}) {
        if (count > 1000000 && !exchanges) continue;  // gathers the square of the ranks
        CAPTURE(ranks);
        CAPTURE(count);
        const Floats expected = added_rank_by_rank(ranks, count);
        std::vector<char> equal(size_t(ranks), 0);
        ThreadGroup threads(ranks);
        threads.run([&](Communicator& member) {
          ProcessGroup group(functions_of(member, exchanges), false);
          Floats values = part_of_rank(member.rank(), count);
          group.sum(values.data(), count);
          equal[size_t(member.rank())] = values == expected;
        });
        for (const char same : equal) CHECK(same);
      }
    }
  }
}

TEST_CASE("a gradual sum has the bits of adding rank by rank, whatever is ready when") {
  for (const int ranks : {2, 3, 4}) {
    for (const int64_t count : {int64_t{1}, int64_t{64}, int64_t{129}, int64_t{4097}}) {
      CAPTURE(ranks);
      CAPTURE(count);
      const Floats expected = added_rank_by_rank(ranks, count);
      std::vector<char> equal(size_t(ranks), 0);
      Letters letters;
      ThreadGroup threads(ranks);
      threads.run([&](Communicator& member) {
        Correspondent correspondent(member, letters);
        swav_communicator functions = functions_of(correspondent, true);
        Correspondent::add_transfers(functions);
        ProcessGroup group(functions, false, 1, 64);
        bool all = true;
        for (int turn = 0; turn < 3; ++turn) {
          const Floats whole = part_of_rank(member.rank(), count);
          // What is not ready yet has other values.
          Floats values(whole.size(), 0);
          group.gradual()->begin(values.data(), count);
          const int64_t stretch = 30 + 50 * member.rank() + turn;
          for (int64_t from = count; from > 0;) {
            const int64_t next = std::max(from - stretch, int64_t{0});
            std::copy(whole.begin() + next, whole.begin() + from, values.begin() + next);
            from = next;
            group.gradual()->ready(from);
          }
          group.sum(values.data(), group.gradual()->finish());
          all = all && values == expected;
        }
        equal[size_t(member.rank())] = all;
      });
      for (const char same : equal) CHECK(same);
    }
  }
}

TEST_CASE("a transfer that fails while ranks compute fails the next call of its sum") {
  swav_communicator broken{};
  broken.size = 2;
  broken.begin = [](void*, int32_t, const void*, int64_t, int64_t, void*) { return SWAV_OK; };
  broken.advance = [](void*, int32_t, bool, bool*) { return SWAV_ERROR_IO; };
  broken.message = [](void*) { return "a cable"; };
  GradualSum sum(broken, 8);
  Floats values(32);
  sum.begin(values.data(), 32);
  sum.ready(16);
  sum.glance();
  CHECK_THROWS_WITH(sum.ready(0), "a cable");
}

TEST_CASE("gradients that are summed during the backward pass leave the weights that those summed after it do") {
  for (const int64_t images : {int64_t{0}, int64_t{2}}) {
    for (const int ranks : {2, 3}) {
      CAPTURE(images);
      CAPTURE(ranks);
      Run after;
      after.config.micro_batch = images;
      after.run(ranks);
      CHECK(after.begun == 0);
      Run during = after;
      during.bucket = 500;
      during.run(ranks);
      CHECK(during.values == after.values);
      CHECK(during.begun >= 2 * during.steps * int64_t(during.values[0].size() / 500));
    }
  }
}

TEST_CASE("a value that is not a number on one rank is the largest of all") {
  ThreadGroup threads(3);
  std::vector<char> found(3, 0);
  threads.run([&](Communicator& member) {
    ProcessGroup group(functions_of(member, true), false);
    float values[] = {float(member.rank()), member.rank() == 1 ? std::numeric_limits<float>::quiet_NaN() : 5.0f};
    group.max(values, 2);
    found[size_t(member.rank())] = values[0] == 2 && values[1] != values[1];
  });
  for (const char right : found) CHECK(right);
}

TEST_CASE("neighbours are bands of ranks, the last one smaller") {
  ThreadGroup threads(5);
  std::vector<double> sums(5), firsts(5);
  std::vector<int> sizes(5);
  threads.run([&](Communicator& member) {
    Neighbours band(member, 2);
    double sum = member.rank(), first = member.rank();
    band.sum(&sum, 1);
    band.broadcast(&first, sizeof first, 0);
    const size_t r = size_t(member.rank());
    sums[r] = sum, firsts[r] = first, sizes[r] = band.size();
  });
  CHECK(sums == std::vector<double>{1, 1, 5, 5, 4});
  CHECK(firsts == std::vector<double>{0, 0, 2, 2, 4});
  CHECK(sizes == std::vector<int>{2, 2, 2, 2, 1});
}

TEST_CASE("what fails on rank 0 fails on all, with its status and message") {
  ThreadGroup threads(3);
  std::vector<std::string> messages(3);
  std::vector<int> statuses(3);
  threads.run([&](Communicator& member) {
    try {
      on_root(member, [] { fail(SWAV_ERROR_IO, "disk full"); });
    } catch (const Error& error) {
      messages[size_t(member.rank())] = error.what();
      statuses[size_t(member.rank())] = error.status();
    }
  });
  for (size_t r = 0; r < 3; ++r) {
    CHECK(messages[r] == "disk full");
    CHECK(statuses[r] == SWAV_ERROR_IO);
  }
}

TEST_CASE("what fails on one rank fails on all that do it together, with the words of the first") {
  ThreadGroup threads(3);
  std::vector<std::string> messages(3);
  threads.run([&](Communicator& member) {
    try {
      on_all(member, [&] {
        if (member.rank() == 1) throw std::bad_alloc();
        if (member.rank() == 2) fail(SWAV_ERROR_IO, "disk full");
      });
    } catch (const Error& error) {
      messages[size_t(member.rank())] = std::to_string(error.status()) + " " + error.what();
    }
    on_all(member, [] {});
  });
  CHECK(messages == std::vector<std::string>(3, std::to_string(SWAV_ERROR_MEMORY) + " out of memory"));
}

TEST_CASE("state of which each rank has rows comes together in the order of the images, in pieces of any size") {
  constexpr int64_t crops = 2, batches = 5, batch = 3, dim = 2;
  for (const int here : {1, 2}) {
    for (const int64_t piece : {1, 24, 40, 1000}) {
      ThreadGroup threads(2);
      threads.run([&](Communicator& member) {
        const int64_t parts = 2 * here;
        std::vector<Floats> values(static_cast<size_t>(here));
        std::vector<StateArray> arrays;
        for (int part = 0; part < here; ++part) {
          // The number that a value has in the whole.
          const int64_t number = member.rank() * here + part;
          for (int64_t stretch = 0; stretch < crops * batches; ++stretch) {
            for (int64_t i = 0; i < batch * dim; ++i)
              values[size_t(part)].push_back(float((stretch * parts + number) * batch * dim + i));
          }
          arrays.push_back({"queue", {crops, batches * batch, dim}, values[size_t(part)].data(), nullptr, batch});
        }
        const std::vector<float> whole = gather_whole(arrays, member, piece);
        CHECK(whole.size() == (member.rank() == 0 ? size_t(parts * crops * batches * batch * dim) : 0));
        for (size_t i = 0; i < whole.size(); ++i) CHECK(whole[i] == float(i));
      });
    }
  }
}

TEST_CASE("every rank ends a step with the same bits, with statistics of all, of neighbours or of its own, in order and fast") {
  for (const int32_t norm_ranks : {0, 2, 3, 1}) {
    for (const bool fast : {false, true}) {
      Run run;
      run.group = {fast, norm_ranks, 0};
      run.run(4);
      // Weights only: running statistics are those of a rank's neighbours, and rank 0's are saved.
      for (const Floats& values : run.values) CHECK(values == run.values[0]);
      CHECK(run.losses.size() == 2);
    }
  }
}

TEST_CASE("a checkpoint holds the queue of one process, and ranks of another number go on with it") {
  TemporaryFolder folder;
  Run whole;
  whole.steps = 4;
  whole.run(2);
  Run longer;
  longer.steps = 5;
  longer.run(2);

  Run begun;
  begun.save = folder / "checkpoint";
  begun.run(2);
  Run same;
  same.load = begun.save;
  same.first = 2;
  same.run(2);
  CHECK(same.values[0] == whole.values[0]);
  CHECK(std::string(same.info.warning).empty());
  Run fast;
  fast.group.fast = true;
  fast.load = begun.save;
  fast.first = 2;
  fast.run(2);
  CHECK(std::string(fast.info.warning).find("sums over processes are or were fast") == 0);

  // The rows of the queue meet the same images: what a wrong order of rows would do to the codes shows in the loss.
  for (const int ranks : {1, 3, 4}) {
    CAPTURE(ranks);
    Run other;
    other.load = begun.save;
    other.first = 2;
    other.save = folder / ("again" + std::to_string(ranks)).c_str();
    other.run(ranks);
    CHECK(std::string(other.info.warning).find("added up 2 parts of a batch") != std::string::npos);
    for (size_t t = 0; t < 2; ++t)
      CHECK(std::abs(other.losses[t] - whole.losses[t + 2]) <= loss_error(other.config, t == 0 ? 0 : 1));
    // And back again from what they saved.
    Run back;
    back.load = other.save;
    back.first = 4;
    back.steps = 1;
    back.run(2);
    // Two steps' movements, of which the first goes on with the momentum in the second.
    CHECK(std::abs(back.losses[0] - longer.losses[4]) <= loss_error(other.config, 2 + double(other.config.momentum)));
  }
}

TEST_CASE("a checkpoint of other neighbours is refused on every rank") {
  TemporaryFolder folder;
  Run begun;
  begun.save = folder / "checkpoint";
  begun.run(2);
  std::vector<std::string> messages(2);
  ThreadGroup threads(2);
  threads.run([&](Communicator& member) {
    ProcessGroup all(functions_of(member, true), false);
    const swav_trainer_config own = api::share(begun.config, 2);
    Network network(small_network(), 1);
    Trainer trainer(network, api::trainer_settings(own), api::objective(own), all, group_of_one());
    try {
      trainer.load(begun.save);
    } catch (const Error& error) {
      messages[size_t(member.rank())] = error.what();
    }
  });
  for (const std::string& message : messages)
    CHECK(message.find("norm_images: file has 0, this run has 6") != std::string::npos);
}

TEST_CASE("a batch that cannot be divided among the ranks is refused, and the next larger one is named") {
  CHECK_THROWS_WITH(api::share(queue_training(), 5),
                    "batch is 12, and there are 5 ranks; a multiple of their number is needed, as 15");
  const swav_trainer_config own = api::share(queue_training(), 3);
  CHECK(own.batch == 4);
  CHECK(own.queue_length == 8);
}
