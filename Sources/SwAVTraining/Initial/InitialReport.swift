import SwAVData
import SwAVEngine
import SwAVEvaluation
import SwAVModel

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
  /// once where they were learned with the rest.
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
    let keepsPrototypes = given.text(of: "init-prototypes") == InitialPrototypes.keep.rawValue
    if keepsPrototypes && !given.isGiven("freeze-epochs") && !given.isGiven("freeze-steps") {
      freezeEpochs = 0
      reasons["freeze-epochs"] = Planner.Reason(text: "the prototypes were learned together with the weights")
    }
    return reasons
  }

  /// Embeddings that prototypes are made of at most; evenly spaced images.
  private static let mostClustered = 50_000

  /// Fills a new network, which has random weights, from the file that a run begins with; nil where there is none.
  func initialize(_ network: Network, from images: any ImageSource) throws -> InitialReport? {
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
    switch initPrototypes {
    case .keep where keepsPrototypes: report.kept.append("prototypes")
    case .keep, .random: report.reset.append("prototypes (random)")
    case .kmeans: report.reset.append("prototypes (\(try cluster(network, images)))")
    }
    return report
  }

  /// Makes the prototypes the centres of the images' embeddings; says how.
  private func cluster(_ network: Network, _ images: any ImageSource) throws -> String {
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
    var cosines: [String] = []
    for (set, count) in prototypes.enumerated() {
      let clusters = try SphericalClusters(of: found.values, dim: dim, count: count, seed: seed &+ UInt64(set))
      try network.setPrototypes(clusters.centres, ofSet: set)
      cosines.append(decimals(clusters.meanCosine, 3))
    }
    return "k-means over \(found.count) embeddings, mean cosine \(cosines.joined(separator: ", "))"
  }
}
