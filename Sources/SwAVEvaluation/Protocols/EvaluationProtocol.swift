public import SwAVEngine

/// A way to judge features. The verbs, `pretrain` with a validation set and the JSON all work with values of this type; one more
/// way is one more type, in a file of its own.
public protocol EvaluationProtocol: Sendable {
  /// As the verb and its files have it: "knn".
  var name: String { get }

  /// False where each validation image can be asked about among the others.
  var needsTrainingImages: Bool { get }

  /// `progress` gets how many pieces of work of how many are done.
  func evaluate(_ data: EvaluationFeatures, progress: (Int, Int) -> Void) throws -> EvaluationResult
}

extension EvaluationProtocol {
  public var needsTrainingImages: Bool { true }
}

/// What a protocol works on. Classes are numbered alike on both sides.
public struct EvaluationFeatures: Sendable {
  /// What is learned from. Nil: each row of `val` is asked about among the others.
  public let train: LabelledFeatures?
  public let val: LabelledFeatures

  /// Throws `.argument` where rows of the two have different lengths, or their numbers of classes differ.
  public init(train: LabelledFeatures?, val: LabelledFeatures) throws(EngineError) {
    if let train {
      try train.requireLength(of: val.features)
      guard train.classes == val.classes else {
        throw EngineError(
          code: .argument,
          message: "\(train.classes) classes are learned from and \(val.classes) asked about; they have to agree")
      }
    }
    (self.train, self.val) = (train, val)
  }
}

/// What a protocol found: figures with names and units, the first of them the one that counts.
public struct EvaluationResult: Sendable, Equatable {
  /// ``EvaluationProtocol/name``.
  public var name: String
  /// For people: "20-NN".
  public var title: String
  public var figures: [EvaluationFigure]

  public init(name: String, title: String, figures: [EvaluationFigure]) {
    (self.name, self.title, self.figures) = (name, title, figures)
  }
}

public struct EvaluationFigure: Sendable, Equatable {
  public enum Unit: String, Sendable, Codable { case percent, images }

  /// A key that stands alone, in snake case: "knn20_class_mean".
  public var name: String
  /// Beside the result's title: "mean of the classes".
  public var title: String
  public var value: Double
  public var unit: Unit

  public init(name: String, title: String, value: Double, unit: Unit) {
    (self.name, self.title, self.value, self.unit) = (name, title, value, unit)
  }
}
