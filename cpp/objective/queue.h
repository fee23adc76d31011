// The queue: embeddings of past batches that join the batch when codes are computed, so that a small batch can be split
// equally among many prototypes (paper section 4.1, "Working with small batches"; one queue for each assignment crop).
//
// As published: it starts with zeros, is used only once it is full, and takes the current batch in after the codes are
// computed, so a batch never meets itself. The published one shifts its rows so that the newest come first; this one is a ring
// that overwrites the oldest batch in place. The codes are the same up to rounding, since the order of the rows does not matter
// to Sinkhorn-Knopp.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/arena.h"

namespace swav {

class EmbeddingQueue {
 public:
  // The length that a request comes to: rounded down to a multiple of the batch, 0 (no queue) when smaller than it.
  static int64_t rounded_length(int64_t requested, int64_t batch) { return requested - requested % batch; }

  EmbeddingQueue() = default;
  // For `crops` assignment crops, of rounded_length(requested, batch) embeddings of `dim` numbers each. batch >= 1.
  EmbeddingQueue(int64_t crops, int64_t requested, int64_t batch, int64_t dim);
  void take(Arena& arena) { values_ = arena.take<float>(crops_ * length_ * dim_); }

  int64_t length() const { return length_; }
  // Whether every row holds an embedding. False when the length is 0.
  bool full() const { return length_ > 0 && inserted_ >= length_ / batch_; }

  // The rows of assignment crop a, [length][dim], zeros where nothing has been inserted. Row j * batch.. is the batch inserted
  // as number j modulo length / batch. Borrowed; the next insertion overwrites the oldest batch.
  const float* embeddings(int64_t a) const { return values_ + a * length_ * dim_; }

  // One insertion: replaces the oldest batch of every assignment crop by embeddings [batch][dim], then advances.
  void replace_oldest(int64_t a, const float* embeddings);
  void advance() { ++inserted_, idle_ = 0; }
  // A step without an insertion.
  void wait() { ++idle_; }

  // Steps since the oldest embedding was made, where every step but the last ones has inserted some; 0 for an empty queue.
  int64_t age() const { return inserted_ == 0 ? 0 : std::min(inserted_, length_ / batch_) + idle_; }

  // All state, for a checkpoint: values [crops][length][dim], the number of batches inserted since the start, and that of steps
  // without one since the last, 0 or more.
  float* values() { return values_; }
  int64_t& inserted() { return inserted_; }
  int64_t& idle() { return idle_; }

 private:
  int64_t crops_ = 0, length_ = 0, batch_ = 1, dim_ = 0;
  int64_t inserted_ = 0, idle_ = 0;
  float* values_ = nullptr;
};

}  // namespace swav
