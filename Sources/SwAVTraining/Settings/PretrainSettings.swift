/// Values that somebody gave, as text, with where they came from.
///
/// Layers are merged, the lowest first: a preset, a file, flags. A value of a higher layer beats what the lower ones say about the
/// same thing, however it is spelled.
public struct PretrainSettings: Sendable, Equatable {
  struct Value: Sendable, Equatable {
    var text: String
    /// The flag, or the file and the key.
    var origin: String
    var isPreset = false
  }

  /// By the name of the setting.
  private(set) var values: [String: Value] = [:]
  private var remarks: [String] = []
  /// Flags of the published program that have no meaning here.
  private var ignored: [PublishedProgram.Given] = []

  public init() {}

  /// Takes one value. `name` may be written with hyphens or underscores, or as the published program spells it.
  public mutating func set(_ name: String, to text: String, origin: String? = nil) throws(PretrainingError) {
    let origin = origin ?? name
    guard let setting = Setting.named(name) else {
      if let flag = PublishedProgram.pretraining.first(where: { $0.name == name }) {
        return ignored.append(PublishedProgram.Given(origin: origin, value: text, reason: flag.reason))
      }
      throw .unknownSetting(origin: origin, nearest: Setting.nearest(to: name, among: Setting.spellings()))
    }
    guard !text.allSatisfy(\.isWhitespace) else {
      throw .setting(origin: origin, value: text, allowed: "\(setting.allowed) is needed")
    }
    values[setting.name] = Value(text: setting.isPath ? expandingHome(text) : text, origin: origin)
    if let note = setting.publishedNote, setting.spellings.contains(name) { remarks.append("\(origin) \(text) \(note)") }
  }

  public func isGiven(_ name: String) -> Bool { values[name] != nil }

  /// What was given for a setting, as text; nil where nothing was.
  public func text(of name: String) -> String? { values[name]?.text }

  /// The values of a preset, as a layer below all others.
  init(preset: Preset) throws(PretrainingError) {
    for (name, text) in preset.values {
      try set(name, to: text, origin: "preset \(preset.name): \(name)")
      values[name]?.isPreset = true
    }
  }

  func isFromPreset(_ name: String) -> Bool { values[name]?.isPreset ?? false }

  /// The flag, or the file and the key; the name itself where nothing was given.
  public func origin(of name: String) -> String { values[name]?.origin ?? name }

  /// Lines for the person who gave them: what a published spelling means here, what has no effect.
  public var notes: [String] { remarks + [PublishedProgram.remark(on: ignored)].compactMap { $0 } }

  /// Another text, from where the first one came.
  mutating func replace(_ name: String, by text: String) { values[name]?.text = text }

  package mutating func keep(where isKept: (Setting) -> Bool) {
    values = values.filter { name, _ in Setting.named(name).map(isKept) ?? false }
  }

  /// Reads the settings that are named, or all, into a configuration.
  func apply(to configuration: inout PretrainConfiguration, only names: Set<String>? = nil) throws(PretrainingError) {
    for setting in Setting.configurationSettings where names?.contains(setting.name) ?? true {
      guard let value = values[setting.name] else { continue }
      guard setting.read(&configuration, value.text) else {
        throw .setting(origin: value.origin, value: value.text, allowed: "\(setting.allowed) is needed")
      }
    }
  }
}

extension PretrainSettings {
  /// Takes over all values of `other`, which win over what says the same here.
  public mutating func merge(_ other: PretrainSettings) {
    splitCrops(for: other)
    for name in other.values.keys {
      for displaced in Setting.named(name)?.displaces ?? [] { values[displaced] = nil }
    }
    dropLists(that: ["min-scale", "max-scale"], doNotFit: other.groupCount, of: "groups of crops", in: other)
    dropLists(that: ["mean", "std"], doNotFit: other.values["channels"].flatMap { Int($0.text) }, of: "channels", in: other)
    values.merge(other.values) { _, new in new }
    remarks += other.remarks
    ignored += other.ignored
  }

  /// Only sizes, or only counts, over crops here: the other half of these stays.
  private mutating func splitCrops(for other: PretrainSettings) {
    guard other.isGiven("nmb-crops") != other.isGiven("size-crops"), !other.isGiven("crops"), let crops = values["crops"] else {
      return
    }
    let groups = crops.text.split(separator: "+").map { $0.split(separator: "x") }
    guard groups.allSatisfy({ $0.count == 2 }) else { return }
    for (place, name) in ["nmb-crops", "size-crops"].enumerated() {
      values[name] = Value(text: groups.map { String($0[place]) }.joined(separator: ","), origin: crops.origin)
    }
  }

  /// A list that has a number for each group or channel says nothing once there are more or fewer of those.
  private mutating func dropLists(that names: [String], doNotFit count: Int?, of what: String, in other: PretrainSettings) {
    guard let count else { return }
    for name in names {
      guard let value = values[name], !other.isGiven(name) else { continue }
      let length = value.text.split { ", ".contains($0) }.count
      guard length != count else { continue }
      values[name] = nil
      guard !value.isPreset else { continue }
      remarks.append("\(value.origin) is not used: it is for \(length) \(what), and there are \(count) now")
    }
  }

  private var groupCount: Int? {
    if let crops = values["crops"] { return crops.text.split(separator: "+", omittingEmptySubsequences: false).count }
    return (values["nmb-crops"] ?? values["size-crops"])?.text.split { ", ".contains($0) }.count
  }

  /// `nmb_crops 2,6` and `size_crops 224,96` become crops 2x224+6x96.
  func joiningCropLists() throws(PretrainingError) -> PretrainSettings {
    guard let either = values["nmb-crops"] ?? values["size-crops"] else { return self }
    var joined = self
    joined.values["nmb-crops"] = nil
    joined.values["size-crops"] = nil
    // Both spellings in one file: the list of groups is the one that a person reads.
    guard !isGiven("crops") else { return joined }
    guard let counts = values["nmb-crops"], let sizes = values["size-crops"] else {
      throw .setting(origin: either.origin, value: either.text, allowed: "nmb_crops and size_crops belong together; give both")
    }
    let (a, b) = (counts.text.split { ", ".contains($0) }, sizes.text.split { ", ".contains($0) })
    guard a.count == b.count else {
      throw .setting(origin: sizes.origin, value: sizes.text, allowed: "\(a.count) sizes are needed, one for each of nmb_crops")
    }
    joined.values["crops"] = Value(
      text: zip(a, b).map { "\($0)x\($1)" }.joined(separator: "+"), origin: counts.origin)
    return joined
  }
}
