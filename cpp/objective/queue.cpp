#include "objective/queue.h"

#include <algorithm>

namespace swav {

EmbeddingQueue::EmbeddingQueue(int64_t crops, int64_t requested, int64_t batch, int64_t dim)
    : crops_(crops),
      length_(rounded_length(requested, batch)),
      batch_(batch),
      dim_(dim),
      values_(size_t(crops * length_ * dim), 0.0f) {}

void EmbeddingQueue::insert(const float* const* embeddings) {
  if (length_ == 0) return;
  const int64_t slot = inserted_ % (length_ / batch_);
  for (int64_t a = 0; a < crops_; ++a) {
    std::copy_n(embeddings[a], batch_ * dim_, values_.data() + (a * length_ + slot * batch_) * dim_);
  }
  ++inserted_;
}

void EmbeddingQueue::restore(const float* values, int64_t inserted) {
  std::copy_n(values, values_.size(), values_.data());
  inserted_ = inserted;
}

}  // namespace swav
