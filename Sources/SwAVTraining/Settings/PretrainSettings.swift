import SwAVData
import Yams

/// Values that somebody gave, as text, with where they came from. Later ones beat earlier ones of the same name.
public struct PretrainSettings: Sendable, Equatable {
  struct Value: Sendable, Equatable {
    var text: String
    /// The flag, or the file and the key.
    var origin: String
  }

  /// By the name of the setting.
  private(set) var values: [String: Value] = [:]

  public init() {}

  /// Takes one value. `name` may be written with hyphens or underscores, or as the published program spells it.
  public mutating func set(_ name: String, to text: String, origin: String? = nil) throws(PretrainingError) {
    guard let known = PretrainSettings.canonical(name) else {
      throw .unknownSetting(origin: origin ?? name, nearest: PretrainSettings.nearest(to: name))
    }
    values[known] = Value(text: text, origin: origin ?? known)
  }

  /// Takes over all values of `other`, which win.
  public mutating func merge(_ other: PretrainSettings) {
    values.merge(other.values) { _, new in new }
  }

  public func isGiven(_ name: String) -> Bool { values[name] != nil }

  /// What was given for a setting, as text; nil where nothing was.
  public func text(of name: String) -> String? { values[name]?.text }

  /// Reads the settings that are named, or all, into a configuration.
  func apply(to configuration: inout PretrainConfiguration, only names: Set<String>? = nil) throws(PretrainingError) {
    for setting in Setting.all where names?.contains(setting.name) ?? true {
      guard let value = values[setting.name] else { continue }
      guard setting.read(&configuration, value.text) else {
        throw .setting(origin: value.origin, value: value.text, allowed: "\(setting.allowed) is needed")
      }
    }
  }
}

extension PretrainSettings {
  /// Settings that are not part of the configuration, but may be in a file as well: where unset values come from, where
  /// the run goes, what it is measured on, whether it may go on.
  static let others = ["recipe", "output", "val", "resume"]
  /// The published program gives counts and sizes of the crops as two lists.
  static let cropLists = ["nmb-crops", "size-crops"]

  private static let index: [String: String] = {
    var index: [String: String] = [:]
    for setting in Setting.all {
      for spelling in [setting.name] + setting.aliases { index[hyphenated(spelling)] = setting.name }
    }
    for name in others + cropLists { index[name] = name }
    return index
  }()

  static func canonical(_ name: String) -> String? { index[hyphenated(name)] }

  private static func hyphenated(_ name: String) -> String { String(name.map { $0 == "_" ? "-" : $0 }) }

  /// The name that differs in the fewest letters, if that is few.
  static func nearest(to name: String) -> String? {
    let wanted = hyphenated(name)
    let ranked = index.map { (distance: editDistance(Array($0.key), Array(wanted)), name: $0.value) }
    guard let best = ranked.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) else { return nil }
    return best.distance <= max(2, wanted.count / 3) ? best.name : nil
  }

  /// Levenshtein's: insertions, deletions and replacements that turn one into the other.
  static func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let replaced = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, min(row[j], row[j + 1]) + 1)
      }
    }
    return row[b.count]
  }
}

extension PretrainSettings {
  /// Reads a YAML file: one mapping of names to values or lists of values.
  public init(contentsOf path: String) throws(PretrainingError) {
    let bytes: [UInt8]
    do {
      bytes = try readFile(path)
    } catch {
      throw .data(error)
    }
    try self.init(yaml: String(decoding: bytes, as: UTF8.self), path: path)
  }

  init(yaml: String, path: String) throws(PretrainingError) {
    self.init()
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml)
    } catch {
      let reason = "\(error)".split(separator: "\n").map { $0.trimmingWhitespace }.joined(separator: " ")
      throw .settingsFile(path: path, reason: "not readable as YAML: \(reason)")
    }
    guard let node else { return }
    guard case .mapping(let mapping) = node else {
      throw .settingsFile(path: path, reason: "'name: value' lines are needed")
    }
    for (key, value) in mapping {
      let name = key.string ?? ""
      guard let text = PretrainSettings.text(of: value) else {
        throw .settingsFile(path: path, reason: "'\(name)' is neither a value nor a list of values")
      }
      try set(name, to: text, origin: "\(path): \(name)")
    }
  }

  private static func text(of node: Node) -> String? {
    switch node {
    case .scalar(let scalar): return scalar.string
    case .sequence(let sequence):
      let parts = sequence.compactMap { $0.scalar?.string }
      return parts.count == sequence.count ? parts.joined(separator: ",") : nil
    default: return nil
    }
  }
}

extension PretrainConfiguration {
  /// The weights among given settings; none where none are given. They are needed before the rest: they decide how many
  /// images an epoch has.
  public static func sourceWeights(in given: PretrainSettings) throws(PretrainingError) -> [Double] {
    var configuration = PretrainConfiguration()
    try given.apply(to: &configuration, only: ["source-weights"])
    return configuration.sourceWeights
  }

  /// Name and value of every setting that is set, in the order of the table.
  public var named: [(name: String, value: String)] {
    Setting.all.compactMap { setting in setting.show(self).map { (setting.name, $0) } }
  }

  /// The configuration as a YAML file that ``PretrainSettings/init(contentsOf:)`` reads.
  public var yaml: String {
    let pairs = named.map { (Node($0.name), Node($0.value)) }
    // Serializing a mapping of plain scalars cannot fail; the fallback says the same without quoting.
    return (try? Yams.serialize(node: .mapping(.init(pairs)))) ?? named.map { "\($0.name): \($0.value)\n" }.joined()
  }
}

extension Substring {
  fileprivate var trimmingWhitespace: Substring {
    let start = drop { $0.isWhitespace }
    return start.lastIndex { !$0.isWhitespace }.map { start[...$0] } ?? start
  }
}
