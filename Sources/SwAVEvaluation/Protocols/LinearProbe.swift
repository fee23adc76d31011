import CSwAV
public import SwAVEngine

/// Multinomial logistic regression on frozen, standardised features by L-BFGS.
public struct LinearProbe: FeatureProtocol, Equatable {
  /// Times the squared norm of the weights, added to the mean cross-entropy.
  public var penalty: Double
  public var maxIterations: Int

  /// A penalty of 1e-3 and at most 200 iterations unless given.
  public init(penalty: Double? = nil, maxIterations: Int? = nil) {
    let standard = swav_linear_config_default()
    (self.penalty, self.maxIterations) = (penalty ?? standard.penalty, maxIterations ?? Int(standard.max_iterations))
  }

  public var name: String { "linear-features" }

  public func fit(
    _ data: LabelledFeatures, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(EngineError) -> LinearClassifier {
    let dim = data.features.dim
    var weights = [Float](repeating: 0, count: data.classes * (dim + 1))
    let status = withEngineProgress(progress) { report, context in
      var config = swav_linear_config(
        penalty: penalty, max_iterations: Int32(clamping: maxIterations), progress: report, context: context)
      return swav_linear_fit(
        data.features.values, data.labels, Int64(data.count), Int64(dim), Int32(data.classes), &config, &weights)
    }
    try check(status)
    return LinearClassifier(dim: dim, classes: data.classes, weights: weights)
  }

  public func evaluate(_ data: EvaluationFeatures, progress: (Int, Int) -> Void) throws -> EvaluationResult {
    let predictions = try fit(data.learned(by: name), progress: progress).predict(data.val.features)
    let accuracy = Accuracy(predictions, data.val)
    return EvaluationResult(
      name: name, title: "linear", figures: accuracy.figures("linear"), confusion: accuracy.confusion)
  }
}

/// What ``LinearProbe`` has learned.
public struct LinearClassifier: Sendable, Equatable {
  /// Length of the rows that it classifies.
  public let dim: Int
  public let classes: Int
  /// [classes][dim + 1], for raw features, bias last.
  public let weights: [Float]

  /// The class of each row. Throws `.argument` where rows have another length than ``dim``.
  public func predict(_ features: Features) throws(EngineError) -> [Int32] {
    guard features.dim == dim else {
      throw EngineError(
        code: .argument, message: "rows of \(features.dim) numbers do not go with a classifier of rows of \(dim)")
    }
    guard features.count > 0 else { return [] }
    var predictions = [Int32](repeating: 0, count: features.count)
    try check(
      swav_linear_predict(weights, Int64(dim), Int32(classes), features.values, Int64(features.count), &predictions))
    return predictions
  }

  /// The score of each class, [row][class]. Throws as ``predict(_:)``.
  public func scores(_ features: Features) throws(EngineError) -> [Float] {
    guard features.dim == dim else {
      throw EngineError(
        code: .argument, message: "rows of \(features.dim) numbers do not go with a classifier of rows of \(dim)")
    }
    guard features.count > 0 else { return [] }
    var scores = [Float](repeating: 0, count: features.count * classes)
    try check(swav_linear_scores(weights, Int64(dim), Int32(classes), features.values, Int64(features.count), &scores))
    return scores
  }
}
