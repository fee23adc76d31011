import Glibc
import SwAVAugmentation
import SwAVEngine
import SwAVInspection
import SwAVModel

// What is planned for a size of the network: every rule is a line or two on continuous quantities, and says its reason.
extension Planner {
  func planNetwork(_ configuration: inout PretrainConfiguration, _ reasons: inout [String: Reason], _ size: NetworkSize) {
    (configuration.arch, configuration.baseWidth) = (size.arch, size.baseWidth)
    let side = Int(facts.shortSide.median)
    // The text is made of allowed numbers.
    configuration.crops = (try? CropGroup.parse(size.crops(shortSide: side))) ?? configuration.crops
    let reason = "the largest network and views that still see enough images in the time"
    for name in ["arch", "base-width"] { reasons[name] = Reason(text: reason) }
    let fit = configuration.largestCrop <= side ? "not larger than the images" : "the smallest that there are"
    reasons["crops"] = Reason(text: reason + ", \(fit) (shorter side \(side) pixels)")
  }

  /// Views of which two share something from the start, and that keep most of their colour, which short runs learn first.
  func planViews(_ configuration: inout PretrainConfiguration, _ reasons: inout [String: Reason], images: Double) {
    configuration.stem = .imagenet
    reasons["stem"] = Reason(text: "the small one takes three times as long")
    for index in configuration.crops.indices {
      let scale = configuration.crops.count == 1 ? (0.25, 1) : index == 0 ? (0.4, 1) : (0.15, 0.4)
      (configuration.crops[index].minScale, configuration.crops[index].maxScale) = scale
    }
    // Counts of a camera or microscope: 8 bits of them may be nearly black, and published statistics are those of photos.
    if facts.isDeepGray, let found = facts.statistics, !given.isGiven("init-from"), !given.isGiven("channels") {
      configuration.setChannels(1)
      let level = (mean: found.mean.first ?? 0.5, std: max(1e-6, found.std.first ?? 0.25))
      (configuration.mean, configuration.std) = (
        [Double(scientific(level.mean)) ?? level.mean], [Double(scientific(level.std)) ?? level.std]
      )
      reasons["channels"] = Reason(text: "all images looked at are gray of 16 bits, which are kept so")
      for name in ["mean", "std"] { reasons[name] = Reason(text: "of the images looked at") }
    }
    for name in ["min-scale", "max-scale"] { reasons[name] = Reason(text: "two views share something from the start") }
    let isGray = facts.color.map { $0.grayShare > 0.95 } ?? facts.isGray
    let doublings = max(0, log2(max(1, min(images, 1e12)) / 1e6))
    configuration.jitterStrength = hundredths(min(0.5, 0.4 + 0.04 * doublings))
    configuration.grayscale = isGray ? 0 : hundredths(min(0.15, 0.1 + 0.02 * doublings))
    let colour = Reason(
      text: "colour is the first thing that short runs learn; longer ones go beyond it",
      evidence: "\(rounded(images)) images in all")
    reasons["jitter-strength"] = colour
    reasons["grayscale"] = isGray ? Reason(text: "the images are gray") : colour
    configuration.blur = configuration.largestCrop >= 128 ? 0.5 : 0
    reasons["blur"] = Reason(text: configuration.blur > 0 ? "as published" : "it erases what small views show")
  }

  func planBatch(_ configuration: inout PretrainConfiguration, _ reasons: inout [String: Reason], _ size: NetworkSize) {
    // Codes of a handful of images say next to nothing: small sets rather have few steps an epoch.
    let few = 16
    let eighth = powerOfTwo(atMost: facts.draws / 8)
    configuration.batch = max(2, min(size.batch, max(eighth, min(few, powerOfTwo(atMost: facts.draws)))))
    reasons["batch"] = Reason(
      text: eighth >= few
        ? "at least 8 steps an epoch, at most \(size.batch)" : "at least \(few), where there are as many images",
      evidence: "\(facts.draws) images")
    configuration.optimizer = .adamw
    reasons["optimizer"] = Reason(text: "needs no tuning to the batch as larc does")
  }

  func planObjective(
    _ configuration: inout PretrainConfiguration, _ reasons: inout [String: Reason]
  ) throws(PretrainingError) {
    // Copies say the same twice.
    let different = facts.draws - Int(Double(facts.draws) * Double(facts.duplicates) / Double(max(1, facts.headers)))
    configuration.prototypes = [max(min(10, configuration.batch), min(different / 10, configuration.batch))]
    reasons["prototypes"] = Reason(
      text: "one for ten images, at most one for each image of a batch", evidence: "\(different) different images")
    configuration.queue = 0
    try given.apply(to: &configuration, only: ["prototypes"])
    let most = configuration.prototypes.max() ?? 0
    reasons["queue"] =
      most <= configuration.batch
      ? Reason(text: "the batch holds enough images for \(most) prototypes")
      : Reason(
        text: "a step gives \(configuration.batch) of the \(most) prototypes an image at most; a larger batch or a queue more")
    configuration.epsilon = .relative(0.25)
    // A fixed one lets the embeddings of a small run contract until the codes are uniform and carry no gradient.
    reasons["epsilon"] = Reason(text: "keeps the codes informative while the scores spread little")
  }

  /// AdamW's from runs at base widths 16 to 32, where wider networks wanted smaller steps; it grows with the root of the batch,
  /// that of the others with the batch.
  func planRates(_ configuration: inout PretrainConfiguration, _ reasons: inout [String: Reason]) {
    let batch = Double(configuration.batch)
    switch configuration.optimizer {
    case .adamw:
      let rate = 2e-3 * 16 / Double(configuration.baseWidth * configuration.arch.width) * (batch / 64).squareRoot()
      // Three digits that count, as people write it.
      configuration.baseLR = Double(scientific(rate)) ?? rate
    case .larc: configuration.baseLR = 0.6 * batch / 256
    case .sgd: configuration.baseLR = 0.05 * batch / 256
    }
    reasons["base-lr"] =
      configuration.optimizer == .adamw
      ? Reason(text: "adamw, in proportion to the root of the batch and against the width")
      : Reason(
        text: "\(configuration.optimizer.rawValue), in proportion to the batch")
  }
}

private func hundredths(_ value: Double) -> Double { (100 * value).rounded() / 100 }

private func powerOfTwo(atMost value: Int) -> Int {
  value < 1 ? 1 : 1 << (Int.bitWidth - 1 - value.leadingZeroBitCount)
}
