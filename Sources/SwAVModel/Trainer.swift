import CSwAV
public import SwAVAugmentation
public import SwAVEngine

/// Training state of one network: optimiser, queue, memory plan. Keeps the network alive.
// Sendable: `handle` never changes, and the engine carries out its calls one after the other, whoever makes them.
public struct Trainer: ~Copyable, @unchecked Sendable {
  let handle: OpaquePointer
  public let network: Network
  /// Of all ranks together.
  public let configuration: TrainerConfiguration
  private let ranks: RankGroup?
  /// Of the batch of all ranks.
  private let parts: Int

  /// Makes the memory plan and allocates all of it; a step allocates nothing.
  ///
  /// With `ranks` this is one of several that train together: batch and queue are those of all, and multiples of their number (of
  /// the sums' parts, where there are more); this one gets images `rank * batch / size ..` of each batch. ``step(_:_:)``,
  /// ``save(to:note:)`` and ``load(_:)`` are then collective, rank 0 reads and writes the files, and a step is not called off in the
  /// middle.
  public init(
    _ network: Network, _ configuration: TrainerConfiguration, ranks: RankGroup? = nil, sums: RankSums = RankSums()
  ) throws(EngineError) {
    guard (1...Int(SWAV_MAX_GROUPS)).contains(configuration.crops.count) else {
      throw EngineError(
        code: .argument, message: "crops has \(configuration.crops.count) groups; 1 to \(SWAV_MAX_GROUPS) are allowed")
    }
    guard (1...Int(SWAV_MAX_GROUPS)).contains(configuration.loss.assignmentCrops.count) else {
      throw EngineError(
        code: .argument,
        message: "assignmentCrops has \(configuration.loss.assignmentCrops.count) crops; 1 to \(SWAV_MAX_GROUPS) are allowed")
    }
    var (config, trainer) = (configuration.engine, OpaquePointer?.none)
    var group = sums.engine
    if let ranks {
      var functions = ranks.functions
      try check(swav_trainer_create_in_group(network.handle, &config, &functions, &group, &trainer))
    } else if sums.parts > 0 {
      try check(swav_trainer_create_in_group(network.handle, &config, nil, &group, &trainer))
    } else {
      try check(swav_trainer_create(network.handle, &config, &trainer))
    }
    guard let trainer else { throw EngineError(code: .internal, message: "the engine gave no trainer") }
    handle = trainer
    self.network = network
    self.configuration = configuration
    self.ranks = ranks
    parts = max(sums.parts, ranks?.size ?? 1)
  }

  /// Images of a batch that this rank gets.
  public var ownBatch: Int { configuration.batch / (ranks?.size ?? 1) }

  deinit { swav_trainer_destroy(handle) }
}

/// How ranks, and parts of a batch, add up.
public struct RankSums: Codable, Sendable, Equatable {
  /// As the transport does it: other roundings with other numbers of ranks, or hosts. Otherwise rank by rank, in order.
  public var isFast = false
  /// Neighbouring parts (ranks) that share batch-norm statistics; 0: all, 1: each has its own.
  public var normRanks = 0
  /// Parts that a batch is cut into, a multiple of the number of ranks; 0: one a rank. Sums over the batch are sums over parts, in
  /// order: as many parts give the same bits on any number of ranks, one process included, where sums are not fast.
  public var parts = 0

  public init(isFast: Bool = false, normRanks: Int = 0, parts: Int = 0) {
    (self.isFast, self.normRanks, self.parts) = (isFast, normRanks, parts)
  }

  var engine: swav_group_config {
    swav_group_config(fast: isFast, norm_ranks: Int32(clamping: normRanks), parts: Int32(clamping: parts))
  }
}

/// Bytes, as planned before the first step.
public struct MemoryPlan: Codable, Sendable, Equatable {
  /// Weights and buffers.
  public var parameters: Int
  public var gradients: Int
  /// Momentum or moments.
  public var optimizer: Int
  public var activations: Int
  /// Packed weights, partial sums, scores, codes.
  public var workspace: Int
  public var queue: Int
  /// Of the worker threads.
  public var scratch: Int
  public var total: Int

  init(_ plan: swav_memory_plan) {
    (parameters, gradients, optimizer) = (Int(plan.parameters), Int(plan.gradients), Int(plan.optimizer))
    (activations, workspace, queue) = (Int(plan.activations), Int(plan.workspace), Int(plan.queue))
    (scratch, total) = (Int(plan.scratch), Int(plan.total))
  }
}

/// Who wrote a checkpoint.
public struct CheckpointInfo: Codable, Sendable, Equatable {
  /// Version of the checkpoint's format.
  public var format: Int
  /// Instruction set of the engine that wrote it; nil: not recorded.
  public var isa: String?
  /// The extensions that it used, as of ``Runtime/Info``; nil: not recorded.
  public var used: String?
  /// One line where training will not go on with the bits of a run without a break.
  public var warning: String?

  init(_ info: swav_checkpoint_info) {
    func given(_ text: String) -> String? { text.isEmpty ? nil : text }
    (format, isa, used) = (Int(info.format), given(text(info.isa)), given(text(info.used)))
    warning = given(text(info.warning))
  }
}

/// What changes from step to step.
public struct StepInput: Sendable, Equatable {
  public var learningRate: Double
  /// No gradient, no decay, no momentum for the prototypes.
  public var freezesPrototypes: Bool
  /// Fill the queue, and use it once it is full.
  public var usesQueue: Bool

  public init(learningRate: Double, freezesPrototypes: Bool = false, usesQueue: Bool = false) {
    (self.learningRate, self.freezesPrototypes, self.usesQueue) = (learningRate, freezesPrototypes, usesQueue)
  }
}

/// What a step found.
public struct StepReport: Codable, Sendable, Equatable {
  public var loss: Double
  /// Of all parameters, before the optimiser.
  public var gradientNorm: Double
  /// Mean over codes in units of ln K: 1 is uniform, and carries no gradient.
  public var codeEntropy: Double
  /// Standard deviation of the scores over the batch's images, mean over prototypes and assignment crops.
  public var scoreSpread: Double
  /// Used for the codes, mean over assignment crops.
  public var epsilon: Double
  /// Mean cosine of embeddings of different images: 1 is collapse.
  public var similarity: Double
  /// Distinct arg-max prototypes among the codes of the batch, first set.
  public var prototypesUsed: Int
  public var queueUsed: Bool
  /// Steps since the oldest embedding of the queue was made; 0: the queue is empty.
  public var queueAge: Int
  /// Mean over the predictions of all crops, first set, in units of ln K: 1 says nothing.
  public var predictionEntropy: Double
  /// How far the codes are from equal shares after the last iteration: the largest |share of a prototype * K - 1|.
  public var sinkhornError: Double
  public var forwardSeconds: Double
  public var objectiveSeconds: Double
  public var backwardSeconds: Double
  public var updateSeconds: Double

  init(_ report: swav_step_report) {
    (loss, gradientNorm, codeEntropy) = (report.loss, report.gradient_norm, report.code_entropy)
    (scoreSpread, epsilon, similarity) = (report.score_spread, report.epsilon, report.similarity)
    (prototypesUsed, queueUsed) = (Int(report.prototypes_used), report.queue_used)
    (queueAge, predictionEntropy) = (Int(report.queue_age), report.prediction_entropy)
    sinkhornError = report.sinkhorn_error
    (forwardSeconds, objectiveSeconds) = (report.forward_seconds, report.objective_seconds)
    (backwardSeconds, updateSeconds) = (report.backward_seconds, report.update_seconds)
  }
}

extension Trainer {
  public func memoryPlan() throws(EngineError) -> MemoryPlan {
    var plan = swav_memory_plan()
    try check(swav_trainer_memory(handle, &plan))
    return MemoryPlan(plan)
  }

  /// One training step: renormalise prototypes, forward by resolution, codes, loss, backward, update.
  ///
  /// Throws `.argument` unless the crops are as configured. On `.numeric` and `.cancelled` all state is as before.
  public mutating func step(_ crops: borrowing CropBatch, _ input: StepInput) throws(EngineError) -> StepReport {
    try checkShape(of: crops)
    var report = swav_step_report()
    let status = crops.withPointers { pointers in
      pointers.withUnsafeBufferPointer { pointers in
        var engineInput = input.engine(pointers.baseAddress)
        return swav_trainer_step(handle, &engineInput, &report)
      }
    }
    try check(status)
    return StepReport(report)
  }

  /// The same with arrays: one a group, [count * batch][size][size][channels], crop-major (row v * batch + b).
  public mutating func step(crops: [[Float]], _ input: StepInput) throws(EngineError) -> StepReport {
    let channels = try network.info().configuration.channels
    // One block of memory keeps every pointer alive for the call.
    let all = crops.flatMap { $0 }
    var ends = [0]
    for pixels in crops { ends.append(ends[ends.count - 1] + pixels.count) }
    return try all.withUnsafeBufferPointer { (buffer) throws(EngineError) in
      let pieces = zip(ends, ends.dropFirst()).map { UnsafeBufferPointer(rebasing: buffer[$0..<$1]) }
      let batch = try CropBatch(
        lending: pieces, groups: configuration.groups, images: ownBatch, channels: channels)
      return try step(batch, input)
    }
  }

  /// Backbone features of the first crop in the last step, [images][feature dim]: of all images of this process, with micro-batches
  /// of the first one. Throws `.argument` before the first step.
  public func features() throws(EngineError) -> [Float] {
    let (micro, part) = (configuration.microBatch, configuration.batch / parts)
    let images = micro > 0 && micro < part ? micro : ownBatch
    var values = [Float](repeating: 0, count: images * (try network.info().featureDim))
    try check(swav_trainer_read_features(handle, &values, Int64(values.count)))
    return values
  }

  func checkShape(of crops: borrowing CropBatch) throws(EngineError) {
    let channels = try network.info().configuration.channels
    let (given, needed) = (crops.groups, configuration.groups)
    guard given == needed, crops.images == ownBatch, crops.channels == channels else {
      func text(_ groups: [CropBatch.Group], _ images: Int, _ channels: Int) -> String {
        groups.map { "\($0.count)x\($0.size)" }.joined(separator: "+") + " of \(images) images with \(channels) channels"
      }
      throw EngineError(
        code: .argument,
        message: "crops are \(text(given, crops.images, crops.channels)); "
          + "\(text(needed, ownBatch, channels)) are configured")
    }
  }

  /// Writes everything a later process needs to go on, and `note`, a text of the caller's, as one safetensors file: to a
  /// file aside, flushed, renamed.
  public func save(to path: String, note: String) throws(EngineError) {
    try check(swav_trainer_save(handle, path, note))
  }

  /// Restores what ``save(to:note:)`` wrote, the network's input description included, into a trainer of the same configuration.
  /// Throws and changes nothing when the file does not match or is damaged.
  @discardableResult
  public mutating func load(_ path: String) throws(EngineError) -> CheckpointInfo {
    var info = swav_checkpoint_info()
    try check(swav_trainer_load(handle, path, &info))
    return CheckpointInfo(info)
  }

  /// The note of a checkpoint; checks the structure and the length of the file on the way.
  public static func note(of path: String) throws(EngineError) -> String {
    var (buffer, size) = ([CChar](repeating: 0, count: 1 << 16), 0)
    var status = swav_checkpoint_note(path, &buffer, buffer.count, &size)
    if status == SWAV_ERROR_LIMIT, size >= buffer.count {
      buffer = [CChar](repeating: 0, count: size + 1)
      status = swav_checkpoint_note(path, &buffer, buffer.count, &size)
    }
    try check(status)
    return String(decoding: buffer.prefix(size).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
