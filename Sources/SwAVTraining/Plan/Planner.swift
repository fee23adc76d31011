import Glibc
import SwAVAugmentation
import SwAVInspection
import SwAVModel

/// Chooses what fits images, machine and time, as a pure function of facts and of what is measured. What is given stays, and the
/// rest is planned around it.
struct Planner {
  /// Images a second of a configuration, really run; nil where it does not fit into the memory.
  typealias Measure = (PretrainConfiguration) throws(PretrainingError) -> SpeedEstimate?

  struct Reason: Equatable {
    var text: String
    var evidence = ""
  }

  let facts: DataFacts
  let machine: MachineFacts
  /// Flags over a file.
  let given: PretrainSettings
  /// Seconds for the whole run; nil: its length is given and takes as long as it takes.
  let budget: Double?

  /// Part of a budget that is left for steps by looking, measuring, evaluating and writing; roughly, as the steps are planned
  /// anew on the way.
  static let shareOfSteps = 0.93
  /// Seconds where nobody says for how long.
  static let defaultBudget = 1800.0
  private static let mostMeasurements = 4
  private static let warmupSteps = 500.0

  struct Choice {
    var configuration: PretrainConfiguration
    var reasons: [String: Reason]
    var speed: PlannedSpeed
  }

  /// The largest size that sees enough images in the time, at rates that are measured as far as they decide.
  func choose(_ measure: Measure?) throws(PretrainingError) -> Choice {
    var sizes: [(size: NetworkSize, configuration: PretrainConfiguration)] = []
    for size in NetworkSize.all {
      let configuration = try plan(size, images: size.images).configuration
      // What is given can make several the same.
      if sizes.last?.configuration.operationsPerImage != configuration.operationsPerImage {
        sizes.append((size, configuration))
      }
    }
    var (ratio, measured, refused) = (1.0, [Int: SpeedEstimate](), Set<Int>())
    func rate(_ index: Int) -> Double {
      measured[index]?.imagesPerSecond ?? ratio * sizes[index].configuration.expectedImagesPerSecond(on: machine)
    }
    func takesTooLong(_ index: Int) -> Bool {
      imagesSeen(sizes[index].configuration, rate: rate(index)) > possibleImages(rate: rate(index))
    }
    func fits(_ index: Int) -> Bool {
      imagesSeen(sizes[index].configuration, rate: rate(index)) >= sizes[index].size.images && !takesTooLong(index)
    }
    func best() -> Int {
      let possible = sizes.indices.filter { !refused.contains($0) }
      return possible.last(where: fits) ?? possible.first ?? 0
    }
    for _ in 0..<Planner.mostMeasurements {
      let index = best()
      guard let measure, measured[index] == nil, !refused.contains(index) else { break }
      if let found = try measure(sizes[index].configuration) {
        measured[index] = found
        ratio = found.imagesPerSecond / sizes[index].configuration.expectedImagesPerSecond(on: machine)
      } else {
        refused.insert(index)
      }
    }
    let index = best()
    let speed = PlannedSpeed(imagesPerSecond: rate(index), measured: measured[index], ratio: ratio)
    let images = imagesSeen(sizes[index].configuration, rate: speed.imagesPerSecond)
    var (configuration, reasons) = try plan(sizes[index].size, images: images)
    var evidence = "\(rounded(images)) images in all, \(speed.text)"
    if index + 1 < sizes.count {
      let next = sizes[index + 1]
      evidence +=
        refused.contains(index + 1)
        ? "; the next larger does not fit into the memory"
        : takesTooLong(index + 1)
          ? "; the next larger takes longer than the time"
          : "; the next larger would see \(rounded(imagesSeen(next.configuration, rate: rate(index + 1)))) of the "
            + "\(rounded(next.size.images)) that it needs"
    }
    for name in ["arch", "base-width", "crops"] { reasons[name]?.evidence = evidence }
    try planLength(&configuration, &reasons, speed)
    return Choice(configuration: configuration, reasons: reasons, speed: speed)
  }

  /// Images that the time allows.
  private func possibleImages(rate: Double) -> Double { budget.map { $0 * Planner.shareOfSteps * rate } ?? .infinity }

  /// Images that a run sees in all: those of the given length where one is given, else as many as the time allows.
  private func imagesSeen(_ configuration: PretrainConfiguration, rate: Double) -> Double {
    switch configuration.length {
    case .epochs(let epochs) where given.isGiven("epochs"): Double(epochs) * Double(facts.draws)
    case .steps(let steps): Double(steps.total) * Double(configuration.batch)
    default: possibleImages(rate: rate)
    }
  }

  /// All settings for a size and so many images seen, with what is given in their place.
  private func plan(
    _ size: NetworkSize, images: Double
  ) throws(PretrainingError) -> (configuration: PretrainConfiguration, reasons: [String: Reason]) {
    var (configuration, reasons) = (PretrainConfiguration(), [String: Reason]())
    try given.apply(to: &configuration, only: ["budget", "steps", "epochs"])
    planNetwork(&configuration, &reasons, size)
    try given.apply(to: &configuration, only: ["arch", "base-width", "crops"])
    planViews(&configuration, &reasons, images: images)
    planBatch(&configuration, &reasons, size)
    try given.apply(to: &configuration, only: ["batch", "optimizer"])
    try planObjective(&configuration, &reasons)
    planRates(&configuration, &reasons)
    try given.apply(to: &configuration, only: ["base-lr"])
    configuration.finalLR = configuration.baseLR / 1000
    reasons["final-lr"] = Reason(text: "a thousandth of base-lr, as published")
    try given.apply(to: &configuration)
    if !given.isGiven("hidden") { configuration.hidden = configuration.arch.defaultHidden }
    return (configuration, reasons)
  }

  /// Steps for the time, and what is counted in epochs.
  private func planLength(
    _ configuration: inout PretrainConfiguration, _ reasons: inout [String: Reason], _ speed: PlannedSpeed
  ) throws(PretrainingError) {
    let stepsPerEpoch = max(1, facts.draws / configuration.batch)
    if let budget, !given.isGiven("epochs"), !given.isGiven("steps") {
      configuration.length = .budget(budget, configuration.steps(in: budget, at: speed))
      reasons["budget"] = Reason(text: "the default; a longer one takes a larger network and harder views")
      reasons["steps"] = Reason(text: "what fits into the time; planned anew while the run goes on", evidence: speed.text)
    }
    let epochs = Double(configuration.steps(stepsPerEpoch: stepsPerEpoch).total) / Double(stepsPerEpoch)
    let evidence = "\(rounded(epochs)) epochs of \(stepsPerEpoch) steps"
    let warmup = min(Planner.warmupSteps, 0.15 * epochs * Double(stepsPerEpoch))
    // A single step of it would have no rate at all.
    configuration.warmupEpochs = warmup < 2 ? 0 : hundredthsUp(warmup / Double(stepsPerEpoch))
    reasons["warmup-epochs"] = Reason(
      text: "\(Int(Planner.warmupSteps)) steps, at most 15 % of the run: runs differ less from seed to seed", evidence: evidence
    )
    configuration.freezeEpochs = hundredthsUp(min(1, epochs / 20))
    reasons["freeze-epochs"] = Reason(text: "prototypes wait for the first features", evidence: evidence)
    configuration.knnEvery = max(1, Int((epochs / 10).rounded()))
    reasons["knn-every"] = Reason(text: "about ten times in a run", evidence: evidence)
  }
}

extension PretrainConfiguration {
  /// The steps that are expected in a budget of seconds.
  func steps(in budget: Double, at speed: PlannedSpeed) -> StepPlan {
    StepPlan(total: Int(min(1e12, budget * Planner.shareOfSteps * speed.imagesPerSecond / Double(batch))))
  }
}

/// Two digits behind the point, rounded up, so that little is not nothing.
private func hundredthsUp(_ value: Double) -> Double { (100 * value).rounded(.up) / 100 }

/// A count for people: two digits that count.
func rounded(_ value: Double) -> String {
  guard value.isFinite, value >= 100 else { return value.isFinite ? plain((10 * value).rounded() / 10) : "any number of" }
  let unit = pow(10, log10(value).rounded(.down) - 1)
  var digits = String(Int(min(1e18, (value / unit).rounded() * unit)))
  for place in stride(from: digits.count - 3, to: 0, by: -3) {
    digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
  }
  return digits
}
