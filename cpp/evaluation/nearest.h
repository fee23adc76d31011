// The nearest rows of a bank of features by cosine, exactly, in bounded memory: the bank passes by block after block, and each
// query keeps the best so far.
#pragma once

#include <cstdint>

#include "base/function_ref.h"
#include "evaluation/features.h"

namespace swav {

struct Neighbour {
  float cosine;
  int64_t row;

  // Nearer than.
  bool operator<(const Neighbour& other) const { return cosine != other.cosine ? cosine > other.cosine : row < other.row; }
};

struct NearestSearch {
  const float* bank;  // [count][dim], finite
  int64_t count;
  const float* queries;  // [query_count][dim], finite; NULL: the bank itself, and no row is its own neighbour
  int64_t query_count;
  int64_t dim;
  int64_t limit;  // neighbours of a query, 1 to the rows there are (without the query itself)
  // All rows have unit norm and are taken as they are. A search for a few queries then reads the bank once and writes nothing:
  // it takes as long as memory needs to give it.
  bool unit_rows = false;
};

// Gets the `limit` neighbours of one query after the other, the nearest first, of equal cosines the earlier row.
using NeighbourConsumer = FunctionRef<void(int64_t query, const Neighbour* nearest)>;

// Rows are scaled to unit norm; rows of zeros stay zero, equally far from all. Memory: a few blocks, and up to 256 MiB for
// queries that are under way. Throws SWAV_ERROR_NUMERIC for a cosine that is not finite.
void find_nearest(const NearestSearch& search, const Progress& progress, NeighbourConsumer consumer);

}  // namespace swav
