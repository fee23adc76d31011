import SwAVAugmentation
import SwAVData
public import SwAVInspection
import SwAVModel

extension PretrainConfiguration {
  /// Checks that the values fit together and the data.
  /// `ranks`: how many processes train together.
  public func validate(
    for data: DataFacts, given: PretrainSettings = PretrainSettings(), ranks: Int = 1
  ) throws(PretrainingError) {
    try validateBatch(for: data, given: given, ranks: ranks)
    func require(_ holds: Bool, _ name: String, _ allowed: String) throws(PretrainingError) {
      guard !holds else { return }
      let value = Setting.named(name)?.show(self) ?? ""
      throw .setting(origin: given.origin(of: name), value: value, allowed: allowed)
    }
    let (parts, part) = (parts(of: ranks), sumParts == 0 ? "process' share" : "part")
    try require(
      microBatch == 0 || (batch / parts) % microBatch == 0, "micro-batch",
      "a divisor of \(parts > 1 ? "a \(part) of the batch, \(batch / parts)," : "the batch, \(batch),") is needed, or 0")
    let isAlone = "one process is needed for it"
    try require(ranks == 1 || onCollapse != .rollback, "on-collapse", isAlone)
    try require(ranks == 1 || onNotFinite != .rollback, "on-nonfinite", isAlone)
    try require(cropCount >= 2, "crops", "at least 2 crops of an image are needed: one predicts the code of another")
    try require(
      assign.allSatisfy { $0 < cropCount }, "assign", "crop numbers from 0 to \(cropCount - 1) are allowed with these crops")
    for group in crops {
      try require(group.minScale <= group.maxScale, "min-scale", "at most max-scale is allowed in each group")
    }
    for (name, values) in [("mean", mean), ("std", std)] {
      try require(values.count == channels, name, "one number for each channel is needed, and channels is \(channels)")
    }
    let epochs = steps(stepsPerEpoch: data.draws / batch).scheduled / (data.draws / batch)
    try require(warmupEpochs <= Double(max(1, epochs)), "warmup-epochs", "at most the \(epochs) epochs are allowed")
    try require(
      queue == 0 || queue >= batch, "queue", "0, or at least the batch of \(batch): it is rounded down to whole batches")
    try require(finalLR <= baseLR, "final-lr", "at most base-lr (\(baseLR)) is allowed")
  }

  /// Checks that there are images for the batch.
  func validateBatch(for data: DataFacts, given: PretrainSettings, ranks: Int) throws(PretrainingError) {
    guard data.draws >= 2 else {
      throw .data(DataError(.unusable, "there is 1 image; at least 2 are needed"))
    }
    func refuse(_ allowed: String) -> PretrainingError {
      .setting(origin: given.origin(of: "batch"), value: "\(batch)", allowed: allowed)
    }
    guard batch <= data.draws else {
      throw refuse(
        "there are only \(data.draws) images, so at most \(data.draws) are possible (fewer is better: \(max(2, data.draws / 8)))"
      )
    }
    guard sumParts % ranks == 0 else {
      throw .setting(
        origin: given.origin(of: "sum-parts"), value: "\(sumParts)",
        allowed: "a multiple of the \(ranks) processes is needed, as \((sumParts / ranks + 1) * ranks), or 0")
    }
    let parts = parts(of: ranks)
    guard batch % parts == 0 else {
      let others = parts == ranks ? "processes" : "parts"
      throw refuse(
        "a multiple of the \(parts) \(others) is needed, as \((batch / parts + 1) * parts): each takes as many images")
    }
  }
}
