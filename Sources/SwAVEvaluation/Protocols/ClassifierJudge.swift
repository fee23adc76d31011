public import SwAVEngine

/// A linear layer on features that is learned already, measured on the validation images.
public struct ClassifierJudge: EvaluationProtocol, Equatable {
  private let classifier: LinearClassifier
  private let classNames: [String]

  /// `weights` are [classes][dim + 1], bias last; throws `.argument` for another number.
  public init(dim: Int, weights: [Float], classNames: [String]) throws(EngineError) {
    guard weights.count == classNames.count * (dim + 1) else {
      throw EngineError(
        code: .argument, message: "\(weights.count) weights; \(classNames.count) classes of \(dim) + 1 are needed")
    }
    classifier = LinearClassifier(dim: dim, classes: classNames.count, weights: weights)
    self.classNames = classNames
  }

  public var name: String { "probe" }
  public var needsTrainingImages: Bool { false }

  /// Throws `.argument` where rows have another length than those that were learned from.
  public func evaluate(_ subject: EvaluationSubject, progress: (String, Int, Int) -> Void) throws -> EvaluationResult {
    let val = try subject.features(progress).val
    // A class that the validation images do not have is none of theirs: -1 is never right.
    let theirs = classNames.map { name in Int32(subject.images.classNames.firstIndex(of: name) ?? -1) }
    let predictions = try classifier.predict(val.features).map { theirs[Int($0)] }
    let accuracy = Accuracy(predictions, val)
    return EvaluationResult(
      name: name, title: "linear layer that learned during training", figures: accuracy.figures("probe"),
      confusion: accuracy.confusion)
  }
}
