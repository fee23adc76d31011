#include "comm/gradual_sum.h"

#include <algorithm>

#include "comm/ordered_sum.h"
#include "comm/transport.h"

namespace swav {
namespace {

// A look is a call to the network.
constexpr std::chrono::microseconds between_looks{200};

// A bucket is exchanged and gathered under tags of its place.
int32_t exchange_tag(int64_t place) { return int32_t(2 * place); }
int32_t gather_tag(int64_t place) { return int32_t(2 * place + 1); }

}  // namespace

GradualSum::GradualSum(const swav_communicator& functions, int64_t bucket)
    : functions_(functions), bucket_(std::max(bucket / functions.size, int64_t{1}) * functions.size) {
  received_.resize(size_t(most_under_way * bucket_));
  sums_.resize(size_t(most_under_way * (bucket_ / functions.size)));
}

void GradualSum::begin(float* values, int64_t count) {
  values_ = values;
  left_ = ready_ = count;
  started_ = ended_ = 0;
  advancing_ = false;
  failure_ = nullptr;
}

void GradualSum::ready(int64_t from) {
  ready_ = from;
  advance(false);
  start_ready();
}

void GradualSum::start_ready() {
  while (has_room() && left_ - bucket_ >= ready_) start(bucket_);
}

int64_t GradualSum::finish() {
  const int64_t ranks = functions_.size;
  while (left_ >= ranks || started_ > ended_) {
    while (has_room() && left_ >= ranks) start(std::min(bucket_, left_ / ranks * ranks));
    advance(true);
  }
  return left_;
}

void GradualSum::start(int64_t count) {
  const int64_t place = started_++ % most_under_way, slice = count / functions_.size, bytes = slice * int64_t(sizeof(float));
  left_ -= count;
  buckets_[size_t(place)] = {left_, slice, Stage::exchanging};
  require_moved(functions_,
                functions_.begin(functions_.context, exchange_tag(place), values_ + left_, bytes, bytes, received(place)));
}

void GradualSum::glance() noexcept {
  const auto now = std::chrono::steady_clock::now();
  // Not within a sum of its own, which is made of tasks as well.
  if (advancing_ || failure_ || (started_ == ended_ && left_ - bucket_ < ready_) || now - looked_ < between_looks) return;
  looked_ = now;
  try {
    advance(false, false);
    start_ready();
  } catch (...) {
    failure_ = std::current_exception();
  }
}

// Waits for the oldest bucket alone: it has the place that the next one needs.
void GradualSum::advance(bool wait, bool spread) {
  if (failure_) std::rethrow_exception(failure_);
  advancing_ = true;
  for (int64_t number = ended_; number < started_; ++number) move_on(number % most_under_way, wait && number == ended_, spread);
  advancing_ = false;
  while (ended_ < started_ && buckets_[size_t(ended_ % most_under_way)].stage == Stage::done) ++ended_;
}

void GradualSum::move_on(int64_t place, bool wait, bool spread) {
  Bucket& bucket = buckets_[size_t(place)];
  if (bucket.stage == Stage::exchanging && arrived(exchange_tag(place), wait)) {
    const float* const slices = received(place);
    const auto slice = [&](int rank) { return slices + rank * bucket.slice; };
    if (spread) add_in_order(slice, functions_.size, sums(place), bucket.slice);
    else add_in_order(slice, functions_.size, sums(place), 0, bucket.slice);
    require_moved(functions_, functions_.begin(functions_.context, gather_tag(place), sums(place), 0,
                                               bucket.slice * int64_t(sizeof(float)), values_ + bucket.begin));
    bucket.stage = Stage::gathering;
  }
  if (bucket.stage == Stage::gathering && arrived(gather_tag(place), wait)) bucket.stage = Stage::done;
}

bool GradualSum::arrived(int32_t tag, bool wait) {
  bool done = false;
  require_moved(functions_, functions_.advance(functions_.context, tag, wait, &done));
  return done;
}

}  // namespace swav
