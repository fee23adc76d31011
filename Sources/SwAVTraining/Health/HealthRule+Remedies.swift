import SwAVEngine

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
  static func number(_ value: Double) -> String {
    Double(scientific(value)).map { $0 == $0.rounded() && abs($0) < 1e6 ? "\(Int($0))" : "\($0)" } ?? "\(value)"
  }
}
