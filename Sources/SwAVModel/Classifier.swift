import CSwAV
public import SwAVEngine

/// What a ``Classifier`` is made with.
public struct ClassifierConfiguration: Sendable, Equatable {
  public var classes: Int
  /// Images, or rows, a step at most.
  public var batch: Int
  /// s in 0..<1: the target is (1 - s) one-hot + s / classes.
  public var labelSmoothing: Float
  public var momentum: Float
  /// Of everything that is learned.
  public var weightDecay: Float
  /// Batch-norm uses its running statistics and leaves them as they are; its weights learn all the same.
  public var freezesNorms: Bool
  /// Standard deviation of the layer's first weights.
  public var deviation: Float
  public var seed: UInt64

  /// The engine's values unless given: no smoothing, momentum 0.9, no decay, batch statistics, deviation 0.01.
  public init(classes: Int, batch: Int, weightDecay: Float? = nil, labelSmoothing: Float? = nil, seed: UInt64 = 0) {
    let standard = swav_classifier_config_default()
    (self.classes, self.batch, self.seed) = (classes, batch, seed)
    (self.weightDecay, self.labelSmoothing) = (weightDecay ?? standard.weight_decay, labelSmoothing ?? standard.label_smoothing)
    (momentum, freezesNorms, deviation) = (standard.momentum, standard.frozen_norms, standard.deviation)
  }

  fileprivate func engine(dim: Int, size: Int) -> swav_classifier_config {
    var config = swav_classifier_config_default()
    (config.classes, config.batch, config.size) = (Int32(clamping: classes), Int32(clamping: batch), Int32(clamping: size))
    (config.dim, config.label_smoothing, config.momentum) = (Int64(dim), labelSmoothing, momentum)
    (config.weight_decay, config.frozen_norms, config.deviation) = (weightDecay, freezesNorms, deviation)
    config.seed = seed
    return config
  }
}

/// A linear layer on features that learns from labels (softmax cross-entropy, SGD with momentum), alone or with a network's backbone
/// below it.
// Sendable: `handle` never changes, and the engine carries out its calls one after the other, whoever makes them.
public final class Classifier: @unchecked Sendable {
  private let handle: OpaquePointer
  public let configuration: ClassifierConfiguration
  /// Whose backbone learns as well, in place; nil: features are given.
  public let network: Network?
  /// Length of a feature.
  public let dim: Int
  /// Numbers of an image, or of a feature.
  private let length: Int

  /// Learns on features of `dim` numbers.
  public init(dim: Int, _ configuration: ClassifierConfiguration) throws(EngineError) {
    handle = try Classifier.make(nil, configuration.engine(dim: dim, size: 0))
    (self.configuration, network, self.dim, length) = (configuration, nil, dim, dim)
  }

  /// Learns on images of `size` x `size` pixels, with the backbone of `network`.
  public init(_ network: Network, size: Int, _ configuration: ClassifierConfiguration) throws(EngineError) {
    handle = try Classifier.make(network, configuration.engine(dim: 0, size: size))
    let info = try network.info()
    (self.configuration, self.network, dim) = (configuration, network, info.featureDim)
    length = size * size * info.configuration.channels
  }

  private static func make(_ network: Network?, _ config: swav_classifier_config) throws(EngineError) -> OpaquePointer {
    var (config, classifier) = (config, OpaquePointer?.none)
    try check(swav_classifier_create(network?.handle, &config, &classifier))
    guard let classifier else { throw EngineError(code: .internal, message: "the engine gave no classifier") }
    return classifier
  }

  deinit { swav_classifier_destroy(handle) }

  /// What a step found.
  public struct Report: Sendable, Equatable {
    /// Mean over the rows, before the update.
    public var loss: Double
    public var gradientNorm: Double
    /// Rows whose label had the largest score.
    public var right: Int
  }

  /// One step on images, normalised [count][size][size][channels], or on features [count][dim]; with a network `count` is the
  /// batch. The backbone's rate is not used without one. On `.numeric` and `.cancelled` all state is as before.
  public func step(
    _ values: UnsafeBufferPointer<Float>, labels: [Int32], backboneRate: Double = 0, classifierRate: Double
  ) throws(EngineError) -> Report {
    guard values.count == labels.count * length else {
      throw EngineError(
        code: .argument, message: "\(values.count) numbers for \(labels.count) labels; \(labels.count * length) are needed")
    }
    var report = swav_classifier_report()
    let status = labels.withUnsafeBufferPointer { labels in
      var input = swav_classifier_input(
        values: values.baseAddress, labels: labels.baseAddress, count: Int64(labels.count), backbone_rate: backboneRate,
        classifier_rate: classifierRate)
      return swav_classifier_step(handle, &input, &report)
    }
    try check(status)
    return Report(loss: report.loss, gradientNorm: report.gradient_norm, right: Int(report.right))
  }

  /// [classes][dim + 1], bias last.
  public func weights() throws(EngineError) -> [Float] {
    var weights = [Float](repeating: 0, count: configuration.classes * (dim + 1))
    try check(swav_classifier_read(handle, &weights))
    return weights
  }

  /// Bytes, as planned before the first step.
  public func memoryPlan() throws(EngineError) -> MemoryPlan {
    var plan = swav_memory_plan()
    try check(swav_classifier_memory(handle, &plan))
    return MemoryPlan(plan)
  }

  /// Everything a later process needs to go on, and a text of the caller's.
  public func save(to path: String, note: String = "") throws(EngineError) {
    try check(swav_classifier_save(handle, path, note))
  }

  /// Restores what ``save(to:note:)`` wrote into a classifier of the same configuration.
  public func load(_ path: String) throws(EngineError) { try check(swav_classifier_load(handle, path)) }

  /// The note of a file that ``save(to:note:)`` wrote.
  public static func note(of path: String) throws(EngineError) -> String { try Trainer.note(of: path) }
}
