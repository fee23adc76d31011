// Figures that tell a healthy run from a collapsed one. They only read; the spread of the scores is score_spread in codes.h.
#pragma once

#include <cstdint>

namespace swav {

// Floats of workspace that the functions below need.
int64_t health_workspace(int64_t rows, int64_t columns);

// Mean entropy of codes [rows][prototypes] over ln K, 0 (each image has one prototype) to 1 (uniform: codes that carry no
// gradient). 1 prototype: 0.
double code_entropy(const float* codes, int64_t rows, int64_t prototypes, float* workspace);

// How many prototypes are the largest entry (the first, if equal) of at least one row of codes [rows][prototypes].
int64_t prototypes_used(const float* codes, int64_t rows, int64_t prototypes, float* workspace);

// Mean cosine similarity of the embeddings of different images: of all pairs of different rows of embeddings [rows][dim], which
// have unit norm; 1 is collapse. A single row: 0.
double mean_similarity(const float* embeddings, int64_t rows, int64_t dim);

}  // namespace swav
