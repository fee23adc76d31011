import CSwAV
public import SwAVAugmentation
public import SwAVEngine

/// The rule that turns gradients into an update.
public enum OptimizerKind: String, Codable, Sendable, CaseIterable {
  /// SGD with momentum under layer-wise adaptive rates, as published.
  case larc
  case sgd
  case adamw
}

/// What a training step computes with.
public enum TrainingPrecision: String, Codable, Sendable, CaseIterable {
  case float32
  /// The backbone's activations, their gradients and packed weights in 16 bits, sums in float32: half the memory of activations.
  /// Weights, their gradients, the optimiser, batch statistics, the head, codes and loss stay in float32.
  case bfloat16

  /// What "auto" stands for: ``bfloat16`` where this processor multiplies it faster than float32, by its instruction set, else
  /// ``float32``.
  public static func automatic() throws(EngineError) -> TrainingPrecision { automatic(try Runtime.info().fastBFloat16) }

  /// The same for any machine.
  package static func automatic(_ fastBFloat16: Bool) -> TrainingPrecision { fastBFloat16 ? .bfloat16 : .float32 }
}

/// What a training step does (paper algorithm 1); everything that changes from step to step is in ``StepInput``.
public struct TrainerConfiguration: Codable, Sendable, Equatable {
  /// Counts and sizes; scales are the recipe's matter.
  public var crops: [CropGroup]
  /// B, images a step.
  public var batch: Int
  public var codes: Codes
  public var loss: SwappedLoss
  /// Embeddings kept for each assignment crop; rounded down to a multiple of `batch`.
  public var queueLength: Int
  public var optimizer: OptimizerKind
  /// Of larc and sgd.
  public var momentum: Double
  /// Of larc: the step of a layer is at most this part of its norm times the learning rate.
  public var trust: Double
  public var weightDecay: Double
  /// Whether 3x3 convolutions of stride 1 go through Winograd's F(4x4, 3x3) where that is faster. Without it every convolution is
  /// the plain sum of its products: slower, and rounded differently.
  public var usesWinograd: Bool
  /// Images that pass the network at a time, for less memory; a divisor of `batch` (of a process' share of it). 0: all. Codes and
  /// loss are those of the whole batch, batch-norm's statistics those of a micro-batch.
  public var microBatch: Int
  /// A checkpoint belongs to one of the two.
  public var precision: TrainingPrecision

  /// The engine's defaults: the published values, batch 64, no queue.
  public static let published = TrainerConfiguration(swav_trainer_config_default())

  init(_ config: swav_trainer_config) {
    let counts = SwAVEngine.values(config.crop_counts, count: Int(config.group_count), as: Int32.self)
    let sizes = SwAVEngine.values(config.crop_sizes, count: Int(config.group_count), as: Int32.self)
    crops = zip(counts, sizes).enumerated().map { index, group in
      let scale = CropGroup.publishedScale(group: index, of: counts.count)
      return CropGroup(count: Int(group.0), size: Int(group.1), minScale: scale.min, maxScale: scale.max)
    }
    batch = Int(config.batch)
    codes = .published
    loss = SwappedLoss(
      temperature: Double("\(config.temperature)") ?? 0,
      assignmentCrops: SwAVEngine.values(config.assign, count: Int(config.assign_count), as: Int32.self).map(Int.init))
    queueLength = Int(config.queue_length)
    optimizer = OptimizerKind.allCases.first { $0.engine == config.optimizer } ?? .larc
    // Printed and read back: 0.9 and not 0.8999999761581421.
    momentum = Double("\(config.momentum)") ?? 0
    trust = Double("\(config.trust)") ?? 0
    weightDecay = Double("\(config.weight_decay)") ?? 0
    usesWinograd = !config.direct
    microBatch = Int(config.micro_batch)
    precision = config.bfloat16 ? .bfloat16 : .float32
  }

  /// The shape of a batch's groups.
  var groups: [CropBatch.Group] { crops.map { CropBatch.Group(count: $0.count, size: $0.size) } }

  var engine: swav_trainer_config {
    var config = swav_trainer_config_default()
    config.group_count = Int32(clamping: crops.count)
    fill(&config.crop_counts, with: crops.map { Int32(clamping: $0.count) })
    fill(&config.crop_sizes, with: crops.map { Int32(clamping: $0.size) })
    config.batch = Int32(clamping: batch)
    config.assign_count = Int32(clamping: loss.assignmentCrops.count)
    fill(&config.assign, with: loss.assignmentCrops.map { Int32(clamping: $0) })
    config.codes = codes.engine
    config.temperature = Float(loss.temperature)
    config.queue_length = Int32(clamping: queueLength)
    config.optimizer = optimizer.engine
    config.momentum = Float(momentum)
    config.trust = Float(trust)
    config.weight_decay = Float(weightDecay)
    config.direct = !usesWinograd
    config.micro_batch = Int32(clamping: microBatch)
    config.bfloat16 = precision == .bfloat16
    return config
  }
}

extension OptimizerKind {
  fileprivate var engine: swav_optimizer {
    switch self {
    case .larc: SWAV_OPTIMIZER_LARC
    case .sgd: SWAV_OPTIMIZER_SGD
    case .adamw: SWAV_OPTIMIZER_ADAMW
    }
  }
}

/// Linear warm-up, then a cosine (paper, appendix A).
public struct LearningRateSchedule: Codable, Sendable, Equatable {
  public var baseRate: Double
  public var finalRate: Double
  /// Where the warm-up begins.
  public var startRate: Double
  /// Of the whole run, and those of the warm-up among them.
  public var steps: Int
  public var warmupSteps: Int

  public init(baseRate: Double, finalRate: Double, startRate: Double, steps: Int, warmupSteps: Int) {
    (self.baseRate, self.finalRate, self.startRate) = (baseRate, finalRate, startRate)
    (self.steps, self.warmupSteps) = (steps, warmupSteps)
  }

  /// The rate of step `step`, 0 to below `steps`; a number between two steps is a place between them.
  public func rate(at step: Double) throws(EngineError) -> Double {
    var schedule = swav_schedule(
      base_rate: baseRate, final_rate: finalRate, start_rate: startRate, steps: Int64(steps), warmup_steps: Int64(warmupSteps))
    var rate = 0.0
    try check(swav_learning_rate(&schedule, step, &rate))
    return rate
  }
}
