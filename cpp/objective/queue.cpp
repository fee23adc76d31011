#include "objective/queue.h"

#include <algorithm>

namespace swav {

EmbeddingQueue::EmbeddingQueue(int64_t crops, int64_t requested, int64_t batch, int64_t dim)
    : crops_(crops), length_(rounded_length(requested, batch)), batch_(batch), dim_(dim) {}

void EmbeddingQueue::replace_oldest(int64_t a, const float* embeddings) {
  if (length_ == 0) return;
  const int64_t slot = inserted_ % (length_ / batch_);
  std::copy_n(embeddings, batch_ * dim_, values_ + (a * length_ + slot * batch_) * dim_);
}

}  // namespace swav
