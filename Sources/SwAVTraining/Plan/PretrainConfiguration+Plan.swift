import SwAVAugmentation
import SwAVModel

/// A configuration, and why its planned values are what they are.
public struct PretrainPlan: Sendable, Equatable {
  public var configuration: PretrainConfiguration
  /// One line a decision.
  public var reasons: [String]
}

/// Where unset values come from.
public enum PretrainRecipe: String, Sendable, CaseIterable {
  /// Small enough for a processor: ResNet-18, crops, batch and prototypes that fit the data.
  case small
  /// The published recipe for 256 images a step: ResNet-50, 2x224+6x96, 3000 prototypes, a queue of 3840.
  case published
}

extension PretrainConfiguration {
  /// Resolves every value: what is given counts, the rest is planned for the data.
  ///
  /// Throws where a value is not allowed, or where values do not fit together or the data.
  public static func planned(
    for data: DataSummary, given: PretrainSettings = PretrainSettings()
  ) throws(PretrainingError) -> PretrainPlan {
    let given = try given.joiningCropLists()
    var plan = PretrainPlan(configuration: PretrainConfiguration(), reasons: [])
    switch try given.recipe() {
    case .small: try plan.planSmall(data, given)
    case .published: plan.planPublished()
    }
    try given.apply(to: &plan.configuration)
    if !given.isGiven("hidden") { plan.configuration.hidden = plan.configuration.arch.defaultHidden }
    if data.isGray {
      // Not planned by itself: a network of three channels takes gray images too, and published weights have three.
      let loss = data.isDeep ? ", and keep their 16 bits, which are reduced to 8 otherwise" : ""
      plan.reasons.append("channels 3: the images looked at are gray; --channels 1 would do\(loss)")
    }
    // A reason for a value that was given is none: it begins with the setting's name.
    plan.reasons.removeAll { reason in given.isGiven(String(reason.prefix { $0 != " " })) }
    try plan.configuration.validate(for: data, given: given)
    return plan
  }
}

extension PretrainPlan {
  fileprivate mutating func planPublished() {
    configuration.arch = .resnet50
    configuration.batch = 256
    configuration.queue = 3840
    configuration.epochs = 200
    reasons.append("published recipe for 256 images a step (paper section 4, small batches)")
  }

  /// Fills in what follows from the data, then what follows from that. Given values are read in between, so that what
  /// depends on them sees them.
  fileprivate mutating func planSmall(_ data: DataSummary, _ given: PretrainSettings) throws(PretrainingError) {
    planCrops(data)
    try given.apply(to: &configuration, only: ["arch", "crops"])
    let largest = configuration.crops.map(\.size).max() ?? 0
    configuration.stem = largest <= 40 ? .small : .imagenet
    reasons.append("stem \(configuration.stem.rawValue): the largest crop has \(largest) pixels a side")

    configuration.batch = max(2, min(64, powerOfTwo(atMost: data.count / 8)))
    reasons.append("batch \(configuration.batch): at least 8 steps an epoch from \(data.count) images, at most 64")
    configuration.optimizer = .adamw
    try given.apply(to: &configuration, only: ["batch", "optimizer"])

    let batch = configuration.batch
    // Ten images a prototype and epoch at least, and no more prototypes than the codes of two batches can balance.
    let prototypes = max(10, min(data.count / 40, 2 * batch) / 10 * 10)
    configuration.prototypes = [prototypes]
    reasons.append("prototypes \(prototypes): one for 40 images, at most two for each image of a batch")

    let stepsPerEpoch = max(1, data.count / batch)
    configuration.epochs = max(10, min(200, (3000 + stepsPerEpoch - 1) / stepsPerEpoch))
    reasons.append("epochs \(configuration.epochs): about 3000 steps, 10 to 200 epochs")
    // A fixed epsilon lets the embeddings of a small run contract until the codes are uniform and carry no gradient.
    configuration.epsilon = .relative(0.5)
    reasons.append("epsilon relative:0.5: keeps the codes informative while the scores spread little")
    planRates(batch)
    try given.apply(to: &configuration, only: ["base-lr", "epochs"])
    configuration.finalLR = configuration.baseLR / 1000
    configuration.warmupEpochs = min(1, configuration.epochs - 1)
  }

  private mutating func planCrops(_ data: DataSummary) {
    // Two large views of about half the image's side, four small ones of half of that; networks like multiples of 16.
    let large = max(32, min(96, data.typicalSide * 3 / 7 / 16 * 16))
    let text = large >= 48 ? "2x\(large)+4x\(max(24, large / 2))" : "2x\(large)+2x24"
    // The text is made of allowed numbers.
    configuration.crops = (try? CropGroup.parse(text)) ?? configuration.crops
    reasons.append("crops \(text): the shorter side of the images is \(data.typicalSide) pixels (median)")
  }

  /// Rates scale with the batch, from values that train ResNet-18 here.
  private mutating func planRates(_ batch: Int) {
    let rate: Double
    switch configuration.optimizer {
    case .adamw: rate = 1e-3 * Double(batch) / 64
    case .larc: rate = 0.6 * Double(batch) / 256
    case .sgd: rate = 0.05 * Double(batch) / 256
    }
    configuration.baseLR = rate
    reasons.append("base-lr \(rate): \(configuration.optimizer.rawValue), in proportion to the batch")
  }
}

private func powerOfTwo(atMost value: Int) -> Int {
  value < 1 ? 1 : 1 << (Int.bitWidth - 1 - value.leadingZeroBitCount)
}

extension PretrainSettings {
  fileprivate func recipe() throws(PretrainingError) -> PretrainRecipe {
    guard let value = values["recipe"] else { return .small }
    guard let recipe = PretrainRecipe(rawValue: value.text) else {
      throw .setting(
        origin: value.origin, value: value.text,
        allowed: "one of \(PretrainRecipe.allCases.map(\.rawValue).joined(separator: ", ")) is needed")
    }
    return recipe
  }

  /// `--nmb_crops 2 6 --size_crops 224 96` becomes crops 2x224+6x96.
  fileprivate func joiningCropLists() throws(PretrainingError) -> PretrainSettings {
    guard let counts = values["nmb-crops"] ?? values["size-crops"] else { return self }
    guard let counts = values["nmb-crops"], let sizes = values["size-crops"] else {
      throw .setting(origin: counts.origin, value: counts.text, allowed: "nmb_crops and size_crops belong together; give both")
    }
    let (a, b) = (counts.text.split { ", ".contains($0) }, sizes.text.split { ", ".contains($0) })
    guard a.count == b.count else {
      throw .setting(origin: sizes.origin, value: sizes.text, allowed: "\(a.count) sizes are needed, one for each of nmb_crops")
    }
    var joined = self
    joined.setJoined("crops", text: zip(a, b).map { "\($0)x\($1)" }.joined(separator: "+"), origin: counts.origin)
    return joined
  }

  private mutating func setJoined(_ name: String, text: String, origin: String) {
    // Both spellings given: the list of groups is the one that a person reads.
    if !isGiven(name) { try? set(name, to: text, origin: origin) }
  }
}
