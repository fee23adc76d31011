import Foundation
import SwAVData
import SwAVEngine
public import SwAVModel

/// A file of weights that a new run begins with, before any of it is loaded. It decides what the network is; the images and their
/// crops are the run's own.
///
/// `resume` goes on with a run: the same settings and images, from its last step. This begins a run of its own with what another one,
/// or somebody else, has learned.
public struct InitialWeights: Sendable {
  /// A file, or the folder of a run.
  public let path: String
  public let configuration: NetworkConfiguration
  public let report: LoadReport
  private let input: Input?

  /// What files of this package say of the images that they learned from.
  private struct Input: Decodable {
    var mean: [Double]
    var std: [Double]
  }

  private struct Description: Decodable { var input: Input }

  /// Recognises the file that settings name as init-from; nil where they name none. Throws where it is no file of weights.
  public init?(in given: PretrainSettings) throws {
    guard let path = given.text(of: "init-from") else { return nil }
    let found: Found
    do {
      found = try InitialWeights.look(try WeightsFile(at: path).path, LoadOptions(prefix: given.text(of: "init-prefix")))
    } catch let error as EngineError where error.code == .argument {
      throw PretrainingError.setting(
        origin: given.origin(of: "init-from"), value: path, allowed: "\(error.message) (init-prefix)")
    }
    (self.path, configuration, report, input) = (path, found.configuration, found.report, found.input)
  }

  private struct Found {
    var configuration: NetworkConfiguration
    var report: LoadReport
    var input: Input?
  }

  private static func look(_ path: String, _ options: LoadOptions) throws -> Found {
    let file = try TensorFile(path)
    let input = file.metadata["swav"].flatMap { try? JSONDecoder().decode(Description.self, from: Data($0.utf8)).input }
    let (configuration, report) = try file.recognized(options)
    return Found(configuration: configuration, report: report, input: input)
  }

  /// Settings that the file decides, unless they are given.
  private static let decided: Set<String> = [
    "arch", "stem", "base-width", "channels", "mean", "std", "hidden", "dim", "plain-head", "prototypes", "init-head",
    "init-prototypes",
  ]

  /// Given settings with what the file says that they begin with; unchanged where there is none. A run that goes on, whose settings
  /// `run` are, knows what the file said: it needs it no more.
  public static func complete(
    _ given: PretrainSettings, goingOnWith run: PretrainSettings?
  ) throws -> PretrainSettings {
    guard let file = given.text(of: "init-from") else {
      for name in ["init-prefix", "init-head", "init-prototypes"] {
        guard let value = given.text(of: name) else { continue }
        throw PretrainingError.setting(
          origin: given.origin(of: name), value: value, allowed: "it is about the weights of init-from, and none is given")
      }
      return given
    }
    if var known = run, known.text(of: "init-from") == file {
      known.keep { decided.contains($0.name) }
      known.merge(given)
      return known
    }
    return try InitialWeights(in: given)?.completing(given) ?? given
  }

  var hasHead: Bool { configuration.dim > 0 }
  var hasPrototypes: Bool { !configuration.prototypes.isEmpty }

  /// The settings with what the file decides below them: its network, and the mean and deviation of the samples that it knows. What
  /// is given wins, and has to fit the backbone.
  public func completing(_ given: PretrainSettings) throws(PretrainingError) -> PretrainSettings {
    var settings = PretrainSettings()
    let origin = "init-from \(path)"
    func set(_ name: String, _ value: String) throws(PretrainingError) {
      try settings.set(name, to: value, origin: "\(origin): \(name)")
    }
    let network = configuration
    try set("arch", network.architecture.rawValue)
    try set("stem", network.stem.rawValue)
    try set("base-width", "\(network.baseWidth)")
    try set("channels", "\(network.channels)")
    if let input, input.mean.count == network.channels, input.std.count == network.channels {
      try set("mean", input.mean.map { "\($0)" }.joined(separator: ","))
      try set("std", input.std.map { "\($0)" }.joined(separator: ","))
    }
    let headObstacle = hasHead ? headFits(given) ? nil : "its projection head is of another size" : "it has no projection head"
    let keepsHead = try keeps("init-head", given, headObstacle)
    if hasHead {
      try set("hidden", "\(network.hidden)")
      try set("dim", "\(network.dim)")
      if network.plainHead { try set("plain-head", "on") }
    }
    if hasPrototypes { try set("prototypes", network.prototypes.map(String.init).joined(separator: ",")) }
    try set("init-head", (keepsHead ? InitialHead.keep : .random).rawValue)
    let obstacle =
      !hasPrototypes
      ? "it has no prototypes"
      : !keepsHead
        ? "its prototypes belong to a projection head that is not kept"
        : prototypesFit(given) ? nil : "it has \(configuration.prototypes.map(String.init).joined(separator: ",")) of them"
    let keepsPrototypes = try keeps("init-prototypes", given, obstacle)
    try set("init-prototypes", (keepsPrototypes ? InitialPrototypes.keep : .random).rawValue)
    try requireBackbone(given)
    settings.merge(given)
    return settings
  }

  /// Whether a part is kept: where nothing is given, if nothing is in the way.
  private func keeps(_ name: String, _ given: PretrainSettings, _ obstacle: String?) throws(PretrainingError) -> Bool {
    guard given.text(of: name) == "keep" else { return !given.isGiven(name) && obstacle == nil }
    if let obstacle {
      throw .setting(
        origin: given.origin(of: name), value: "keep", allowed: "another value is needed for \(path): \(obstacle)")
    }
    return true
  }

  private func headFits(_ given: PretrainSettings) -> Bool {
    func fits(_ name: String, _ value: String) -> Bool { given.text(of: name).map { $0 == value } ?? true }
    return fits("hidden", "\(configuration.hidden)") && fits("dim", "\(configuration.dim)")
  }

  private func prototypesFit(_ given: PretrainSettings) -> Bool {
    guard let text = given.text(of: "prototypes") else { return true }
    let counts: [Int]? = Setting.split(text)
    return counts == configuration.prototypes
  }

  private func requireBackbone(_ given: PretrainSettings) throws(PretrainingError) {
    let own = [
      ("arch", configuration.architecture.rawValue), ("stem", configuration.stem.rawValue),
      ("base-width", "\(configuration.baseWidth)"), ("channels", "\(configuration.channels)"),
    ]
    for (name, value) in own {
      guard let text = given.text(of: name), text != value else { continue }
      throw .setting(origin: given.origin(of: name), value: text, allowed: "the weights of \(path) are of \(name) \(value)")
    }
  }
}
