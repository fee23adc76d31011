// The batch on its way through the network, whole or in micro-batches. Codes and loss are over the whole batch, so its scores
// come first. Activations are kept of one micro-batch only: the backward pass begins with the last one, which is still there,
// and computes those of the others again. Rows of all crops are crop-major, v * images + b: a micro-batch has a stretch of each
// crop's rows.
#include <cstring>

#include "base/parallel.h"
#include "base/stopwatch.h"
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

const float* Trainer::input_of(const TrainingPass& pass, const swav_step_input& input, int64_t micro_batch) const {
  if (pass.groups.size() == 1 && settings_.micro_batches() == 1) return input.crops[pass.groups[0]];
  float* to = pass.joined;
  const int64_t image = pass.backbone.input_count() / pass.backbone.images(), images = settings_.images_at_once();
  for (size_t g : pass.groups) {
    for (int64_t crop = 0; crop < settings_.groups[g].count; ++crop) {
      copy_rows(to, input.crops[g] + (crop * settings_.batch + micro_batch * images) * image, images, image);
      to += images * image;
    }
  }
  return pass.joined;
}

void Trainer::forward(const swav_step_input& input, int64_t micro_batch) {
  const int64_t feature_dim = network_.description().feature_dim;
  for (TrainingPass& pass : plan_.passes) {
    const float* crops;
    {
      const Stopwatch data(times_.data);
      crops = input_of(pass, input, micro_batch);
    }
    pass.backbone.forward(crops, Statistics::batch, norm_group_, plan_.workspace, pass.buffers,
                          plan_.features + pass.first_row * feature_dim);
  }
  const Stopwatch head(times_.head);
  plan_.head->forward(plan_.features, Statistics::batch, norm_group_, plan_.workspace);
  plan_.head->forward_scores(plan_.workspace);
}

void Trainer::collect_output(int64_t micro_batch) {
  const int64_t dim = plan_.shape().dim;
  for_each_stretch(settings_, micro_batch, [&](int64_t row, int64_t whole, int64_t count) {
    copy_rows(plan_.embeddings + whole * dim, plan_.head->embeddings() + row * dim, count, dim);
    for (size_t set = 0; set < plan_.output.sets.size(); ++set) {
      const int64_t prototypes = plan_.shape().prototypes[set];
      copy_rows(plan_.output.sets[set].scores + whole * prototypes, plan_.head->scores(int32_t(set)) + row * prototypes, count,
                prototypes);
    }
  });
}

void Trainer::hand_out_gradients(int64_t micro_batch) {
  const int64_t dim = plan_.shape().dim;
  for_each_stretch(settings_, micro_batch, [&](int64_t row, int64_t whole, int64_t count) {
    if (objective_->differentiates_embeddings())
      copy_rows(plan_.head->d_embeddings() + row * dim, plan_.output.d_embeddings + whole * dim, count, dim);
    for (size_t set = 0; set < plan_.output.sets.size(); ++set) {
      const int64_t prototypes = plan_.shape().prototypes[set];
      copy_rows(plan_.head->scores(int32_t(set)) + row * prototypes, plan_.output.sets[set].scores + whole * prototypes, count,
                prototypes);
    }
  });
}

void Trainer::backward() {
  const int64_t feature_dim = network_.description().feature_dim;
  {
    const Stopwatch head(times_.head);
    plan_.head->backward(plan_.features, objective_->differentiates_embeddings(), norm_group_, plan_.workspace,
                         plan_.d_features);
  }
  for (auto pass = plan_.passes.rbegin(); pass != plan_.passes.rend(); ++pass) {
    pass->backbone.backward(plan_.d_features + pass->first_row * feature_dim, norm_group_, plan_.workspace, pass->buffers);
  }
}

void Trainer::forward_all(const swav_step_input& input, swav_step_report& report) {
  const Stopwatch watch(report.forward_seconds);
  objective_->prepare(plan_.output);
  const int64_t micro_batches = settings_.micro_batches();
  for (int64_t i = 0; i < micro_batches; ++i) {
    forward(input, i);
    if (micro_batches > 1) collect_output(i);
  }
}

void Trainer::backward_all(const swav_step_input& input, swav_step_report& report) {
  const Stopwatch watch(report.backward_seconds);
  const int64_t parameters = network_.parameters().size(), micro_batches = settings_.micro_batches();
  parallel::zero(plan_.gradients, parameters);
  for (int64_t i = micro_batches - 1; i >= 0; --i) {
    if (i < micro_batches - 1) forward(input, i);
    if (micro_batches > 1) hand_out_gradients(i);
    backward();
  }
  group_.sum(plan_.gradients, parameters);
}

}  // namespace swav
