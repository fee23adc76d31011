/// Watches for collapse: a loss that stays at ln K while the codes are uniform. Uniform codes carry no gradient, so such a
/// run does not recover by itself (reference section 5, no. 1).
public struct CollapseMonitor: Sendable, Equatable {
  /// Steps in a row before the warning.
  public var patience: Int
  /// The loss counts as ln K within this part of it.
  public var lossBand: Double
  /// The code entropy counts as uniform from here on, in units of ln K.
  public var uniformEntropy: Double
  private var suspicious = 0
  private var hasWarned = false

  public init(patience: Int = 50, lossBand: Double = 0.002, uniformEntropy: Double = 0.99) {
    (self.patience, self.lossBand, self.uniformEntropy) = (patience, lossBand, uniformEntropy)
  }

  /// Takes a step's figures; gives the warning once, when it is due.
  public mutating func observe(
    loss: Double, lnK: Double, codeEntropy: Double, scoreSpread: Double, configuration: PretrainConfiguration
  ) -> String? {
    let isSuspicious = abs(loss - lnK) <= lossBand * lnK && codeEntropy >= uniformEntropy
    suspicious = isSuspicious ? suspicious + 1 : 0
    guard suspicious >= patience, !hasWarned else { return nil }
    hasWarned = true
    let remedies = CollapseMonitor.remedies(for: configuration)
    let numbered = remedies.enumerated().map { "(\($0 + 1)) \($1)" }.joined(separator: " ")
    return """
      collapse: for \(patience) steps the loss has been ln K = \(decimals(lnK, 3)) and the codes uniform (entropy \
      \(decimals(codeEntropy, 3)) of ln K, score spread \(decimals(scoreSpread, 4))); uniform codes carry no gradient. \
      Try, in this order: \(numbered)
      """
  }

  /// What helps, the likeliest first, without what is set already.
  static func remedies(for configuration: PretrainConfiguration) -> [String] {
    var remedies: [String] = []
    switch configuration.epsilon {
    case .fixed: remedies.append("--epsilon relative:0.5")
    case .relative(let value): remedies.append("--epsilon relative:\(value / 2)")
    }
    let lower = configuration.baseLR / 3
    remedies.append("--base-lr \(lower < 0.01 ? "\(Float(lower))" : decimals(lower, 3))")
    if configuration.freezeSteps == nil { remedies.append("--freeze-epochs \(configuration.freezeEpochs + 1)") }
    if let prototypes = configuration.prototypes.first, prototypes > configuration.batch + configuration.queue {
      remedies.append("--prototypes \(max(2, configuration.batch)), at most one for each image of the batch")
    }
    if configuration.queue > 0 { remedies.append("--queue 0, or a later --queue-start-epoch") }
    remedies.append("easier crops: a larger --min-scale for the small ones, --jitter-strength 0.4")
    return remedies
  }
}
