import SwAVAugmentation
import SwAVModel

extension PretrainConfiguration {
  /// Chooses what fits the images, and gives the reason for each value that it chose or thought about, by the setting's name.
  /// Given values are read in between, so that what depends on them sees them.
  ///
  /// Many steps of a narrow network on small views learn more in the same time than few steps of a wide one.
  mutating func planAutomatically(_ data: DataSummary, _ given: PretrainSettings) throws(PretrainingError) -> [String: String] {
    var reasons: [String: String] = [:]
    arch = .resnet18
    reasons["arch"] = "the smallest here; more steps in the same time teach more than a larger network"
    baseWidth = 32
    reasons["base-width"] = "half of the published one: about three times the steps in the same time"
    reasons.merge(planCrops(data)) { $1 }
    try given.apply(to: &self, only: ["arch", "crops"])
    let largest = crops.map(\.size).max() ?? 0
    stem = largest <= 40 ? .small : .imagenet
    reasons["stem"] = "the largest crop has \(largest) pixels a side; small up to 40"
    reasons.merge(planViews()) { $1 }

    batch = max(2, min(64, powerOfTwo(atMost: data.count / 8)))
    reasons["batch"] = "at least 8 steps an epoch from \(data.count) images, at most 64"
    optimizer = .adamw
    reasons["optimizer"] = "needs no tuning to the batch as larc does"
    try given.apply(to: &self, only: ["batch", "optimizer"])
    prototypes = [max(10, min(data.count / 25, batch))]
    reasons["prototypes"] = "one for 25 images, at most one for each image of a batch"
    queue = 0
    reasons["queue"] = "the batch holds enough images for \(prototypes[0]) prototypes"
    // A fixed epsilon lets the embeddings of a small run contract until the codes are uniform and carry no gradient.
    epsilon = .relative(0.25)
    reasons["epsilon"] = "keeps the codes informative while the scores spread little"

    epochs = max(20, min(400, 600_000 / data.count))
    reasons["epochs"] = "an image is seen 600,000 times in all, in 20 to 400 epochs"
    try given.apply(to: &self, only: ["epochs"])
    reasons.merge(planRates()) { $1 }
    try given.apply(to: &self, only: ["base-lr"])
    finalLR = baseLR / 1000
    reasons["final-lr"] = "a thousandth of base-lr, as published"
    warmupEpochs = min(1, epochs - 1)
    reasons["warmup-epochs"] = epochs > 1 ? "the first steps have the largest gradients" : "there is one epoch in all"
    return reasons
  }

  private mutating func planCrops(_ data: DataSummary) -> [String: String] {
    let text = data.typicalSide < 48 ? "2x32+4x16" : "2x48+4x24"
    // The text is made of allowed numbers.
    crops = (try? CropGroup.parse(text)) ?? crops
    return ["crops": "the shorter side of the images is \(data.typicalSide) pixels (median); small views give more steps"]
  }

  /// Views that are easy enough for a short run.
  private mutating func planViews() -> [String: String] {
    for index in crops.indices {
      let scale = crops.count == 1 ? (0.25, 1) : index == 0 ? (0.4, 1) : (0.15, 0.4)
      (crops[index].minScale, crops[index].maxScale) = scale
    }
    (jitterStrength, grayscale, blur) = (0.4, 0.1, 0)
    let reason = "colour is the first thing that short runs learn"
    return [
      "min-scale": "two views share something from the start", "max-scale": "two views share something from the start",
      "jitter-strength": reason, "grayscale": reason, "blur": "it erases what small views show",
    ]
  }

  /// Rates scale with the batch, from values that train ResNet-18 here.
  private mutating func planRates() -> [String: String] {
    switch optimizer {
    case .adamw: baseLR = 2e-3 * Double(batch) / 64
    case .larc: baseLR = 0.6 * Double(batch) / 256
    case .sgd: baseLR = 0.05 * Double(batch) / 256
    }
    return ["base-lr": "\(optimizer.rawValue), in proportion to the batch"]
  }
}

private func powerOfTwo(atMost value: Int) -> Int {
  value < 1 ? 1 : 1 << (Int.bitWidth - 1 - value.leadingZeroBitCount)
}
