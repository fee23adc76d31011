// Projection head and prototypes over the features of all crops: Linear, batch-norm, ReLU, Linear, unit norm, cosines.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "network/layer.h"

namespace swav {

class Head {
 public:
  enum class Purpose { training, inference };

  // queue_rows: most embeddings that score() gets at once.
  Head(const Description& description, int64_t rows, Purpose purpose, int64_t queue_rows = 0);

  int64_t rows() const { return rows_; }
  int64_t dim() const { return dim_; }
  int64_t prototypes(int32_t head) const { return scores_[size_t(head)].convolution.shape().filters; }

  void include(WorkspaceSize& workspace) const;
  void take(Arena& arena);
  void bind(Parameters& parameters, float* gradients);

  // features [rows][feature_dim] -> embeddings().
  void forward(const float* features, Statistics statistics, Communicator& communicator, const Workspace& workspace);
  // embeddings() -> scores(head), for every set of prototypes. In training the prototypes are taken to have unit norm.
  void forward_scores(const Workspace& workspace);
  // Cosines of the queue's embeddings [queue_rows][dim] with the prototypes of a head: scores [queue_rows][K].
  void score_queue(int32_t head, const float* embeddings, const Workspace& workspace, float* scores);

  const float* embeddings() const { return unit_; }
  float* scores(int32_t head) { return scores_[size_t(head)].values; }

  // Scales each prototype to unit norm in place (before the forward, as published).
  void renormalize_prototypes();

  // scores(head) hold d(scores) now; adds all parameter gradients and writes d_features [rows][feature_dim].
  void backward(const float* features, Communicator& communicator, const Workspace& workspace, float* d_features);

  void update_buffers();
  void for_each_norm(const std::function<void(Norm&)>& visit);
  void for_each_activation(const std::function<void(const std::string&, const float*, int64_t)>& visit) const;

 private:
  struct Linear {
    Convolution convolution;
    std::string name;
    float* weight = nullptr;
    const float* bias = nullptr;
    float *d_weight = nullptr, *d_bias = nullptr;
    float* values = nullptr;  // output [rows][filters]
    void bind(Parameters& parameters, float* gradients, bool has_bias);
  };

  static Linear make(const LinearLayer& layer, int64_t rows);

  int64_t rows_, dim_;
  Purpose purpose_;
  std::unique_ptr<Linear> hidden_;  // NULL: one linear layer
  Norm norm_;                       // behind the hidden layer
  std::string norm_name_;
  std::unique_ptr<Linear> output_;
  std::vector<Linear> scores_;
  std::vector<Convolution> queue_scores_;  // of each head; empty without a queue
  float *unit_ = nullptr, *norms_ = nullptr;
  float* inverse_norms_ = nullptr;  // of one head's prototypes; inference only
  float *d_unit_ = nullptr, *d_raw_ = nullptr, *d_hidden_ = nullptr;
};

}  // namespace swav
