import SwAVEngine
public import SwAVModel

/// Clusters of the validation images against their classes, which the clusters have not seen: normalised mutual information, adjusted
/// Rand index, purity, and the accuracy of the best one-to-one match of clusters and classes.
public struct Clusters: EvaluationProtocol, Equatable {
  public enum Kind: Sendable, Equatable {
    /// Spherical k-means on the features, the best of some starts; as many clusters as there are classes unless given.
    case kmeans(clusters: Int? = nil)
    /// The prototype with the largest score.
    case prototypes
  }

  public var kind: Kind
  /// Of k-means; the clustering with the largest mean cosine counts.
  public var starts: Int
  public var seed: UInt64

  public init(_ kind: Kind, starts: Int = 5, seed: UInt64 = 0) { (self.kind, self.starts, self.seed) = (kind, starts, seed) }

  public var name: String { "clusters" }
  public var needsTrainingImages: Bool { false }
  public var saysClasses: Bool { false }

  public func obstacle(in network: Network) throws -> String? {
    let isLacking = try kind == .prototypes && network.info().configuration.prototypes.isEmpty
    return isLacking ? "the weights have no prototypes whose clusters could be measured" : nil
  }

  public func evaluate(_ subject: EvaluationSubject, progress: (String, Int, Int) -> Void) throws -> EvaluationResult {
    let val = try subject.features(progress).val
    switch kind {
    case .kmeans(let wanted):
      let clusters = min(wanted ?? val.classes, val.count)
      let found = try kmeans(val.features, clusters: clusters) { progress(name, $0, $1) }
      return result(found, clusters, val, "kmeans", "k-means of \(clusters)")
    case .prototypes:
      let scores = try subject.rows(.scores, of: .val, progress)
      try val.features.requireSameSamples(scores, "val")
      let best = (0..<scores.count).map { row in
        let values = scores.row(row)
        return Int32((values.firstIndex(of: values.max() ?? 0) ?? values.startIndex) - values.startIndex)
      }
      return result(best, scores.dim, val, "prototypes", "\(scores.dim) prototypes")
    }
  }

  /// The cluster of each row, by the best of the starts.
  func kmeans(_ features: Features, clusters: Int, progress: (Int, Int) -> Void) throws(EngineError) -> [Int32] {
    let rows = features.unit()
    var best: SphericalClusters?
    for start in 0..<starts {
      let found = try SphericalClusters(of: rows.values, dim: rows.dim, count: clusters, seed: seed &+ UInt64(start)) {
        progress(start * $1 + $0, starts * $1)
      }
      if found.inertia < best?.inertia ?? .infinity { best = found }
    }
    return best?.assignment ?? []
  }

  private func result(
    _ clusterOf: [Int32], _ clusters: Int, _ val: LabelledFeatures, _ key: String, _ title: String
  ) -> EvaluationResult {
    func agreement(_ weights: [Int32]?) -> Agreement {
      Agreement(clusterOf, clusters: clusters, val.labels, classes: val.classes, weights: weights)
    }
    let whole = agreement(nil)
    let matching = whole.matching
    typealias Measure = (name: String, title: String, unit: EvaluationFigure.Unit, value: (Agreement) -> Double)
    let measures: [Measure] = [
      ("nmi", "normalised mutual information", .share, { $0.normalizedMutualInformation }),
      ("ari", "adjusted Rand index", .share, { $0.adjustedRandIndex }),
      ("purity", "purity", .percent, { 100 * $0.purity }),
      // The match is that of all images.
      ("hungarian", "best one-to-one match", .percent, { 100 * $0.matched(matching) }),
    ]
    let intervals = Bootstrap(images: val.count, share: 0.2).unbiasedIntervals(
      measures.map { measure in (measure.unit == .percent ? 100 : 1, { measure.value(agreement($0)) }) })
    let figures = zip(measures, intervals).map { measure, interval in
      EvaluationFigure(
        name: "\(key)_\(measure.name)", title: measure.title, value: measure.value(whole), unit: measure.unit,
        interval: interval)
    }
    let used = Set(clusterOf).count
    let remarks = used < clusters ? ["\(clusters - used) of \(clusters) clusters (\(title)) have no validation image"] : []
    return EvaluationResult(
      name: name, title: "\(title), normalised mutual information", figures: figures, remarks: remarks)
  }
}
