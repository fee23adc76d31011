import SwAVAugmentation
public import SwAVInspection
public import SwAVModel

/// What a run would take, and what other choices would: operations, memory, speed, time.
public struct Forecast: Codable, Sendable, Equatable {
  /// A network and its views.
  public struct Choice: Codable, Sendable, Equatable {
    /// "planned", "resnet18 of base width 64, 2x96+4x48".
    public var name: String
    public var precision: TrainingPrecision
    /// Multiplications and additions of one image in a step, forward and backward.
    public var operationsPerImage: Double
    /// Loading included.
    public var imagesPerSecond: Double
    /// Whether the rate was measured with this choice; else it is scaled by the operations from one that was.
    public var isMeasured: Bool
    /// Bytes of a step, as planned; nil: more than there is.
    public var memory: Int?
    /// Seconds of one epoch.
    public var epochSeconds: Double
    /// Epochs in the time of the planned run.
    public var epochs: Double
    /// Seconds for as many images as the planned run sees.
    public var seconds: Double
  }

  public var images: Int
  public var stepsPerEpoch: Int
  public var steps: Int
  public var planned: Choice
  /// Two views alone, other sizes of network and views, the smallest first, and the other precision.
  public var others: [Choice]

  /// Makes the plan of memory of every choice and frees it. `machine`: what the plan is for; nil: this one, with the plan's threads.
  public init(_ plan: PretrainPlan, facts: DataFacts, machine: MachineFacts? = nil) {
    let configuration = plan.configuration
    let machine = machine ?? .here(threads: configuration.threads)
    let stepsPerEpoch = max(1, facts.draws / configuration.batch)
    let steps = configuration.steps(stepsPerEpoch: stepsPerEpoch).total
    let seconds = Double(steps) * Double(configuration.batch) / plan.speed.imagesPerSecond
    let seen = Double(steps) * Double(configuration.batch)
    (images, self.stepsPerEpoch, self.steps) = (facts.draws, stepsPerEpoch, steps)
    func choice(_ name: String, _ configuration: PretrainConfiguration, rate: Double, isMeasured: Bool) -> Choice {
      Choice(
        name: name, precision: configuration.precision, operationsPerImage: configuration.operationsPerImage,
        imagesPerSecond: rate, isMeasured: isMeasured,
        memory: Forecast.memory(configuration), epochSeconds: Double(facts.draws) / rate,
        epochs: seconds * rate / Double(facts.draws), seconds: seen / rate)
    }
    planned = choice(
      "planned", configuration, rate: plan.speed.imagesPerSecond, isMeasured: plan.speed.measured != nil)
    others = Forecast.alternatives(to: configuration, facts).map { name, other in
      choice(name, other, rate: plan.speed.ratio * other.expectedImagesPerSecond(on: machine), isMeasured: false)
    }
  }

  private static func alternatives(
    to planned: PretrainConfiguration, _ facts: DataFacts
  ) -> [(name: String, configuration: PretrainConfiguration)] {
    var found: [(name: String, configuration: PretrainConfiguration)] = []
    var two = planned
    two.crops = Array(planned.crops.prefix(1))
    if planned.crops.count > 1 { found.append(("two views alone, \(CropGroup.describe(two.crops))", two)) }
    for size in NetworkSize.all {
      var other = planned
      (other.arch, other.baseWidth, other.batch) = (size.arch, size.baseWidth, min(size.batch, facts.draws))
      if other.batch % other.parts(of: 1) != 0 { other.sumParts = 0 }
      other.hidden = size.arch.defaultHidden
      other.crops = (try? CropGroup.parse(size.crops(shortSide: Int(facts.shortSide.median)))) ?? planned.crops
      guard other.operationsPerImage != planned.operationsPerImage else { continue }
      let name = "\(size.arch.rawValue) of base width \(size.baseWidth), \(CropGroup.describe(other.crops))"
      if !found.contains(where: { $0.name == name }) { found.append((name, other)) }
    }
    var other = planned
    other.precision = planned.precision == .float32 ? .bfloat16 : .float32
    found.append(("as planned, in \(other.precision.rawValue)", other))
    return found
  }

  static func memory(_ configuration: PretrainConfiguration) -> Int? {
    guard let network = try? Network(configuration.network, seed: 0),
      let trainer = try? Trainer(network, configuration.trainer, sums: configuration.sums)
    else { return nil }
    return try? trainer.memoryPlan().total
  }
}
