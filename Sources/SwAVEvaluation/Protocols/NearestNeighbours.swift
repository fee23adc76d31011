import CSwAV
public import SwAVEngine

/// Weighted k-nearest-neighbour classification: rows are scaled to unit norm; each of the nearest by cosine votes.
public struct NearestNeighbours: FeatureProtocol, Equatable {
  public enum Weighting: String, Sendable, Codable, CaseIterable {
    /// exp(cosine / temperature): Wu et al. 2018 (NPID), whom the paper follows, and DINO, with a temperature of 0.07 both.
    case exponential
    /// One vote each.
    case equal
  }

  /// That vote, where there are so many.
  public var neighbours: Int
  public var temperature: Float
  public var weighting: Weighting

  /// 20 neighbours and a temperature of 0.07 unless given.
  public init(neighbours: Int? = nil, temperature: Float? = nil, weighting: Weighting = .exponential) {
    let standard = swav_knn_config_default()
    (self.neighbours, self.temperature) = (neighbours ?? Int(standard.neighbours), temperature ?? standard.temperature)
    self.weighting = weighting
  }

  /// Neighbours that the paper and DINO report.
  public static let publishedCounts = [20, 200]

  /// What they report, and the same with equal votes.
  public static let published = Weighting.allCases.flatMap { weighting in
    publishedCounts.map { NearestNeighbours(neighbours: $0, weighting: weighting) }
  }

  public var name: String { "knn" }
  public var needsTrainingImages: Bool { false }

  /// The class of each query row. Throws `.argument` where its rows have another length than those of `bank`.
  public func predict(
    _ queries: Features, bank: LabelledFeatures, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(EngineError) -> [Int32] {
    try bank.requireLength(of: queries)
    guard queries.count > 0 else { return [] }
    return try classify(queries, bank, progress)
  }

  /// The class of each row of `data`, asked about among the others; at least 2 rows.
  public func predictLeavingOneOut(
    _ data: LabelledFeatures, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(EngineError) -> [Int32] { try classify(nil, data, progress) }

  private func classify(
    _ queries: Features?, _ bank: LabelledFeatures, _ progress: (Int, Int) -> Void
  ) throws(EngineError) -> [Int32] {
    var predictions = [Int32](repeating: 0, count: queries?.count ?? bank.count)
    let status = withEngineProgress(progress) { report, context in
      var config = swav_knn_config(
        neighbours: Int32(clamping: neighbours), temperature: temperature, equal_votes: weighting == .equal,
        leave_one_out: queries == nil, progress: report, context: context)
      return swav_knn(
        bank.features.values, bank.labels, Int64(bank.count), queries?.values ?? [], Int64(queries?.count ?? 0),
        Int64(bank.features.dim), Int32(bank.classes), &config, &predictions)
    }
    try check(status)
    return predictions
  }

  public func evaluate(_ data: EvaluationFeatures, progress: (Int, Int) -> Void) throws -> EvaluationResult {
    let others = data.train?.count ?? data.val.count - 1
    let predictions: [Int32]
    if let train = data.train {
      predictions = try predict(data.val.features, bank: train, progress: progress)
    } else {
      predictions = try predictLeavingOneOut(data.val, progress: progress)
    }
    let (key, voters) = ("knn\(neighbours)" + (weighting == .equal ? "_equal" : ""), min(neighbours, others))
    let way = "\(neighbours)-NN" + (weighting == .equal ? ", one vote each" : "")
    let title = voters == neighbours ? way : "\(way) (\(voters) voted: there are no more)"
    let accuracy = Accuracy(predictions, data.val)
    var figures = accuracy.figures(key)
    figures.append(
      EvaluationFigure(name: key + "_voters", title: "neighbours that voted", value: Double(voters), unit: .images))
    // Then an image's own class has a vote fewer than all others.
    let remarks =
      data.train == nil && voters == others
      ? ["\(neighbours)-NN: all other images voted, so the figure says nothing; fewer neighbours would"] : []
    return EvaluationResult(name: name, title: title, figures: figures, confusion: accuracy.confusion, remarks: remarks)
  }
}
