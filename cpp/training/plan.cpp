#include "training/plan.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"

namespace swav {

int64_t TrainerSettings::crops() const {
  int64_t crops = 0;
  for (const CropGroup& group : groups) crops += group.count;
  return crops;
}

void check(const TrainerSettings& settings) {
  SWAV_REQUIRE(!settings.groups.empty() && settings.groups.size() <= SWAV_MAX_GROUPS, "group_count is %zu; 1 to %d is allowed",
               settings.groups.size(), SWAV_MAX_GROUPS);
  for (size_t g = 0; g < settings.groups.size(); ++g) {
    SWAV_REQUIRE(settings.groups[g].count >= 1 && settings.groups[g].count <= SWAV_MAX_GROUP_CROPS,
                 "crop_counts[%zu] is %d; 1 to %d is allowed", g, settings.groups[g].count, SWAV_MAX_GROUP_CROPS);
  }
  SWAV_REQUIRE(settings.batch >= 1 && settings.batch <= SWAV_MAX_BATCH, "batch is %d; 1 to %d is allowed", settings.batch,
               SWAV_MAX_BATCH);
  SWAV_REQUIRE(settings.parts >= 1, "a process has %d parts of the batch; 1 or more is allowed", settings.parts);
  SWAV_REQUIRE(settings.micro_batch >= 0 && (settings.micro_batch == 0 || settings.batch % settings.micro_batch == 0),
               "micro_batch is %d; a divisor of the batch, %d, is needed", settings.micro_batch, settings.batch);
  SWAV_REQUIRE(settings.crops() * settings.images_at_once() >= 2, "one row has no batch statistics");
  check(settings.optimizer);
}

TrainingPlan::TrainingPlan(const Description& description, const Parameters& parameters, const TrainerSettings& settings,
                           Objective& objective, Update update)
    : feature_dim_(description.feature_dim),
      parameter_floats_(parameters.size()),
      states_(update == Update::here ? Optimizer::states(settings.optimizer.rule) : 0) {
  check(settings);
  micro_batches_ = settings.micro_batches();
  takes_all_ = settings.images_at_once() == settings.images();
  SWAV_REQUIRE(!description.projection.empty(), "the network has no projection head; training needs embeddings");
  shape_ = {settings.crops(), settings.batch, description.config.dim, {}, settings.all_parts};
  for (const LinearLayer& set : description.prototypes) shape_.prototypes.push_back(set.out);
  objective.check(shape_);
  int64_t row = 0;
  for (size_t g = 0; g < settings.groups.size();) {
    std::vector<size_t> joined;
    int64_t images = 0;
    const int32_t size = settings.groups[g].size;
    for (; g < settings.groups.size() && settings.groups[g].size == size; ++g) {
      joined.push_back(g);
      images += int64_t(settings.groups[g].count) * settings.images_at_once();
    }
    passes.push_back({Backbone(description, images, size, size, Backbone::Purpose::training, settings.direct, settings.storage),
                      row, std::move(joined)});
    row += images;
  }
  head.emplace(description, row, Head::Purpose::training);
  for (const TrainingPass& pass : passes) pass.backbone.include(workspace_size_);
  head->include(workspace_size_);
  for (const TensorEntry* set : parameters.with_role(Role::prototypes)) prototype_floats_ += set->count;
  Arena count;
  take(count, objective);
}

void TrainingPlan::take(Arena& arena, Objective& objective) {
  int64_t before = arena.used();
  auto taken = [&](int64_t& bytes) {
    bytes = arena.used() - before;
    before = arena.used();
  };
  gradients = arena.take<float>(parameter_floats_);
  taken(bytes_.gradients);
  state1 = states_ > 0 ? arena.take<float>(parameter_floats_) : nullptr;
  state2 = states_ == 2 ? arena.take<float>(parameter_floats_) : nullptr;
  taken(bytes_.optimizer);
  for (TrainingPass& pass : passes) {
    if (pass.groups.size() > 1 || !takes_all_) pass.joined = arena.take<float>(pass.backbone.input_count());
    pass.backbone.take(arena);
  }
  features = arena.take<float>(rows_at_once() * feature_dim_);
  d_features = arena.take<float>(rows_at_once() * feature_dim_);
  head->take(arena);
  if (micro_batches_ > 1) take_output(arena);
  taken(bytes_.activations);
  workspace = workspace_size_.take(arena);
  take_buffers(arena);
  objective.take(arena, shape_);
  prototypes_before = arena.take<float>(prototype_floats_);
  taken(bytes_.workspace);
  objective.take_state(arena, shape_);
  taken(bytes_.queue);
  workspace_size_.scratch.include(objective.scratch());
  bytes_.scratch = workspace_size_.scratch.bytes() * parallel::threads();
  bytes_.parameters = parameter_floats_ * int64_t(sizeof(float));
  bytes_.total = bytes_.parameters + bytes_.gradients + bytes_.optimizer + bytes_.activations + bytes_.workspace +
                 bytes_.queue + bytes_.scratch;
}

void TrainingPlan::take_output(Arena& arena) {
  embeddings = arena.take<float>(rows() * shape_.dim);
  d_embeddings_ = arena.take<float>(rows() * shape_.dim);
  scores_.clear();
  for (const int64_t prototypes : shape_.prototypes) scores_.push_back(arena.take<float>(rows() * prototypes));
}

// Passes run forward in order and backward in reverse order, so the first one runs while the activations of the second are not
// there yet, or no longer: its buffers, as a rule the largest, lie there where they fit. The other passes share theirs.
void TrainingPlan::take_buffers(Arena& arena) {
  const Storage storage = passes[0].backbone.storage();
  PassBufferSize shared;
  bool guest = false;
  if (passes.size() > 1 && !Arena::poisons_gaps) {
    const Backbone& host = passes[1].backbone;
    Arena count, place(host.activations(), host.activation_bytes());
    passes[0].backbone.buffer_size().take(count, storage);
    guest = count.used() <= host.activation_bytes();
    if (guest) passes[0].buffers = passes[0].backbone.buffer_size().take(place, storage);
  }
  for (size_t i = guest ? 1 : 0; i < passes.size(); ++i) shared.include(passes[i].backbone.buffer_size());
  const PassBuffers buffers = shared.take(arena, storage);
  for (size_t i = guest ? 1 : 0; i < passes.size(); ++i) passes[i].buffers = buffers;
}

void TrainingPlan::allocate(Parameters& parameters, Objective& objective) {
  arena_.lay_out([&] { take(arena_, objective); }, "a training step");
  const TeamScratch reserved(workspace_size_.scratch);  // stays in the store of this thread
  for (TrainingPass& pass : passes) pass.backbone.bind(parameters, gradients);
  head->bind(parameters, gradients);
  const bool whole = micro_batches_ == 1;
  output.embeddings = whole ? head->embeddings() : embeddings;
  output.d_embeddings = whole ? head->d_embeddings() : d_embeddings_;
  for (int32_t h = 0; h < int32_t(shape_.prototypes.size()); ++h) {
    output.sets.push_back({head->prototype_values(h), whole ? head->scores(h) : scores_[size_t(h)]});
  }
}

swav_memory_plan bytes_of_parts(const TrainingPlan& plan, int parts) {
  swav_memory_plan bytes = plan.bytes();
  for (int64_t* of_each : {&bytes.gradients, &bytes.activations, &bytes.workspace, &bytes.queue}) {
    bytes.total += *of_each * (parts - 1);
    *of_each *= parts;
  }
  return bytes;
}

void require_memory_for(const TrainingPlan& plan, const Description& description, const Parameters& parameters,
                        const TrainerSettings& settings, Objective& objective) {
  const int64_t room = memory_room().smallest();
  const auto needed = [&](const TrainingPlan& one) {
    return bytes_of_parts(one, settings.parts).total - one.bytes().parameters;
  };
  if (needed(plan) <= room) return;
  const int64_t unit = settings.micro_batch > 0 ? settings.micro_batch : 1;  // that a part is a multiple of
  const auto bytes_of = [&](int64_t units) {
    TrainerSettings smaller = settings;
    smaller.batch = int32_t(units * unit);
    try {
      return needed(TrainingPlan(description, parameters, smaller, objective));
    } catch (const Error&) {  // too large to be counted, or too few rows for batch statistics
      return units > 1 ? INT64_MAX : int64_t{0};
    }
  };
  const int64_t fits = settings.parts * unit * largest_that_fits(settings.batch / unit - 1, room, bytes_of);
  const std::string advice =
      fits > 0 ? "the largest batch that fits is " + std::to_string(fits) + "; micro-batches need less for the same batch"
               : "not even a batch of " + std::to_string(unit * settings.parts) +
                     " fits: fewer or smaller crops or a narrower network need less";
  require_memory(needed(plan), "a training step on a batch of " + std::to_string(settings.images()), advice);
}

}  // namespace swav
