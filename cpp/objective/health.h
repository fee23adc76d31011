// Figures that tell a healthy run from a collapsed one. They only read; the spread of the scores is score_spread in codes.h.
// All are collective: figures of all ranks' rows, of which each rank has as many.
#pragma once

#include <cstdint>

#include "comm/communicator.h"

namespace swav {

// Each function's workspace is the caller's, 8-byte aligned, of as many floats as the function before it says.

// Mean entropy of codes [rows][prototypes] over ln K, 0 (each image has one prototype) to 1 (uniform: codes that carry no
// gradient). 1 prototype: 0.
int64_t code_entropy_workspace(int64_t rows);
double code_entropy(const float* codes, int64_t rows, int64_t prototypes, Communicator& group, float* workspace);

// Mean entropy of the predictions softmax(scores / temperature) over ln K, for scores [rows][prototypes]. 1 prototype: 0.
int64_t prediction_entropy_workspace(int64_t rows, int64_t prototypes);
double prediction_entropy(const float* scores, int64_t rows, int64_t prototypes, float temperature, Communicator& group,
                          float* workspace);

// Sets used[k] to 1 for each prototype that is the largest entry (the first, if equal) of at least one row of codes
// [rows][prototypes], else to 0, and returns how many they are.
int64_t prototypes_used_workspace(int64_t rows);
int64_t prototypes_used(const float* codes, int64_t rows, int64_t prototypes, Communicator& group, float* used,
                        float* workspace);

// mean[k]: the mean of codes [rows][prototypes].
void mean_code(const float* codes, int64_t rows, int64_t prototypes, Communicator& group, double* mean);

// How many prototypes [count][dim] have a cosine of `least` or more with one before them. Allocates.
int64_t duplicate_prototypes(const float* prototypes, int64_t count, int64_t dim, float least);

// Mean cosine similarity of the embeddings of different images: of all pairs of different rows of embeddings [rows][dim], which
// have unit norm; 1 is collapse. A single row: 0.
int64_t mean_similarity_workspace(int64_t dim);
double mean_similarity(const float* embeddings, int64_t rows, int64_t dim, Communicator& group, float* workspace);

// How embeddings [rows][dim] are spread out. rank: RankMe (Garrido et al., 2023), exp of the entropy of the singular values
// over their sum, 1 to min(rows, dim) over all ranks. deviation: standard deviation of a coordinate times sqrt(dim), mean over
// the coordinates, and the least of them: 1 is spread alike in all directions, 0 collapse. At most 2048 rows of a rank are
// looked at, evenly spaced. Allocates; a second or more for a dim of thousands.
struct EmbeddingSpread {
  double rank, deviation, least_deviation;
};
EmbeddingSpread embedding_spread(const float* embeddings, int64_t rows, int64_t dim, Communicator& group);

}  // namespace swav
