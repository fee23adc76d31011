#include "objective/swapped_prediction.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "objective/codes.h"
#include "objective/health.h"
#include "ops/linear.h"

namespace swav {
namespace {

constexpr float duplicate_cosine = 0.95f;  // swav.h says it

ConvolutionShape product_shape(int64_t rows, int64_t dim, int64_t prototypes) {
  ConvolutionShape shape;
  shape.images = rows;
  shape.channels = int32_t(dim);
  shape.filters = int32_t(prototypes);
  return shape;
}

}  // namespace

SwappedPrediction::SwappedPrediction(const SwappedPredictionSettings& settings) : settings_(settings) {
  swav::check(settings.codes);
  SWAV_REQUIRE(settings.queue_length >= 0 && settings.queue_length <= SWAV_MAX_QUEUE,
               "queue_length is %lld; 0 to %lld is allowed", static_cast<long long>(settings.queue_length),
               static_cast<long long>(SWAV_MAX_QUEUE));
}

SwappedLoss SwappedPrediction::loss_shape(const ObjectiveShape& shape, size_t set, int ranks) const {
  const double scale = 1.0 / (double(shape.prototypes.size()) * ranks);
  return {shape.crops,           shape.batch, shape.prototypes[set], settings_.assign.data(), assign_count(),
          settings_.temperature, scale};
}

void SwappedPrediction::check(const ObjectiveShape& shape) const {
  SWAV_REQUIRE(!shape.prototypes.empty(), "the network has no prototypes; swapped prediction needs at least one set");
  for (size_t set = 0; set < shape.prototypes.size(); ++set) swav::check(loss_shape(shape, set, 1));
}

void SwappedPrediction::take_state(Arena& arena, const ObjectiveShape& shape) {
  queue_ = EmbeddingQueue(assign_count(), settings_.queue_length, shape.batch, shape.dim);
  queue_.take(arena);
}

// The parts of a step use the workspace one after the other.
int64_t SwappedPrediction::workspace_floats(const ObjectiveShape& shape, size_t set) const {
  const int64_t k = shape.prototypes[set], queue = EmbeddingQueue::rounded_length(settings_.queue_length, shape.batch);
  return std::max({k,  // norms of the prototypes
                   codes_workspace(shape.batch, k), codes_workspace(queue + shape.batch, k),
                   queue > 0 ? queue_products_[set].workspace() : 0, code_entropy_workspace(shape.batch),
                   prototypes_used_workspace(assign_count() * shape.batch), prediction_entropy_workspace(shape.rows(), k),
                   mean_similarity_workspace(shape.dim), swapped_loss_workspace(loss_shape(shape, set, 1))});
}

void SwappedPrediction::take(Arena& arena, const ObjectiveShape& shape) {
  shape_ = shape;
  const int64_t queue = EmbeddingQueue::rounded_length(settings_.queue_length, shape.batch);
  queue_products_.clear();
  int64_t most = 0, workspace = 0;
  for (size_t set = 0; set < shape.prototypes.size(); ++set) {
    const int64_t k = shape.prototypes[set];
    if (queue > 0) queue_products_.emplace_back(product_shape(queue, shape.dim, k));
    most = std::max(most, k);
    workspace = std::max(workspace, workspace_floats(shape, set));
  }
  codes_ = arena.take<float>(assign_count() * shape.batch * most);
  queue_scores_ = queue > 0 ? arena.take<float>((queue + shape.batch) * most) : nullptr;
  workspace_ = arena.take<float>(workspace);
  usage_ = PrototypeUsage(shape.prototypes[0], assign_count() * shape.batch * shape.parts);
  usage_.take(arena);
}

ScratchSize SwappedPrediction::scratch() const {
  ScratchSize size;
  for (const Convolution& product : queue_products_) size.include(product.scratch());
  return size;
}

// As published, before every forward pass.
void SwappedPrediction::prepare(const HeadOutput& output) {
  for (size_t set = 0; set < output.sets.size(); ++set) {
    float* prototypes = output.sets[set].prototypes;
    normalize_rows(prototypes, shape_.prototypes[set], shape_.dim, prototypes, workspace_);
  }
}

void SwappedPrediction::codes_of(const HeadOutput& output, size_t set, int32_t assigned, Communicator& group,
                                 swav_step_report& report) {
  const int64_t batch = shape_.batch, k = shape_.prototypes[set], queue = report.queue_used ? queue_.length() : 0;
  const float* scores = output.sets[set].scores + settings_.assign[size_t(assigned)] * batch * k;
  const double spread = score_spread(scores, batch, k, group, workspace_);
  const double epsilon = codes_epsilon(settings_.codes, spread);
  float* codes = codes_ + assigned * batch * k;
  if (queue > 0) {
    queue_products_[set].forward({queue_.embeddings(assigned)}, output.sets[set].prototypes, workspace_, queue_scores_,
                                 Epilogue());
    std::memcpy(queue_scores_ + queue * k, scores, size_t(batch * k) * sizeof(float));
    scores = queue_scores_;
  }
  double* error = set == 0 && assigned == 0 ? &report.sinkhorn_error : nullptr;
  compute_codes(scores, queue + batch, k, batch, epsilon, settings_.codes.iterations, group, workspace_, codes, error);
  const double share = 1.0 / (double(assign_count()) * double(shape_.prototypes.size()));
  report.score_spread += share * spread;
  report.epsilon += share * epsilon;
  report.code_entropy += share * code_entropy(codes, batch, k, group, workspace_);
}

void SwappedPrediction::evaluate(const HeadOutput& output, const swav_step_input& input, Communicator& group,
                                 swav_step_report& report) {
  report.queue_used = input.use_queue && queue_.full();
  report.queue_age = queue_.age();
  report.similarity = mean_similarity(output.embeddings, shape_.batch, shape_.dim, group, workspace_);
  for (size_t set = 0; set < output.sets.size(); ++set) {
    const int64_t k = shape_.prototypes[set];
    for (int32_t a = 0; a < assign_count(); ++a) codes_of(output, set, a, group, report);
    float* scores = output.sets[set].scores;  // become their own gradient
    if (set == 0) {
      const int64_t rows = assign_count() * shape_.batch;
      report.prototypes_used = prototypes_used(codes_, rows, k, group, usage_.step_used(), workspace_);
      mean_code(codes_, rows, k, group, usage_.step_mean());
      report.prediction_entropy = prediction_entropy(scores, shape_.rows(), k, settings_.temperature, group, workspace_);
    }
    report.loss += swapped_loss(loss_shape(shape_, set, group.size()), scores, codes_, workspace_, scores);
  }
  group.sum(&report.loss, 1);
}

void SwappedPrediction::finish(const HeadOutput& output, const swav_step_input& input) {
  usage_.add();
  if (!input.use_queue || queue_.length() == 0) return queue_.wait();
  for (int32_t a = 0; a < assign_count(); ++a) {
    queue_.replace_oldest(a, output.embeddings + settings_.assign[size_t(a)] * shape_.batch * shape_.dim);
  }
  queue_.advance();
}

void SwappedPrediction::health(const HeadOutput& output, Communicator&, swav_health& health) {
  const int64_t k = shape_.prototypes[0];
  health.prototypes = k;
  health.window = std::min(usage_.steps(), usage_.window());
  health.perplexity = usage_.perplexity();
  health.dead_prototypes = usage_.dead();
  health.duplicate_prototypes = duplicate_prototypes(output.sets[0].prototypes, k, shape_.dim, duplicate_cosine);
}

std::vector<StateArray> SwappedPrediction::state() {
  if (queue_.length() == 0) return {};
  return {{"queue", {assign_count(), queue_.length(), shape_.dim}, queue_.values(), nullptr, shape_.batch},
          {"queue.inserted", {}, nullptr, &queue_.inserted()},
          {"queue.idle", {}, nullptr, &queue_.idle(), 0, true}};
}

std::vector<Setting> SwappedPrediction::settings() const {
  std::vector<Setting> list;
  for (int32_t a = 0; a < assign_count(); ++a) {
    list.push_back({"assign" + std::to_string(a), double(settings_.assign[size_t(a)])});
  }
  const swav_codes_config& codes = settings_.codes;
  list.push_back({"epsilon", double(codes.epsilon)});
  list.push_back({"epsilon_relative", double(codes.relative)});
  list.push_back({"epsilon_floor", double(codes.epsilon_floor)});
  list.push_back({"sinkhorn_iterations", double(codes.iterations)});
  list.push_back({"temperature", double(settings_.temperature)});
  list.push_back({"queue_length", double(queue_.length()), true});
  return list;
}

}  // namespace swav
