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

// How many prototypes are the largest entry (the first, if equal) of at least one row of codes [rows][prototypes].
int64_t prototypes_used_workspace(int64_t rows, int64_t prototypes);
int64_t prototypes_used(const float* codes, int64_t rows, int64_t prototypes, Communicator& group, float* workspace);

// Mean cosine similarity of the embeddings of different images: of all pairs of different rows of embeddings [rows][dim], which
// have unit norm; 1 is collapse. A single row: 0.
int64_t mean_similarity_workspace(int64_t dim);
double mean_similarity(const float* embeddings, int64_t rows, int64_t dim, Communicator& group, float* workspace);

}  // namespace swav
