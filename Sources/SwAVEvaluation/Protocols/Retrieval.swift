import CSwAV
public import SwAVEngine

/// Each validation image asks for images of its class: the bank ranked by cosine. Mean average precision over the whole ranking, and
/// recall at k, the share of the images that find one of their class among the first k.
public struct Retrieval: FeatureProtocol, Equatable {
  public var depths: [Int]

  public init(depths: [Int] = [1, 5, 10]) { self.depths = depths }

  public var name: String { "retrieval" }
  public var needsTrainingImages: Bool { false }
  public var saysClasses: Bool { false }

  /// What becomes of each query.
  public struct Rankings: Sendable, Equatable {
    /// Average precision, 0...1; nil where the bank has no row of the query's class.
    public var precision: [Double?]
    /// Place of the first row of the class, from 0.
    public var first: [Int?]
  }

  /// Ranks `train` for each row of `val`, or the others of `val` where there is no `train`.
  public func rank(_ data: EvaluationFeatures, progress: (Int, Int) -> Void = { _, _ in }) throws(EngineError) -> Rankings {
    let (bank, queries) = (data.train ?? data.val, data.val)
    var precision = [Double](repeating: 0, count: queries.count)
    var first = [Int64](repeating: 0, count: queries.count)
    let status = withEngineProgress(progress) { report, context in
      var config = swav_retrieval_config(leave_one_out: data.train == nil, progress: report, context: context)
      return swav_retrieval(
        bank.features.values, bank.labels, Int64(bank.count), queries.features.values, queries.labels, Int64(queries.count),
        Int64(bank.features.dim), &config, &precision, &first)
    }
    try check(status)
    return Rankings(precision: precision.map { $0 < 0 ? nil : $0 }, first: first.map { $0 < 0 ? nil : Int($0) })
  }

  public func evaluate(_ data: EvaluationFeatures, progress: (Int, Int) -> Void) throws -> EvaluationResult {
    let rankings = try rank(data, progress: progress)
    let asked = rankings.precision.indices.filter { rankings.precision[$0] != nil }
    var remarks: [String] = []
    if asked.count < rankings.precision.count {
      remarks.append(
        "\(rankings.precision.count - asked.count) of \(rankings.precision.count) validation images are left out of retrieval: "
          + "there is no other image of their class")
    }
    guard !asked.isEmpty else {
      throw EngineError(code: .argument, message: "retrieval: no validation image has another one of its class")
    }
    let bootstrap = Bootstrap(images: asked.count)
    func figure(_ name: String, _ title: String, _ values: [Double]) -> EvaluationFigure {
      EvaluationFigure(
        name: name, title: title, value: values.reduce(0, +) / Double(values.count), unit: .percent,
        interval: bootstrap.interval(ofMean: values))
    }
    let precision = figure("retrieval_map", "mean average precision", asked.map { 100 * (rankings.precision[$0] ?? 0) })
    let recalls = depths.map { depth in
      figure("retrieval_recall\(depth)", "recall at \(depth)", asked.map { (rankings.first[$0] ?? depth) < depth ? 100 : 0 })
    }
    return EvaluationResult(
      name: name, title: "retrieval, mean average precision", figures: [precision] + recalls, remarks: remarks)
  }
}
