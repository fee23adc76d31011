import SwAVEngine

extension HealthRule {
  /// Every disease that is known, the weightiest first.
  static let all: [HealthRule] = [noRate, noGradient, onePoint, uniformCodes, fewPrototypes, highLoss]

  /// Nothing is learned where the steps have no length.
  static let noRate = HealthRule(name: "no learning rate", steps: 50, covers: ["no gradient"]) { window in
    guard window.all({ $0.rate == 0 }) else { return nil }
    return (
      "the rate has been 0 for \(window.count) steps, so nothing is learned",
      [Remedy("base-lr", number(PretrainConfiguration().baseLR)), Remedy("warmup-epochs", "0")]
    )
  }

  /// Float32 sums of anything that learns are orders of magnitude above this.
  static let noGradient = HealthRule(name: "no gradient", steps: 50) { window in
    guard window.all({ $0.gradientNorm <= 1e-9 }) else { return nil }
    return (
      "the gradient's norm has been at most \(scientific(window.steps.map(\.gradientNorm).max() ?? 0)) for \(window.count) steps, "
        + "so nothing is learned",
      [smallerEpsilon(window.configuration)]
    )
  }

  /// All embeddings at one point: there is nothing left in them that tells images apart.
  static let onePoint = HealthRule(
    name: "collapse to one point", steps: 100, covers: ["uniform codes", "few prototypes", "high loss"]
  ) {
    window in
    guard window.all({ $0.similarity >= 0.99 }) else { return nil }
    return (
      "for \(window.count) steps embeddings of different images have had a mean cosine of \(decimals(window.mean(\.similarity), 3)), "
        + "with \(window.latest.prototypesUsed) of \(window.configuration.prototypes.first ?? 0) prototypes in use: the network tells "
        + "no image from another. Are the images themselves different, and not all of one colour?",
      [smallerEpsilon(window.configuration), lowerRate(window.configuration)] + easierViews(window.configuration)
    )
  }

  /// A loss that stays at ln K while the codes are uniform: uniform codes carry no gradient, so such a run does not recover by
  /// itself (reference section 5, no. 1).
  static let uniformCodes = HealthRule(name: "uniform codes", steps: 50, covers: ["few prototypes"]) { window in
    guard window.all({ abs($0.loss - window.lnK) <= 0.002 * window.lnK && $0.codeEntropy >= 0.99 }) else { return nil }
    return (
      "for \(window.count) steps the loss has been ln K = \(decimals(window.lnK, 3)) and the codes uniform (entropy "
        + "\(decimals(window.latest.codeEntropy, 3)) of ln K, score spread \(decimals(window.latest.scoreSpread, 4))); uniform codes "
        + "carry no gradient",
      collapseRemedies(window.configuration)
    )
  }

  /// Balanced codes name many prototypes; one or two of many are not balanced, or all alike.
  static let fewPrototypes = HealthRule(name: "few prototypes", steps: 100) { window in
    let configuration = window.configuration
    let possible = min(configuration.prototypes.first ?? 0, configuration.batch * configuration.assign.count)
    let few = max(1, possible / 20)
    guard possible >= 4, window.all({ $0.prototypesUsed <= few }) else { return nil }
    return (
      "for \(window.count) steps the codes of a batch have named \(window.steps.map(\.prototypesUsed).max() ?? 0) of \(possible) "
        + "prototypes at most",
      collapseRemedies(configuration)
    )
  }

  /// Predictions that are sure and wrong: the loss stays above that of an untrained network, ln K + 1 / (2 D temperature^2)
  /// (reference section 5, fact 10).
  static let highLoss = HealthRule(name: "high loss", steps: 100) { window in
    let configuration = window.configuration
    let untrained = window.lnK + 1 / (2 * Double(configuration.dim) * configuration.temperature * configuration.temperature)
    guard window.all({ $0.loss > 1.05 * untrained }) else { return nil }
    return (
      "for \(window.count) steps the loss has been \(decimals(window.mean(\.loss) / window.lnK, 2)) ln K on average, above that of an "
        + "untrained network (\(decimals(untrained / window.lnK, 2)) ln K)",
      [lowerRate(configuration), Remedy("warmup-epochs", "\(configuration.warmupEpochs + 1)")]
    )
  }
}

// MARK: Remedies

extension HealthRule {
  /// What helps against codes that say nothing, the likeliest first, without what is set already.
  static func collapseRemedies(_ configuration: PretrainConfiguration) -> [Remedy] {
    var remedies = [smallerEpsilon(configuration), lowerRate(configuration)]
    if configuration.freezeSteps == nil {
      remedies.append(Remedy("freeze-epochs", number(configuration.freezeEpochs + 1)))
    }
    if let prototypes = configuration.prototypes.first, prototypes > configuration.batch + configuration.queue {
      remedies.append(Remedy("prototypes", "\(max(2, configuration.batch))", reason: "at most one for each image of the batch"))
    }
    if configuration.queue > 0 {
      remedies.append(Remedy("queue", "0", reason: "or a later start"))
    }
    return remedies + easierViews(configuration)
  }

  static func smallerEpsilon(_ configuration: PretrainConfiguration) -> Remedy {
    switch configuration.epsilon {
    case .fixed: Remedy("epsilon", "relative:0.5")
    case .relative(let value): Remedy("epsilon", "relative:\(value / 2)")
    }
  }

  static func lowerRate(_ configuration: PretrainConfiguration) -> Remedy {
    Remedy("base-lr", number(configuration.baseLR / 3))
  }

  /// Views that share more of the picture.
  static func easierViews(_ configuration: PretrainConfiguration) -> [Remedy] {
    var remedies: [Remedy] = []
    let larger = configuration.crops.map { min($0.maxScale, max($0.minScale, $0.maxScale / 2)) }
    if larger != configuration.crops.map(\.minScale) {
      remedies.append(Remedy("min-scale", larger.map(number).joined(separator: ","), reason: "views that share more"))
    }
    if configuration.jitterStrength > 0.4 { remedies.append(Remedy("jitter-strength", "0.4")) }
    return remedies
  }

  /// As people write it: three digits that count.
  private static func number(_ value: Double) -> String {
    Double(scientific(value)).map { $0 == $0.rounded() && abs($0) < 1e6 ? "\(Int($0))" : "\($0)" } ?? "\(value)"
  }
}
