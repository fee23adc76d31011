import SwAVAugmentation

/// The numbers that a setting allows.
public struct Bounds: Sendable, Equatable, CustomStringConvertible {
  public var low: Double
  /// Whether `low` itself is allowed.
  public var includesLow: Bool
  public var high: Double
  public var includesHigh: Bool

  init(_ range: ClosedRange<Double>) { self.init(low: range.lowerBound, high: range.upperBound) }

  init(low: Double, includesLow: Bool = true, high: Double = .infinity, includesHigh: Bool = true) {
    (self.low, self.includesLow, self.high, self.includesHigh) = (low, includesLow, high, includesHigh)
  }

  static func from(_ low: Double) -> Bounds { Bounds(low: low) }
  static func above(_ low: Double) -> Bounds { Bounds(low: low, includesLow: false) }
  func to(_ high: Double) -> Bounds { Bounds(low: low, includesLow: includesLow, high: high) }
  func below(_ high: Double) -> Bounds { Bounds(low: low, includesLow: includesLow, high: high, includesHigh: false) }

  public func contains(_ value: Double) -> Bool {
    value.isFinite && (includesLow ? value >= low : value > low) && (includesHigh ? value <= high : value < high)
  }

  /// "from 0 to below 1", "above 0".
  public var description: String {
    let (from, to) = (short(low), high.isFinite ? short(high) : "")
    if to.isEmpty { return includesLow ? "from \(from) on" : "above \(from)" }
    if includesLow { return "from \(from) to \(includesHigh ? "" : "below ")\(to)" }
    return "above \(from) and \(includesHigh ? "at most" : "below") \(to)"
  }

  private func short(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
}

/// Kinds of settings: how their text is read, and what is allowed.
extension Setting {
  typealias Path<V> = WritableKeyPath<PretrainConfiguration, V> & Sendable

  static func integer(_ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>) -> Setting {
    Setting(
      name, allowed: whole(range), show: { "\($0[keyPath: path])" },
      read: { configuration, text in
        guard let value = Int(text), range.contains(value) else { return false }
        configuration[keyPath: path] = value
        return true
      })
  }

  static func toggle(_ name: String, _ path: Path<Bool>) -> Setting {
    Setting(
      name, allowed: "on or off", show: { $0[keyPath: path] ? "on" : "off" },
      read: { configuration, text in
        guard text == "on" || text == "off" else { return false }
        configuration[keyPath: path] = text == "on"
        return true
      })
  }

  /// "1 to 8".
  static func few(_ range: ClosedRange<Int>) -> String { "\(range.lowerBound) to \(range.upperBound)" }

  private static func whole(_ range: ClosedRange<Int>) -> String {
    range.upperBound == .max
      ? "a whole number from \(range.lowerBound) on" : "a whole number from \(range.lowerBound) to \(range.upperBound)"
  }

  static func number(_ name: String, _ path: Path<Double>, _ bounds: Bounds, _ noun: String = "a number") -> Setting {
    Setting(
      name, allowed: "\(noun) \(bounds)", show: { "\($0[keyPath: path])" },
      read: { configuration, text in
        guard let value = Double(text), bounds.contains(value) else { return false }
        configuration[keyPath: path] = value
        return true
      })
  }

  static func probability(_ name: String, _ path: Path<Double>) -> Setting {
    number(name, path, .from(0).to(1), "a probability").with { $0.valueName = "p" }
  }

  static func choice<V: RawRepresentable & CaseIterable & Sendable>(_ name: String, _ path: Path<V>) -> Setting
  where V.RawValue == String {
    let names = V.allCases.map(\.rawValue).joined(separator: ", ")
    return Setting(
      name, allowed: "one of \(names)", show: { $0[keyPath: path].rawValue },
      read: { configuration, text in
        guard let value = V(rawValue: text) else { return false }
        configuration[keyPath: path] = value
        return true
      }
    ).with { $0.valueName = "name" }
  }

  static func list<V: LosslessStringConvertible & Sendable>(
    _ name: String, _ path: Path<[V]>, _ allowed: String, where isAllowed: @escaping @Sendable ([V]) -> Bool
  ) -> Setting {
    Setting(
      name, allowed: allowed,
      show: { $0[keyPath: path].isEmpty ? nil : $0[keyPath: path].map(\.description).joined(separator: ",") },
      read: { configuration, text in
        guard let values: [V] = split(text), isAllowed(values) else { return false }
        configuration[keyPath: path] = values
        return true
      }
    ).with { $0.isList = true }
  }

  /// Area fractions of the groups of crops, one end of them.
  static func scale(_ name: String, _ path: WritableKeyPath<CropGroup, Double> & Sendable) -> Setting {
    let bounds = Bounds.above(0).to(1)
    return Setting(
      name, allowed: "one number \(bounds) for each group of crops",
      show: { $0.crops.map { "\($0[keyPath: path])" }.joined(separator: ",") },
      read: { configuration, text in
        guard let values: [Double] = split(text), values.count == configuration.crops.count,
          values.allSatisfy(bounds.contains)
        else { return false }
        for (index, value) in values.enumerated() { configuration.crops[index][keyPath: path] = value }
        return true
      }
    ).with { ($0.isList, $0.valueName) = (true, "share") }
  }

  /// A value that is text and not part of the configuration.
  static func text(_ name: String, _ valueName: String, allowed: String) -> Setting {
    Setting(name, allowed: allowed, show: { _ in nil }, read: { _, text in !text.isEmpty }).with {
      ($0.scope, $0.valueName) = (.command, valueName)
    }
  }

  /// A copy with changes.
  func with(_ change: (inout Setting) -> Void) -> Setting {
    var copy = self
    change(&copy)
    return copy
  }

  /// What a person reads.
  func says(_ help: String, value: String? = nil) -> Setting {
    with { ($0.help, $0.valueName) = (help, value ?? valueName) }
  }

  /// The spelling of the published program.
  func published(_ spelling: String, note: String? = nil) -> Setting {
    with {
      $0.spellings.append(spelling)
      $0.publishedNote = note
    }
  }

  func mistaken(for names: String...) -> Setting { with { $0.mistaken = names } }
  func common() -> Setting { with { $0.isCommon = true } }
  func ownDefault() -> Setting { with { $0.hasOwnDefault = true } }

  /// Values separated by commas or spaces.
  static func split<V: LosslessStringConvertible>(_ text: String) -> [V]? {
    let parts = text.split { $0 == "," || $0 == " " }
    let values = parts.compactMap { V(String($0)) }
    return values.isEmpty || values.count != parts.count ? nil : values
  }
}

extension [Setting] {
  func about(_ section: Setting.Section, scope: Setting.Scope = .training) -> [Setting] {
    map { setting in
      setting.with {
        $0.section = section
        if $0.scope == .training { $0.scope = scope }
      }
    }
  }
}
