/// Why a setting has the value that it has.
public struct Decision: Codable, Sendable, Equatable {
  /// Who decided.
  public enum Source: String, Codable, Sendable {
    /// A flag or a file.
    case given
    case preset
    /// It follows from the images, the machine, the time, and from other values.
    case planned
    /// Left as it is: the published value, or the default of this program.
    case kept
  }

  /// Of the setting.
  public var name: String
  /// As text; empty where none is set.
  public var value: String
  public var source: Source
  public var reason: String
  /// The figures that the reason rests on; empty where there are none.
  public var evidence: String

  public init(_ name: String, value: String, source: Source, reason: String, evidence: String = "") {
    (self.name, self.value, self.source, self.reason, self.evidence) = (name, value, source, reason, evidence)
  }
}

/// A configuration, and why its values are what they are.
public struct PretrainPlan: Sendable, Equatable {
  public var configuration: PretrainConfiguration
  /// One for each setting of the configuration, in their order.
  public var decisions: [Decision] = []
  /// What the person who gave the values should know: what has no effect, what a spelling means here.
  public var notes: [String] = []
  /// How fast it is expected to go, and by what that is known.
  public var speed: PlannedSpeed

  /// What was planned, as lines: "batch 64: at least 8 steps an epoch (9469 images)". Decisions of one reason share a line.
  public var reasons: [String] { lines { $0 == .planned } }

  /// The same for what a preset says and for what was left as it is. What was given needs no reason.
  public var kept: [String] { lines { $0 == .preset || $0 == .kept } }

  private func lines(of isShown: (Decision.Source) -> Bool) -> [String] {
    var grouped: [(reason: String, values: [String])] = []
    for decision in decisions where isShown(decision.source) {
      let text = "\(decision.name) \(decision.value)"
      let reason = decision.reason + (decision.evidence.isEmpty ? "" : " (\(decision.evidence))")
      if let at = grouped.firstIndex(where: { $0.reason == reason }) {
        grouped[at].values.append(text)
      } else {
        grouped.append((reason, [text]))
      }
    }
    return grouped.map { $0.values.joined(separator: ", ") + ": " + $0.reason }
  }
}

/// Images a second of a plan.
public struct PlannedSpeed: Codable, Sendable, Equatable {
  public var imagesPerSecond: Double
  /// What was measured here; nil: the rate is an expectation from the operations and the machine.
  public var measured: SpeedEstimate?
  /// Measured over expected, of the candidate measured last; 1 where nothing was measured.
  public var ratio = 1.0

  /// "measured 512 images/s: loading alone 1900, steps alone 700".
  public var text: String {
    guard let measured else { return "about \(Int(imagesPerSecond)) images/s expected" }
    return "measured \(Int(imagesPerSecond)) images/s: loading alone \(Int(measured.loadingImagesPerSecond)), steps alone "
      + "\(Int(measured.trainingImagesPerSecond))"
  }
}
