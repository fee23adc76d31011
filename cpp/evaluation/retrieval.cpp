#include "evaluation/retrieval.h"

#include <climits>

#include "base/status.h"

namespace swav {

void retrieve(const RetrievalInput& in, const Progress& progress, double* precision, int64_t* rank) {
  const bool leaves_out = in.queries == nullptr;
  check_features("bank's features", in.bank, in.labels, in.count, in.dim, INT_MAX);
  if (!leaves_out) check_features("query features", in.queries, in.query_labels, in.query_count, in.dim, INT_MAX);
  const int64_t others = in.count - (leaves_out ? 1 : 0);
  SWAV_REQUIRE(others >= 1, "there is 1 row; leaving one out needs at least 2");
  const int32_t* asked = leaves_out ? in.labels : in.query_labels;
  const NearestSearch search{in.bank, in.count, in.queries, in.query_count, in.dim, others};
  find_nearest(search, progress, [&](int64_t query, const Neighbour* nearest) {
    int64_t found = 0, first = -1;
    double sum = 0;
    // Rows of equal cosines come together: their order says nothing. The first of the label is the last of its row of equals
    // then.
    for (int64_t begin = 0, end = 0; begin < others; begin = end) {
      int64_t own = 0;
      for (; end < others && nearest[end].cosine == nearest[begin].cosine; ++end) {
        own += in.labels[nearest[end].row] == asked[query];
      }
      if (own == 0) continue;
      if (found == 0) first = end - own;
      found += own;
      sum += double(own) * double(found) / double(end);
    }
    precision[query] = found > 0 ? sum / double(found) : -1;
    rank[query] = first;
  });
}

}  // namespace swav
