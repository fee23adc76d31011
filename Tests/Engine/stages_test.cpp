// The maps of inner stages as outputs of a network.
#include <cfloat>
#include <cmath>

#include "network_twin.h"
#include "stored_files.h"
#include "training_bench.h"
#include "worse.h"

using namespace swav;
using namespace swav::test;

TEST_CASE("maps of inner stages, pooled, are those of plain loops in double, whatever the groups of images; not in integers") {
  for (const int32_t depth : {18, 50}) {
    const Handle handle(small_network(depth, SWAV_STEM_IMAGENET), 3);
    const Description description = describe(handle.config());
    Twin twin(description, handle.parameters());
    const int64_t count = 3;
    const int32_t side = 40;
    Floats images(size_t(count * side * side * 3));
    for (size_t i = 0; i < images.size(); ++i) images[i] = float(int(i * 7919 % 251) - 125) / 100;
    REQUIRE(swav_network_calibrate(handle.network, images.data(), count, side, side) == SWAV_OK);
    for (int32_t stage = 1; stage <= 3; ++stage) {
      const Doubles expected = twin.features(images, count, side, false, stage);
      Floats found(expected.size());
      const swav_output output = swav_output(SWAV_OUTPUT_STAGE1 + stage - 1);
      REQUIRE(swav_network_embed(handle.network, output, images.data(), count, side, side, found.data()) == SWAV_OK);
      double largest = 0, error = 0;
      for (size_t i = 0; i < found.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        error = worse(error, std::abs(double(found[i]) - expected[i]));
      }
      // 53 layers at most, each of which rounds a few times; Winograd's transforms lose four bits more (ops/winograd.h).
      CHECK(error <= 53 * 16 * FLT_EPSILON * largest);
      CHECK(swav_network_embed_int8(handle.network, output, images.data(), count, side, side, found.data()) ==
            SWAV_ERROR_UNSUPPORTED);
    }
  }
}
