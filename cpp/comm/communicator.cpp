#include "comm/communicator.h"

namespace swav {
namespace {

class GroupOfOne final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(float*, int64_t) override {}
  void sum(double*, int64_t) override {}
  void max(float*, int64_t) override {}
};

}  // namespace

Communicator& group_of_one() {
  static GroupOfOne group;  // no state: shared freely between threads
  return group;
}

}  // namespace swav
