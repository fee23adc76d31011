import SwAVData
import SwAVEngine
import SwAVEvaluation
package import SwAVModel

/// What a new run kept of other weights, and what it begins anew.
public struct InitialReport: Codable, Sendable, Equatable {
  /// The file.
  public var path: String
  /// What loading found, in one line.
  public var loaded: String
  /// Parts of the network that are as in the file, and those that are not, with how they were made.
  public var kept: [String]
  public var reset: [String]

  /// One line for people.
  public var text: String {
    "begins with \(path): \(loaded); kept: \(kept.joined(separator: ", ")); "
      + "begun anew: \((reset + ["optimiser, queue and schedule"]).joined(separator: ", "))"
  }
}

extension PretrainConfiguration {
  /// What a run wants otherwise that begins with learned weights: a rate that does not undo them, and prototypes that may learn at
  /// once where they fit the weights.
  mutating func planContinuation(_ given: PretrainSettings) -> [String: Planner.Reason] {
    guard given.isGiven("init-from") else { return [:] }
    var reasons: [String: Planner.Reason] = [:]
    if !given.isGiven("base-lr") {
      baseLR /= 2
      reasons["base-lr"] = Planner.Reason(
        text: "half of what random weights would get: the weights have learned already")
      if !given.isGiven("final-lr") {
        finalLR /= 2
        reasons["final-lr"] = Planner.Reason(text: "in proportion to base-lr")
      }
    }
    let fitting: String? =
      switch given.text(of: "init-prototypes").flatMap(InitialPrototypes.init(rawValue:)) {
      case .keep: "the prototypes were learned together with the weights"
      case .kmeans: "the prototypes are clusters of what the weights make of these images"
      case .random, nil: nil
      }
    if let fitting, !given.isGiven("freeze-epochs"), !given.isGiven("freeze-steps") {
      freezeEpochs = 0
      reasons["freeze-epochs"] = Planner.Reason(text: fitting)
    }
    return reasons
  }

  /// Embeddings that prototypes are made of at most; evenly spaced images.
  private static let mostClustered = 50_000

  /// Fills a new network, which has random weights, from the file that a run begins with; nil where there is none. Collective.
  func initialize(_ network: Network, from images: any ImageSource, ranks: RankGroup?) throws -> InitialReport? {
    guard var report = try ranks.agree({ try loadInitialWeights(into: network) }) else { return nil }
    guard initPrototypes == .kmeans else { return report }
    // On one rank for all: another may fail to read a picture, and prototypes have to be the same to the bit.
    let found = try ranks.onRoot { try clusters(network, images) }
    try ranks.agree {
      for (set, centres) in found.centres.enumerated() { try network.setPrototypes(centres, ofSet: set) }
    }
    report.reset.append("prototypes (\(found.text))")
    return report
  }

  /// All but prototypes by k-means; nil where a run begins with no file.
  package func loadInitialWeights(into network: Network) throws -> InitialReport? {
    guard let initFrom else { return nil }
    let path = try WeightsFile(at: initFrom).path
    let wantsHead = initHead == .keep
    let options = LoadOptions(
      prefix: initPrefix, skipsHead: !wantsHead, skipsPrototypes: !wantsHead || initPrototypes != .keep)
    let input = try network.input()
    let loaded = try network.load(path, options)
    // A file may lack them.
    let keepsHead = wantsHead && !loaded.missingNames.contains("projection_head")
    let keepsPrototypes = keepsHead && initPrototypes == .keep && !loaded.missingNames.contains("prototypes")
    // The file's own size of evaluation views is that of other crops.
    try network.describeInput(input)
    var report = InitialReport(path: path, loaded: loaded.summary, kept: ["backbone"], reset: [])
    if keepsHead { report.kept.append("projection head") } else { report.reset.append("projection head (random)") }
    if keepsPrototypes {
      report.kept.append("prototypes")
    } else if initPrototypes != .kmeans {
      report.reset.append("prototypes (random)")
    }
    return report
  }

  /// Prototypes, and how they were found.
  private struct Clusters: Codable {
    /// Of each set, [K][dim].
    var centres: [[Float]]
    var text: String
  }

  /// The centres of the images' embeddings.
  private func clusters(_ network: Network, _ images: any ImageSource) throws -> Clusters {
    var reading = ReadingOptions(workers: readers)
    (reading.readTimeout, reading.decoding) = (readTimeout, decoding)
    let samples = spread(max(PretrainConfiguration.mostClustered, 20 * (prototypes.max() ?? 0)), over: images.count)
    let found = try Features.extract(
      from: images, samples: samples, network: network, output: .embeddings, options: reading)
    guard found.count >= prototypes.max() ?? 0 else {
      throw PretrainingError.setting(
        origin: "init-prototypes", value: initPrototypes.rawValue,
        allowed: "\(found.count) images cannot be divided among \(prototypes.max() ?? 0) prototypes; fewer are needed")
    }
    let sets = try prototypes.enumerated().map { set, count in
      try SphericalClusters(of: found.values, dim: dim, count: count, seed: seed &+ UInt64(set))
    }
    let cosines = sets.map { decimals($0.meanCosine, 3) }.joined(separator: ", ")
    return Clusters(
      centres: sets.map(\.centres), text: "k-means over \(found.count) embeddings, mean cosine \(cosines)")
  }
}
