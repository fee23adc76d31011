/// A setting to change, and to what.
public struct Remedy: Codable, Sendable, Equatable {
  /// Of the table of settings.
  public var setting: String
  /// As text.
  public var value: String
  /// Why it may help; a few words, or empty.
  public var reason: String

  public init(_ setting: String, _ value: String, reason: String = "") {
    (self.setting, self.value, self.reason) = (setting, value, reason)
  }

  /// "epsilon relative:0.5".
  public var text: String { "\(setting) \(value)" }
}

extension [Remedy] {
  /// "(1) epsilon relative:0.5 (2) base-lr 0.0003, smaller steps". `word` says how a setting and its value are written, as a
  /// command would have it a flag.
  func numbered(_ word: (Remedy) -> String) -> String {
    enumerated().map { number, remedy in
      "(\(number + 1)) \(word(remedy))" + (remedy.reason.isEmpty ? "" : ", \(remedy.reason)")
    }.joined(separator: " ")
  }
}

/// What a diagnosis leads to.
public enum OnCollapse: String, Sendable, CaseIterable {
  /// It is told, and the run goes on.
  case warn
  /// The run ends, with its last step as checkpoint and weights.
  case stop
  /// The run goes back to its last checkpoint from before the figures that show it, or to its beginning, and on with a third of the
  /// rate.
  case rollback
  /// The run goes on where it is with a third of the rate, which is what can be changed on the way.
  case remedy
}

/// What a step leads to in which a value is not finite. Its file is written in any case.
public enum OnNotFinite: String, Sendable, CaseIterable {
  /// The run ends, with its last good checkpoint.
  case stop
  /// The run goes back to that, or to its beginning, and on with a third of the rate.
  case rollback
}

/// Something that is wrong with a run: its name, the figures that show it, and what helps.
public struct Diagnosis: Codable, Sendable, Equatable {
  /// One or two words: "uniform codes". The same disease always has the same name.
  public var name: String
  /// The figures that show it, as a sentence.
  public var evidence: String
  /// The likeliest first.
  public var remedies: [Remedy]
  /// Steps, up to the present one, that show it.
  public var steps: Int

  public init(_ name: String, evidence: String, remedies: [Remedy], steps: Int = 1) {
    (self.name, self.evidence, self.remedies, self.steps) = (name, evidence, remedies, steps)
  }

  /// All in one line; `word` says how a remedy is written.
  public func text(_ word: (Remedy) -> String = \.text) -> String {
    "\(name): \(evidence)" + (remedies.isEmpty ? "" : ". Try, in this order: \(remedies.numbered(word))")
  }
}

/// Which of the two limits, the step or loading, and what helps.
public struct Advice: Codable, Sendable, Equatable {
  /// One line.
  public var finding: String
  public var remedies: [Remedy]

  public func text(_ word: (Remedy) -> String = \.text) -> String {
    finding + (remedies.isEmpty ? "" : "; try \(remedies.map(word).joined(separator: " or "))")
  }
}

/// A value that cannot take effect in the run that it was given for.
public struct SettingWithoutEffect: Codable, Sendable, Equatable {
  /// Of the setting.
  public var name: String
  /// As text.
  public var value: String
  public var reason: String

  public init(_ name: String, value: String, reason: String) { (self.name, self.value, self.reason) = (name, value, reason) }

  /// "freeze-steps 5005: the run has 8 steps, so the prototypes never learn".
  public var line: String { "\(name) \(value): \(reason)" }
}
