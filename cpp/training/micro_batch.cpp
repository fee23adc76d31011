// A part of the batch on its way through the network, whole or in micro-batches. Codes and loss are over the whole batch, so
// its scores come first. Activations are kept of one micro-batch only: the backward pass begins with the last one, which is
// still there, and computes those of the others again. Rows of all crops are crop-major, v * images + b: a micro-batch has a
// stretch of each crop's rows.
#include <cstring>
#include <iterator>

#include "base/parallel.h"
#include "base/stopwatch.h"
#include "network/finite.h"
#include "training/trainer.h"

namespace swav {
namespace {

// Calls body(row of the micro-batch, row of the batch, count) for each crop's stretch.
template <class Body>
void for_each_stretch(const TrainerSettings& settings, int64_t micro_batch, const Body& body) {
  const int64_t images = settings.images_at_once();
  for (int64_t crop = 0; crop < settings.crops(); ++crop) {
    body(crop * images, crop * settings.batch + micro_batch * images, images);
  }
}

void copy_rows(float* to, const float* from, int64_t rows, int64_t width) {
  std::memcpy(to, from, size_t(rows * width) * sizeof(float));
}

}  // namespace

const float* Trainer::input_of(int part, const TrainingPass& pass, const swav_step_input& input, int64_t micro_batch) const {
  if (pass.joined == nullptr) return input.crops[pass.groups[0]];
  float* to = pass.joined;
  const int64_t image = pass.backbone.input_count() / pass.backbone.images(), images = settings_.images_at_once();
  const int64_t first = part * settings_.batch + micro_batch * images;
  for (size_t g : pass.groups) {
    for (int64_t crop = 0; crop < settings_.groups[g].count; ++crop) {
      copy_rows(to, input.crops[g] + (crop * settings_.images() + first) * image, images, image);
      to += images * image;
    }
  }
  return pass.joined;
}

void Trainer::forward(int part, const swav_step_input& input, int64_t micro_batch) {
  const int64_t feature_dim = network_.description().feature_dim;
  TrainingPlan& plan = *own_[size_t(part)].plan;
  Communicator& norm_group = *own_[size_t(part)].norm_group;
  for (TrainingPass& pass : plan.passes) {
    const float* crops;
    {
      const Stopwatch data(times_.data);
      crops = input_of(part, pass, input, micro_batch);
    }
    pass.backbone.forward(crops, Statistics::batch, norm_group, plan.workspace, pass.buffers,
                          plan.features + pass.first_row * feature_dim);
  }
  const Stopwatch head(times_.head);
  plan.head->forward(plan.features, Statistics::batch, norm_group, plan.workspace);
  plan.head->forward_scores(plan.workspace);
}

void Trainer::collect_output(TrainingPlan& plan, int64_t micro_batch) {
  const int64_t dim = plan.shape().dim;
  for_each_stretch(settings_, micro_batch, [&](int64_t row, int64_t whole, int64_t count) {
    copy_rows(plan.embeddings + whole * dim, plan.head->embeddings() + row * dim, count, dim);
    for (size_t set = 0; set < plan.output.sets.size(); ++set) {
      const int64_t prototypes = plan.shape().prototypes[set];
      copy_rows(plan.output.sets[set].scores + whole * prototypes, plan.head->scores(int32_t(set)) + row * prototypes, count,
                prototypes);
    }
  });
}

void Trainer::hand_out_gradients(const TrainerPart& own, int64_t micro_batch) {
  TrainingPlan& plan = *own.plan;
  const int64_t dim = plan.shape().dim;
  for_each_stretch(settings_, micro_batch, [&](int64_t row, int64_t whole, int64_t count) {
    if (own.objective->differentiates_embeddings())
      copy_rows(plan.head->d_embeddings() + row * dim, plan.output.d_embeddings + whole * dim, count, dim);
    for (size_t set = 0; set < plan.output.sets.size(); ++set) {
      const int64_t prototypes = plan.shape().prototypes[set];
      copy_rows(plan.head->scores(int32_t(set)) + row * prototypes, plan.output.sets[set].scores + whole * prototypes, count,
                prototypes);
    }
  });
}

void Trainer::backward(const TrainerPart& own, GradualSum* sum) {
  TrainingPlan& plan = *own.plan;
  const int64_t feature_dim = network_.description().feature_dim;
  {
    const Stopwatch head(times_.head);
    plan.head->backward(plan.features, own.objective->differentiates_embeddings(), *own.norm_group, plan.workspace,
                        plan.d_features);
  }
  const auto added = [&](const float* first) { sum->ready(first - plan.gradients); };
  if (sum) sum->ready(head_offset_);
  for (auto pass = plan.passes.rbegin(); pass != plan.passes.rend(); ++pass) {
    const bool adds_last = sum && std::next(pass) == plan.passes.rend();
    pass->backbone.backward(plan.d_features + pass->first_row * feature_dim, *own.norm_group, plan.workspace, pass->buffers,
                            adds_last ? FunctionRef<void(const float*)>(added) : FunctionRef<void(const float*)>());
  }
}

void Trainer::backward_and_send(const TrainerPart& own, GradualSum& sum) {
  // What has begun to travel has to arrive: its memory is the plan's.
  const parallel::Uninterrupted whole;
  const auto glance = [&] { sum.glance(); };
  const parallel::Meanwhile meanwhile{FunctionRef<void()>(glance)};
  backward(own, &sum);
}

void Trainer::forward_all(int part, const swav_step_input& input) {
  TrainerPart& own = own_[size_t(part)];
  const Stopwatch watch(own.report.forward_seconds);
  const int64_t micro_batches = settings_.micro_batches();
  for (int64_t i = 0; i < micro_batches; ++i) {
    forward(part, input, i);
    if (micro_batches == 1) continue;
    collect_output(*own.plan, i);
    const int64_t count = own.plan->rows_at_once() * own.plan->shape().dim;
    if (own.broken.empty() && swav::first_not_finite(own.plan->head->embeddings(), count) >= 0)
      own.broken = first_not_finite(Pass::forward);
  }
}

void Trainer::backward_all(int part, const swav_step_input& input) {
  TrainerPart& own = own_[size_t(part)];
  const Stopwatch watch(own.report.backward_seconds);
  const int64_t micro_batches = settings_.micro_batches();
  parallel::zero(own.plan->gradients, network_.parameters().size());
  GradualSum* const sum = gradual();
  if (sum) sum->begin(own.plan->gradients, network_.parameters().size());
  for (int64_t i = micro_batches - 1; i >= 0; --i) {
    if (i < micro_batches - 1) forward(part, input, i);
    if (micro_batches > 1) hand_out_gradients(own, i);
    if (i == 0 && sum) backward_and_send(own, *sum);
    else backward(own, nullptr);
  }
}

}  // namespace swav
