import SwAVAugmentation
import SwAVData
import SwAVModel

extension PretrainConfiguration {
  /// Checks that the values fit together and the data.
  /// `ranks`: how many processes train together.
  public func validate(
    for data: DataSummary, given: PretrainSettings = PretrainSettings(), ranks: Int = 1
  ) throws(PretrainingError) {
    func require(_ holds: Bool, _ name: String, _ allowed: String) throws(PretrainingError) {
      guard !holds else { return }
      let value = Setting.named(name)?.show(self) ?? ""
      throw .setting(origin: given.origin(of: name), value: value, allowed: allowed)
    }
    guard data.count >= 2 else {
      throw .data(DataError(.unusable, "there is 1 image; at least 2 are needed"))
    }
    try require(
      batch <= data.count, "batch",
      "there are only \(data.count) images, so at most \(data.count) are possible (fewer is better: \(max(2, data.count / 8)))")
    try require(
      batch % ranks == 0, "batch",
      "a multiple of the \(ranks) processes is needed, as \((batch / ranks + 1) * ranks): each takes as many images")
    try require(cropCount >= 2, "crops", "at least 2 crops of an image are needed: one predicts the code of another")
    try require(
      assign.allSatisfy { $0 < cropCount }, "assign", "crop numbers from 0 to \(cropCount - 1) are allowed with these crops")
    for group in crops {
      try require(group.minScale <= group.maxScale, "min-scale", "at most max-scale is allowed in each group")
    }
    for (name, values) in [("mean", mean), ("std", std)] {
      try require(values.count == channels, name, "one number for each channel is needed, and channels is \(channels)")
    }
    try require(warmupEpochs <= epochs, "warmup-epochs", "at most the \(epochs) epochs are allowed")
    try require(
      queue == 0 || queue >= batch, "queue", "0, or at least the batch of \(batch): it is rounded down to whole batches")
    try require(finalLR <= baseLR, "final-lr", "at most base-lr (\(baseLR)) is allowed")
  }
}
