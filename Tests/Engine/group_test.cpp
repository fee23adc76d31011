// Groups of processes behind a communicator's functions: their sums, neighbours that share batch-norm statistics, and
// checkpoints that another number of ranks goes on with. Ranks are threads here; make test-mpi runs processes.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <cstring>

#include "api/trainer_config.h"
#include "base/status.h"
#include "comm/on_root.h"
#include "comm/process_group.h"
#include "rank_share.h"
#include "temporary_folder.h"
#include "thread_group.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

// A communicator's functions over a member of a group of threads.
swav_communicator functions_of(Communicator& member, bool exchanges) {
  swav_communicator c{};
  c.context = &member;
  c.rank = member.rank();
  c.size = member.size();
  c.sum = [](void* context, void* values, int64_t count, bool doubles) {
    Communicator& group = *static_cast<Communicator*>(context);
    doubles ? group.sum(static_cast<double*>(values), count) : group.sum(static_cast<float*>(values), count);
    return SWAV_OK;
  };
  c.gather = [](void* context, const void* mine, int64_t bytes, void* all) {
    static_cast<Communicator*>(context)->gather(mine, bytes, all);
    return SWAV_OK;
  };
  c.broadcast = [](void* context, void* values, int64_t bytes, int32_t root) {
    static_cast<Communicator*>(context)->broadcast(values, bytes, root);
    return SWAV_OK;
  };
  c.barrier = [](void* context) {
    static_cast<Communicator*>(context)->barrier();
    return SWAV_OK;
  };
  if (exchanges) {
    c.exchange = [](void* context, const void* parts, int64_t bytes, void* received) {
      Communicator& group = *static_cast<Communicator*>(context);
      std::vector<char> all(size_t(bytes) * size_t(group.size()) * size_t(group.size()));
      group.gather(parts, bytes * group.size(), all.data());
      for (int r = 0; r < group.size(); ++r) {
        std::memcpy(static_cast<char*>(received) + r * bytes, all.data() + (r * group.size() + group.rank()) * bytes,
                    size_t(bytes));
      }
      return SWAV_OK;
    };
  }
  return c;
}

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

swav_trainer_config queue_training() {
  swav_trainer_config config = small_training();
  config.batch = 12;
  config.queue_length = 24;
  return config;
}

// How far the loss of the same images may be off where sums have another order: each of 20 layers rounds, as often up as down,
// by an eps; and weights that `moved` so many steps of LARC since they were the same differ by a twentieth of a step, as
// ranks_test.cpp has it of gradients. A score, a cosine, moves by as much; the loss by 2 / temperature times it, and by its
// codes by 2 / epsilon times the loss, which is about the logarithm of the 12 prototypes.
double loss_error(const swav_trainer_config& config, double moved) {
  const double step = 0.1 * double(config.trust) / 20, score = std::sqrt(20.0) * (double(FLT_EPSILON) + moved * step);
  return score * (2 / double(config.temperature) + 2 / double(config.codes.epsilon) * std::log(12.0));
}

// What training leaves on each rank: the values of all tensors.
struct Run {
  swav_group_config group = swav_group_config_default();
  swav_trainer_config config = queue_training();
  std::string load, save;  // checkpoints, where they are not empty
  int first = 0, steps = 2;

  std::vector<Floats> values;  // of each rank
  std::vector<double> losses;
  swav_checkpoint_info info{};

  void run(int ranks) {
    values.assign(size_t(ranks), {});
    ThreadGroup threads(ranks);
    threads.run([&](Communicator& member) {
      ProcessGroup all(functions_of(member, true), group.fast);
      std::unique_ptr<Neighbours> neighbours;
      if (group.norm_ranks > 1) neighbours = std::make_unique<Neighbours>(all, group.norm_ranks);
      Communicator& norms = group.norm_ranks == 1 ? group_of_one() : neighbours ? *neighbours : static_cast<Communicator&>(all);
      run_rank(all, norms);
    });
  }

 private:
  void run_rank(Communicator& all, Communicator& norms) {
    const swav_trainer_config own = api::share(config, all.size());
    Network network(small_network(), 1);
    Trainer trainer(network, api::trainer_settings(own), api::objective(own), all, norms);
    if (!load.empty()) {
      const swav_checkpoint_info found = trainer.load(load);
      if (all.rank() == 0) info = found;
    }
    for (int t = first; t < first + steps; ++t) {
      std::vector<Floats> crops;
      for (int32_t g = 0; g < config.group_count; ++g) crops.push_back(crops_of(t, g, all.rank(), own));
      const float* const pointers[] = {crops[0].data(), crops[1].data()};
      swav_step_report report;
      trainer.step({pointers, 0.1, t == 0, true, true}, report);
      if (all.rank() == 0) losses.push_back(report.loss);
    }
    if (!save.empty()) trainer.save(save, "note");
    Floats& own_values = values[size_t(all.rank())];
    own_values.assign(network.parameters().values(), network.parameters().values() + network.parameters().size());
  }

  Floats crops_of(int step, int32_t g, int rank, const swav_trainer_config& own) const {
    const int64_t image = int64_t(config.crop_sizes[g]) * config.crop_sizes[g] * 3;
    const Floats whole = normals(uint64_t(100 + 10 * step + g), config.crop_counts[g] * config.batch * image);
    return share_of(whole, config.crop_counts[g], config.batch, rank, config.batch / own.batch);
  }
};

}  // namespace

TEST_CASE("a sum has the bits of adding rank by rank, whether it is gathered or exchanged, short or of several pieces") {
  for (const int ranks : {2, 3, 4}) {
    for (const int64_t count : {int64_t{1}, int64_t{100}, int64_t{4097}, int64_t{1100001}}) {
      for (const bool exchanges : {false, true}) {
        if (count > 1000000 && !exchanges) continue;  // gathers the square of the ranks
        CAPTURE(ranks);
        CAPTURE(count);
        Floats expected = part_of_rank(0, count);
        for (int r = 1; r < ranks; ++r) {
          const Floats part = part_of_rank(r, count);
          for (size_t i = 0; i < expected.size(); ++i) expected[i] += part[i];
        }
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

TEST_CASE("every rank ends a step with the same bits, with statistics of all, of neighbours or of its own, in order and fast") {
  for (const int32_t norm_ranks : {0, 2, 1}) {
    for (const bool fast : {false, true}) {
      Run run;
      run.group = {fast, norm_ranks};
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

  // The rows of the queue meet the same images: what a wrong order of rows would do to the codes shows in the loss.
  for (const int ranks : {1, 3, 4}) {
    CAPTURE(ranks);
    Run other;
    other.load = begun.save;
    other.first = 2;
    other.save = folder / ("again" + std::to_string(ranks)).c_str();
    other.run(ranks);
    CHECK(std::string(other.info.warning).find("written by 2 processes") != std::string::npos);
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
