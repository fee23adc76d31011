/// Why a setting has the value that it has.
public struct Decision: Codable, Sendable, Equatable {
  /// Who decided.
  public enum Source: String, Codable, Sendable {
    /// A flag or a file.
    case given
    case preset
    /// It follows from the images and from other values.
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

  public init(_ name: String, value: String, source: Source, reason: String) {
    (self.name, self.value, self.source, self.reason) = (name, value, source, reason)
  }
}

/// A configuration, and why its values are what they are.
public struct PretrainPlan: Sendable, Equatable {
  public var configuration: PretrainConfiguration
  /// One for each setting of the configuration, in their order.
  public var decisions: [Decision] = []
  /// What the person who gave the values should know: what has no effect, what a spelling means here.
  public var notes: [String] = []

  /// What was planned, as lines: "batch 64: at least 8 steps an epoch". Decisions of one reason share a line.
  public var reasons: [String] { lines { $0 == .planned } }

  /// The same for what a preset says and for what was left as it is. What was given needs no reason.
  public var kept: [String] { lines { $0 == .preset || $0 == .kept } }

  private func lines(of isShown: (Decision.Source) -> Bool) -> [String] {
    var grouped: [(reason: String, values: [String])] = []
    for decision in decisions where isShown(decision.source) {
      let text = "\(decision.name) \(decision.value)"
      if let at = grouped.firstIndex(where: { $0.reason == decision.reason }) {
        grouped[at].values.append(text)
      } else {
        grouped.append((decision.reason, [text]))
      }
    }
    return grouped.map { $0.values.joined(separator: ", ") + ": " + $0.reason }
  }
}
