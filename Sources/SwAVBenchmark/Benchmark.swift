import CSwAV
public import SwAVAugmentation
import SwAVEngine
public import SwAVModel

/// Measurements of the engine's parts: medians over steps after one that warms up.
public enum Benchmark {
  public struct Step: Codable, Sendable {
    public var command = "step"
    public var arch: String
    public var crops: String
    public var batch: Int
    public var threads: Int
    public var optimizer: String
    public var precision: TrainingPrecision
    public var isa: String
    public var seconds: Double
    /// Codes and loss included, as in the script.
    public var forward: Double
    public var backward: Double
    public var update: Double
    public var imagesPerSecond: Double
    public var peakRssGib: Double
    public var plannedGib: Double
    /// Where the median step spent its time.
    public var profile: StepTimes?
  }

  /// Training steps on random pixels.
  public static func step(
    arch: Architecture, crops: [CropGroup], batch: Int, prototypes: Int, optimizer: OptimizerKind, steps: Int,
    precision: TrainingPrecision = .float32, profiled: Bool = false
  ) throws -> Step {
    var rows: [(total: Double, report: StepReport, times: StepTimes)] = []
    let trainer = try run(
      steps, arch: arch, crops: crops, batch: batch, prototypes: prototypes, optimizer: optimizer, precision: precision
    ) { rows.append(($0, $1, try $2.stepTimes())) }
    let info = try Runtime.info()
    let seconds = median(rows.map(\.total))
    let middle = rows.sorted { $0.total < $1.total }[rows.count / 2]
    return Step(
      arch: arch.rawValue, crops: CropGroup.describe(crops), batch: batch, threads: info.threads,
      optimizer: optimizer.rawValue, precision: precision, isa: info.isa, seconds: seconds,
      forward: median(rows.map { $0.report.forwardSeconds + $0.report.objectiveSeconds }),
      backward: median(rows.map(\.report.backwardSeconds)), update: median(rows.map(\.report.updateSeconds)),
      imagesPerSecond: Double(batch) / seconds, peakRssGib: peakResidentGiB(),
      plannedGib: Double(try trainer.memoryPlan().total) / 1_073_741_824, profile: profiled ? middle.times : nil)
  }

  /// Takes `steps` training steps on random pixels after one that warms up; calls `visit` with the seconds of each.
  static func run(
    _ steps: Int, arch: Architecture, crops: [CropGroup], batch: Int, prototypes: Int, optimizer: OptimizerKind,
    precision: TrainingPrecision, visit: (Double, StepReport, borrowing Trainer) throws -> Void
  ) throws -> Trainer {
    let network = try Network(NetworkConfiguration(architecture: arch, prototypes: [prototypes]), seed: 0)
    var configuration = TrainerConfiguration.published
    (configuration.crops, configuration.batch, configuration.optimizer) = (crops, batch, optimizer)
    configuration.precision = precision
    var trainer = try Trainer(network, configuration)
    let groups = crops.map { NoiseBuffer(count: $0.count * batch * $0.size * $0.size * 3) }
    let pixels = try CropBatch(
      lending: groups.map(\.values), groups: crops.map { CropBatch.Group(count: $0.count, size: $0.size) }, images: batch,
      channels: 3)
    for step in 0...max(1, steps) {
      let start = ContinuousClock.now
      let report = try trainer.step(pixels, StepInput(learningRate: 0.1))
      if step > 0 { try visit((ContinuousClock.now - start) / .seconds(1), report, trainer) }
    }
    withExtendedLifetime(groups) {}
    return trainer
  }

  public struct Embed: Codable, Sendable {
    public var command = "embed"
    public var arch: String
    public var size: Int
    public var batch: Int
    public var threads: Int
    public var isa: String
    public var precision: Inference
    public var imagesPerSecond: Double
  }

  /// Features of random pixels, which integers are calibrated on as well.
  public static func embed(
    arch: Architecture, size: Int, batch: Int, inference: Inference, steps: Int
  ) throws -> Embed {
    let network = try Network(NetworkConfiguration(architecture: arch, dim: 0, prototypes: []), seed: 0)
    let images = NoiseBuffer(count: batch * size * size * 3)
    var result = [Float](repeating: 0, count: batch * (try network.length(of: .features)))
    let pixels = try ImageBatch(lending: images.values, count: batch, height: size, width: size, channels: 3)
    if inference == .int8 { try network.calibrate(pixels) }
    let seconds = try result.withUnsafeMutableBufferPointer { result in
      try timings(steps) { try network.embed(pixels, output: .features, inference: inference, into: result) }
    }
    withExtendedLifetime(images) {}
    let info = try Runtime.info()
    return Embed(
      arch: arch.rawValue, size: size, batch: batch, threads: info.threads, isa: info.isa, precision: inference,
      imagesPerSecond: Double(batch) / median(seconds))
  }

  public struct Sinkhorn: Codable, Sendable {
    public var command = "sinkhorn"
    public var batch: Int
    public var prototypes: Int
    public var threads: Int
    public var isa: String
    public var codesMs: Double
    public var lossAndGradientMs: Double
  }

  /// Codes of one batch of cosines, then the loss of one crop that predicts them, and its gradient.
  public static func sinkhorn(batch: Int, prototypes: Int, steps: Int) throws -> Sinkhorn {
    let (rows, columns) = (Int64(batch), Int64(prototypes))
    // Two crops, of which the first has the codes and the second predicts: one softmax over batch x prototypes.
    let scores = NoiseBuffer(count: 2 * batch * prototypes, scale: 0.09)
    let codes = NoiseBuffer(count: batch * prototypes)
    let gradient = NoiseBuffer(count: 2 * batch * prototypes)
    var (config, loss) = (swav_codes_config_default(), 0.0)
    let codeSeconds = try timings(steps) {
      try check(swav_codes(scores.base, rows, columns, rows, &config, codes.base, nil))
    }
    let lossSeconds = try timings(steps) {
      try check(swav_swapped_loss(scores.base, 2, rows, columns, codes.base, [0], 1, 0.1, &loss, gradient.base))
    }
    let info = try Runtime.info()
    return Sinkhorn(
      batch: batch, prototypes: prototypes, threads: info.threads, isa: info.isa, codesMs: median(codeSeconds) * 1e3,
      lossAndGradientMs: median(lossSeconds) * 1e3)
  }

  private static func timings(_ steps: Int, _ body: () throws -> Void) rethrows -> [Double] {
    try body()
    var seconds: [Double] = []
    for _ in 0..<max(1, steps) {
      let start = ContinuousClock.now
      try body()
      seconds.append((ContinuousClock.now - start) / .seconds(1))
    }
    return seconds
  }
}

/// Roughly normal random numbers, always the same.
final class NoiseBuffer {
  let base: UnsafeMutablePointer<Float>
  private let count: Int
  /// Lent as long as the buffer lives.
  var values: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: base, count: count) }

  init(count: Int, scale: Float = 1) {
    base = .allocate(capacity: max(1, count))
    self.count = count
    // The same 64 Ki numbers over and over: enough for timing, and quick in a debug build.
    let period = min(count, 1 << 16)
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    for index in 0..<period {
      var sum: Float = 0
      for _ in 0..<4 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        sum += Float(state >> 40) / Float(1 << 24) - 0.5
      }
      // The sum of four uniform numbers of variance 1/12 has a standard deviation of 1/sqrt(3).
      base[index] = sum * 1.732 * scale
    }
    var filled = period
    while filled < count {
      let length = min(filled, count - filled)
      (base + filled).update(from: base, count: length)
      filled += length
    }
  }

  deinit { base.deallocate() }
}
