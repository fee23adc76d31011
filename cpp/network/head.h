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

  // The description has a projection.
  Head(const Description& description, int64_t rows, Purpose purpose);

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
  const float* embeddings() const { return unit_; }
  float* d_embeddings() { return d_unit_; }
  float* scores(int32_t head) { return scores_[size_t(head)].values; }
  // The parameters of a set, [K][dim].
  float* prototype_values(int32_t head) { return scores_[size_t(head)].weight; }

  // scores(head) hold d(scores) now, and d_embeddings(), where `embeddings` says so, a gradient to be added; adds all parameter
  // gradients and writes d_features [rows][feature_dim].
  void backward(const float* features, bool embeddings, Communicator& communicator, const Workspace& workspace,
                float* d_features);

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

  bool has_norm() const { return !norm_name_.empty(); }
  static Linear make(const LinearLayer& layer, int64_t rows);

  int64_t rows_, dim_;
  Purpose purpose_;
  std::unique_ptr<Linear> hidden_;  // NULL: one linear layer
  Norm norm_;                       // behind the hidden layer; without a name only ReLU
  std::string norm_name_;
  std::unique_ptr<Linear> output_;
  std::vector<Linear> scores_;
  float *unit_ = nullptr, *norms_ = nullptr;
  float* inverse_norms_ = nullptr;  // of one head's prototypes; inference only
  float *d_unit_ = nullptr, *d_raw_ = nullptr, *d_hidden_ = nullptr;
};

}  // namespace swav
