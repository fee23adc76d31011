public import SwAVEngine
public import SwAVModel

/// A way to judge what a network has learned. The verbs, `pretrain` with a validation set and the JSON all work with values of this
/// type; one more way is one more type, in a file of its own.
public protocol EvaluationProtocol: Sendable {
  /// As the command has it: "knn".
  var name: String { get }

  /// False where each validation image can be asked about among the others.
  var needsTrainingImages: Bool { get }

  /// Whether images may have several classes.
  var takesSeveralLabels: Bool { get }

  /// Whether each image is said to be of one class, so that the result has a confusion.
  var saysClasses: Bool { get }

  /// Which of the training images are learned from, in order; nil for all.
  func selection(of images: EvaluationImages) throws -> [Int]?

  /// What a network lacks that is judged by it; nil for most.
  func obstacle(in network: Network) throws -> String?

  /// `progress` gets what is being done, and how many pieces of work of how many are done.
  func evaluate(_ subject: EvaluationSubject, progress: (String, Int, Int) -> Void) throws -> EvaluationResult
}

extension EvaluationProtocol {
  public var needsTrainingImages: Bool { true }
  public var takesSeveralLabels: Bool { false }
  public var saysClasses: Bool { true }

  public func selection(of images: EvaluationImages) throws -> [Int]? { nil }

  public func obstacle(in network: Network) throws -> String? { nil }
}

/// A protocol that needs no more than features of images and their classes.
public protocol FeatureProtocol: EvaluationProtocol {
  /// `progress` gets how many pieces of work of how many are done.
  func evaluate(_ data: EvaluationFeatures, progress: (Int, Int) -> Void) throws -> EvaluationResult
}

extension FeatureProtocol {
  public func evaluate(_ subject: EvaluationSubject, progress: (String, Int, Int) -> Void) throws -> EvaluationResult {
    try evaluate(subject.features(progress)) { progress(name, $0, $1) }
  }
}

/// What a feature protocol works on. Classes are numbered alike on both sides.
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

  /// Throws `.argument` where there are none.
  func learned(by name: String) throws(EngineError) -> LabelledFeatures {
    guard let train else { throw EngineError(code: .argument, message: "\(name) needs training images") }
    return train
  }
}

/// What a protocol found: figures with names and units, the first of them the one that counts.
public struct EvaluationResult: Sendable, Equatable {
  /// ``EvaluationProtocol/name``.
  public var name: String
  /// For people: "20-NN".
  public var title: String
  public var figures: [EvaluationFigure]
  /// What was said of each class; nil where nothing is said of classes.
  public var confusion: Confusion?
  /// What one has to know beside the figures; one line each.
  public var remarks: [String]

  public init(
    name: String, title: String, figures: [EvaluationFigure], confusion: Confusion? = nil, remarks: [String] = []
  ) {
    (self.name, self.title, self.figures, self.confusion, self.remarks) = (name, title, figures, confusion, remarks)
  }
}

public struct EvaluationFigure: Sendable, Equatable {
  public enum Unit: String, Sendable, Codable {
    case percent, images, epochs
    /// 0...1, or slightly below 0 where chance is 0.
    case share
    /// A learning rate, a weight decay, a cost.
    case number
  }

  /// A key that stands alone, in snake case: "knn20_class_mean".
  public var name: String
  /// Beside the result's title: "mean of the classes".
  public var title: String
  public var value: Double
  public var unit: Unit
  /// The 95 % confidence interval of the figure on images of this kind, for this network and what was learned from these training images;
  /// nil where that was not asked.
  public var interval: ClosedRange<Double>?

  public init(name: String, title: String, value: Double, unit: Unit, interval: ClosedRange<Double>? = nil) {
    (self.name, self.title, self.value, self.unit, self.interval) = (name, title, value, unit, interval)
  }
}
