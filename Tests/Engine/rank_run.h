// Steps of a small training on ranks that are threads of this process, behind a communicator's functions as those of processes
// are.
#pragma once

#include <cstring>

#include "api/trainer_config.h"
#include "base/status.h"
#include "begun_transfers.h"
#include "comm/parts.h"
#include "comm/process_group.h"
#include "rank_share.h"
#include "thread_group.h"
#include "training_bench.h"

namespace swav::test {

// A communicator's functions over a member of a group of threads.
inline swav_communicator functions_of(Communicator& member, bool exchanges) {
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

inline swav_trainer_config queue_training() {
  swav_trainer_config config = small_training();
  config.batch = 12;
  config.queue_length = 24;
  return config;
}

// What training leaves on each rank: the values of all tensors.
struct Run {
  swav_group_config group = swav_group_config_default();
  swav_network_config network = small_network();
  swav_trainer_config config = queue_training();
  std::string load, save;  // checkpoints, where they are not empty
  int first = 0, steps = 2;
  float spoilt = 0;    // added to the very last number of the crops of every step
  int64_t bucket = 0;  // of gradients that are summed during the backward pass; 0: after it

  std::vector<Floats> values;  // of each rank
  std::vector<double> losses;
  std::vector<swav_step_report> reports;
  int64_t begun = 0;  // transfers of rank 0 beside its computation
  swav_health health{};
  swav_checkpoint_info info{};

  void run(int ranks) {
    values.assign(size_t(ranks), {});
    std::string error;
    Letters letters;
    ThreadGroup threads(ranks);
    threads.run([&](Communicator& member) {
      const int count = api::parts_of(group.parts, ranks) / ranks;
      Correspondent correspondent(member, letters);
      swav_communicator functions = functions_of(correspondent, true);
      if (bucket > 0) Correspondent::add_transfers(functions);
      ProcessGroup all(functions, group.fast, count, bucket);
      Parts parts(all, count);
      try {
        run_rank(parts);
      } catch (const Error& failure) {
        if (member.rank() == 0) error = failure.what();
      }
      if (member.rank() == 0) begun = correspondent.begun();
    });
    if (!error.empty()) fail(SWAV_ERROR_NUMERIC, "%s", error.c_str());
  }

 private:
  void run_rank(Parts& parts) {
    Communicator& all = parts.processes();
    const swav_trainer_config own = api::share(config, parts.total());
    Network model(network, 1);
    std::vector<std::unique_ptr<Neighbours>> neighbours;
    std::vector<TrainerPart> list;
    for (int part = 0; part < parts.count(); ++part) {
      Communicator& norms = parts.member(part);
      if (group.norm_ranks > 1) neighbours.push_back(std::make_unique<Neighbours>(norms, group.norm_ranks));
      list.push_back({api::objective(own), group.norm_ranks == 1  ? &group_of_one()
                                           : group.norm_ranks > 1 ? static_cast<Communicator*>(neighbours.back().get())
                                                                  : &norms});
    }
    Trainer trainer(model, api::trainer_settings(own), std::move(list), parts);
    Floats& own_values = values[size_t(all.rank())];
    if (!load.empty()) {
      const swav_checkpoint_info found = trainer.load(load);
      if (all.rank() == 0) info = found;
    }
    const auto keep = [&] {
      own_values.assign(model.parameters().values(), model.parameters().values() + model.parameters().size());
    };
    for (int t = first; t < first + steps; ++t) {
      std::vector<Floats> crops;
      std::vector<const float*> pointers;
      for (int32_t g = 0; g < config.group_count; ++g) crops.push_back(crops_of(t, g, all));
      for (const Floats& part : crops) pointers.push_back(part.data());
      swav_step_report report;
      try {
        trainer.step({pointers.data(), 0.1, t == 0, true, true}, report);
      } catch (...) {
        keep();
        throw;
      }
      if (all.rank() == 0) losses.push_back(report.loss), reports.push_back(report);
    }
    if (steps > 0) {
      const swav_health found = trainer.health();
      if (all.rank() == 0) health = found;
    }
    if (!save.empty()) trainer.save(save, "note");
    keep();
  }

  Floats crops_of(int step, int32_t g, const Communicator& all) const {
    const int64_t image = int64_t(config.crop_sizes[g]) * config.crop_sizes[g] * 3;
    Floats whole = normals(uint64_t(100 + 10 * step + g), config.crop_counts[g] * config.batch * image);
    if (g + 1 == config.group_count) whole.back() += spoilt;
    return share_of(whole, config.crop_counts[g], config.batch, all.rank(), all.size());
  }
};

}  // namespace swav::test
