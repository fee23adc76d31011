#include "network/variant.h"

#include "base/status.h"

namespace swav {
namespace {

class Differences {
 public:
  explicit Differences(const KeyMap& keys) : keys_(keys) {
    // conv1 as a sequence (torchvision's names, timm), as three convolutions (CLIP), or under another name (OpenMMLab).
    add(has("conv1.0.weight") || keys.below_prefix("conv2.weight") || keys.below_prefix("stem.0.weight"),
        "a stem of several convolutions (as ResNet-C and -D have)");
    // The pooling is number 0 then.
    add(extent("layer2.0.downsample.1.weight", 1) > 0, "average pooling in the downsample (as ResNet-D has)");
    const int64_t stem = extent("conv1.weight", 0), wide = extent("layer1.0.conv1.weight", 0),
                  group = extent("layer1.0.conv2.weight", 1);
    const bool is_grouped = group > 0 && group < wide;
    add(is_grouped, "grouped convolutions (as ResNeXt has)");
    add(!is_grouped && stem > 0 && wide > stem && has("layer1.0.conv3.weight"),
        "bottlenecks wider than its stem (as Wide ResNet has)");
    // A file that has lost the statistics alone has the counters beside them.
    add(has("bn1.weight") && !has("bn1.running_mean") && !has("layer4.0.bn1.running_mean") && !has("bn1.num_batches_tracked"),
        "norms without statistics (as group-norm has, or a file without buffers)");
  }

  const std::string& text() const { return text_; }

 private:
  void add(bool differs, const char* what) {
    if (differs) text_ += (text_.empty() ? "" : ", ") + std::string(what);
  }

  bool has(const std::string& name) const { return keys_.find(name, 1) != nullptr; }

  // Of a convolution's weights; 0 where there are none.
  int64_t extent(const std::string& name, size_t axis) const {
    const StoredTensor* found = keys_.find(name, 1);
    return found != nullptr && found->shape.size() == 4 ? found->shape[axis] : 0;
  }

  const KeyMap& keys_;
  std::string text_;
};

}  // namespace

void check_variant(const std::string& path, const KeyMap& keys) {
  const Differences differences(keys);
  if (differences.text().empty()) return;
  fail(SWAV_ERROR_UNSUPPORTED, "%s holds a ResNet with %s; those of torchvision without any of this are known", path.c_str(),
       differences.text().c_str());
}

}  // namespace swav
