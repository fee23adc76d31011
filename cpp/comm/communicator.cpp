#include "comm/communicator.h"

#include <cstring>

namespace swav {
namespace {

class GroupOfOne final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(float*, int64_t) override {}
  void sum(double*, int64_t) override {}
  void max(float*, int64_t) override {}
  void gather(const void* mine, int64_t bytes, void* all) override { std::memcpy(all, mine, size_t(bytes)); }
  void broadcast(void*, int64_t, int) override {}
  void barrier() override {}
};

}  // namespace

Communicator& group_of_one() {
  static GroupOfOne group;  // no state: shared freely between threads
  return group;
}

}  // namespace swav
