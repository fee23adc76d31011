import Foundation
import SwAVData
import Yams

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
    case .scalar(let scalar):
      // In YAML a lone ~ is no value, and not the home folder.
      return scalar.style == .plain && ["~", "null"].contains(scalar.string) ? "" : scalar.string
    case .sequence(let sequence):
      let parts = sequence.compactMap { $0.scalar?.string }
      return parts.count == sequence.count ? parts.joined(separator: ",") : nil
    default: return nil
    }
  }
}

extension PretrainSettings {
  /// Whether a word is one number, or several with commas between them.
  package static func isListOfNumbers(_ word: String) -> Bool {
    let values: [Double]? = Setting.split(word)
    return values != nil
  }

  /// What a run was made with, as its folder says. nil where there is no run.
  public static func ofRun(at path: String) throws(PretrainingError) -> PretrainSettings? {
    let file = RunFolder(path: path).configuration
    return fileExists(file) ? try PretrainSettings(contentsOf: file) : nil
  }
}

/// A path that begins with `~` or `~NAME`, with the home folder in its place, as a shell does it. `./~` is a file of that name.
package func expandingHome(_ path: String) -> String {
  guard path.hasPrefix("~") else { return path }
  if path == "~" || path.hasPrefix("~/"), let home = ProcessInfo.processInfo.environment["HOME"], home.hasPrefix("/") {
    return home + path.dropFirst()
  }
  return (path as NSString).expandingTildeInPath
}

extension PretrainConfiguration {
  /// What is given of how images are read and of the time there is, over the defaults. It is needed before the images are opened and
  /// the rest is planned: weights of sources decide how many images an epoch has.
  public static func neededForImages(in given: PretrainSettings) throws(PretrainingError) -> PretrainConfiguration {
    var configuration = PretrainConfiguration()
    try given.apply(
      to: &configuration,
      only: ["source-weights", "threads", "workers", "read-timeout", "background", "max-pixels", "budget"])
    return configuration
  }

  /// Name and value of every setting that is set, in the order of the table.
  public var named: [(name: String, value: String)] {
    Setting.configurationSettings.compactMap { setting in setting.show(self).map { (setting.name, $0) } }
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
