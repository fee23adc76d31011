import SwAVData
import SwAVEngine
import SwAVModel

/// The paper's linear protocol: a linear layer on the frozen backbone, trained by SGD on random boxes of the training
/// images, flipped or not; measured on centre crops after every epoch. Its transfer protocols (3.4) are the same with other settings.
public struct LinearTraining: EvaluationProtocol, Equatable {
  public var name: String
  public var epochs: Int
  public var batch: Int
  /// At a batch of 256; a batch of b gets b / 256 of it.
  public var rate: Double
  public var weightDecay: Float
  public var schedule: RateSchedule
  /// 2 x 2 windows of the last map in the place of its mean: 8192 numbers of a ResNet-50.
  public var usesGrid = false
  /// Whether each epoch sees new boxes. Without, the layer learns on centre crops, whose features are computed once: a hundredth of
  /// the time, some points lower.
  public var augments = true
  /// Rates and decays are tried, and those that are best on a tenth of the training images are taken; validation images have no
  /// part in it. Empty: those above are taken.
  public var choices: [Choice] = []
  /// Each gives boxes, an order and first weights of its own; figures are means over them. Choices are tried with the first.
  public var seeds: [UInt64] = [0]
  /// Written after every epoch, and removed at the end: the same evaluation goes on from it. nil: none.
  public var checkpoint: String?

  public struct Choice: Sendable, Equatable, Codable {
    /// At a batch of 256.
    public var rate: Double
    public var weightDecay: Float

    public init(rate: Double, weightDecay: Float) { (self.rate, self.weightDecay) = (rate, weightDecay) }
  }

  /// Rates from 0.01 to 30 and decays of 0, 1e-6 and 1e-4: features of other methods want others (30 for MoCo's).
  public static let standardChoices = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30].flatMap { rate in
    [0, 1e-6, 1e-4].map { Choice(rate: rate, weightDecay: $0) }
  }

  /// 100 epochs of batches of 256, rate 0.3 by a cosine to 0, decay 1e-6, momentum 0.9.
  public init() {
    (name, epochs, batch, rate, weightDecay, schedule) = ("linear", 100, 256, 0.3, 1e-6, .cosine)
  }

  /// Where features are tried on other images than those they were learned from.
  public enum Transfer: String, Sendable, CaseIterable {
    /// 28 epochs.
    case places
    /// 84 epochs.
    case inaturalist
  }

  /// Rate 0.01, divided by 10 three times at even distances, decay 1e-4.
  public init(transfer: Transfer) {
    self.init()
    (name, rate, weightDecay) = ("transfer", 0.01, 1e-4)
    epochs = transfer == .places ? 28 : 84
    schedule = .steps(at: [0.25, 0.5, 0.75], factor: 0.1)
  }

  public func evaluate(_ subject: EvaluationSubject, progress: (String, Int, Int) -> Void) throws -> EvaluationResult {
    let pooled = try subject.features(progress)
    let layer = usesGrid ? Output.grid : .features
    let learned = try pooled.learned(by: name)
    let val = usesGrid ? try subject.images.labelled(val: subject.rows(.grid, of: .val, progress)) : pooled.val
    // Centre crops of the training images: what is learned on without boxes, and what choices are judged by.
    let needsCentres = !augments || !choices.isEmpty
    let centres = usesGrid && needsCentres ? try subject.rows(.grid, of: .train, progress) : learned.features
    try learned.features.requireSameSamples(centres, "train")
    let material = Material(
      set: TrainingSet(samples: learned.features.samples, labels: learned.labels), centres: centres, layer: layer,
      classes: learned.classes, dim: val.features.dim)
    guard let firstSeed = seeds.first, epochs >= 1 else {
      throw EngineError(
        code: .argument, message: "\(name): \(seeds.count) seeds and \(epochs) epochs; at least 1 of each is needed")
    }
    var series = try TrainingSeries(checkpoint, of: settings, pooled)
    let chosen = try series.choice ?? tuned(material, firstSeed, subject, progress)
    if series.choice == nil {
      series.chose(chosen)
      // What took as long as a training is not done again.
      if !choices.isEmpty {
        try series.save(Training(material, Array(0..<material.set.count), [chosen], firstSeed, batch).classifiers[0], epoch: 0)
      }
    }
    for seed in seeds.dropFirst(series.outcomes.count) {
      try learn(material, val, chosen, seed, &series, subject, progress)
    }
    series.remove()
    return result(series.outcomes, val, chosen, remarks(on: chosen, material.set, firstSeed))
  }

  /// All that decides about the figures, as text.
  private var settings: String {
    var settings = self
    settings.checkpoint = nil
    return "\(settings)"
  }

  /// One training; its outcome goes to `series`.
  private func learn(
    _ material: Material, _ val: LabelledFeatures, _ chosen: Choice, _ seed: UInt64, _ series: inout TrainingSeries,
    _ subject: EvaluationSubject, _ progress: (String, Int, Int) -> Void
  ) throws {
    let training = try Training(material, Array(0..<material.set.count), [chosen], seed, batch)
    let classifier = training.classifiers[0]
    var last: Scores?
    for epoch in try series.resume(classifier)..<epochs {
      try pass(training, epoch, "training", subject, progress)
      let scores = try self.scores(of: val.features, classifier, material)
      let right = scores.top(1, val.labels)
      let before = series.best
      let best = before.flatMap { $0.right >= right ? $0 : nil } ?? TrainingOutcome.Best(right: right, epoch: epoch + 1)
      try series.save(classifier, epoch: epoch + 1, best: best)
      last = scores
    }
    let scores = try last ?? self.scores(of: val.features, classifier, material)
    series.end(TrainingOutcome(scores, val.labels, best: series.best))
  }

  /// What is learned from.
  private struct Material {
    var set: TrainingSet
    /// A row a sample.
    var centres: Features
    var layer: Output
    var classes: Int
    var dim: Int
  }

  private func result(
    _ outcomes: [TrainingOutcome], _ val: LabelledFeatures, _ chosen: Choice, _ remarks: [String]
  ) -> EvaluationResult {
    let key = name == "linear" ? "linear_sgd" : name
    let seen = SeedFigures(outcomes[...], val)
    let figures =
      seen.figures(key, title: "right") + [
        EvaluationFigure(
          name: key + "_best", title: "best epoch on val", value: seen.mean { $0.best?.right ?? $0.right }, unit: .percent),
        EvaluationFigure(
          name: key + "_best_epoch", title: "that is epoch", value: seen.mean { Double($0.best?.epoch ?? epochs) }.rounded(),
          unit: .epochs),
        EvaluationFigure(name: key + "_rate", title: "rate", value: chosen.rate, unit: .number),
        EvaluationFigure(name: key + "_decay", title: "decay", value: Double("\(chosen.weightDecay)") ?? 0, unit: .number),
      ]
    let title = "\(name) by SGD, after \(epochs) \(epochs == 1 ? "epoch" : "epochs")"
    return EvaluationResult(name: name, title: title, figures: figures, confusion: seen.confusion, remarks: remarks)
  }

  private func scores(of features: Features, _ classifier: Classifier, _ material: Material) throws -> Scores {
    let layer = LinearClassifier(dim: material.dim, classes: material.classes, weights: try classifier.weights())
    return Scores(values: try layer.scores(features), classes: material.classes)
  }

  /// The choice that is best on a tenth of the training images after learning on the others; all of them learn on the same
  /// crops. Without choices, or without images to try it on, that of the settings.
  private func tuned(
    _ material: Material, _ seed: UInt64, _ subject: EvaluationSubject, _ progress: (String, Int, Int) -> Void
  ) throws -> Choice {
    let (held, rest) = heldOut(material.set, seed)
    guard !choices.isEmpty, !held.isEmpty else { return Choice(rate: rate, weightDecay: weightDecay) }
    let labels = held.map { material.set.labels[$0] }
    let values = held.flatMap { Array(material.centres.row($0)) }
    let features = try Features(dim: material.dim, values: values)
    let training = try Training(material, rest, choices, seed, batch)
    for epoch in 0..<epochs { try pass(training, epoch, "trying rates", subject, progress) }
    let found = try training.classifiers.map { try self.scores(of: features, $0, material).top(1, labels) }
    // Of equal ones the smaller rate, as the choices come in that order.
    let best = found.indices.max { found[$0] < found[$1] || (found[$0] == found[$1] && $0 > $1) } ?? 0
    return choices[best]
  }

  private func heldOut(_ set: TrainingSet, _ seed: UInt64) -> (drawn: [Int], rest: [Int]) { set.split(share: 0.1, seed: seed) }

  /// What there is to say of a choice, also of one that was made before an interruption.
  private func remarks(on chosen: Choice, _ set: TrainingSet, _ seed: UInt64) -> [String] {
    guard !choices.isEmpty else { return [] }
    if heldOut(set, seed).drawn.isEmpty { return ["\(name): too few training images to try other rates on a part of them"] }
    let rates = choices.map(\.rate)
    guard choices.count > 2, chosen.rate == rates.min() || chosen.rate == rates.max() else { return [] }
    return ["\(name): the best rate, \(chosen.rate), is at the edge of those that were tried; others may be better"]
  }

  /// A layer a choice, which learn on the same batches.
  private struct Training {
    let material: Material
    /// Of the material's set.
    let positions: [Int]
    let set: TrainingSet
    let choices: [Choice]
    let seed: UInt64
    let batch: Int
    let classifiers: [Classifier]

    init(_ material: Material, _ positions: [Int], _ choices: [Choice], _ seed: UInt64, _ batch: Int) throws {
      let batch = min(batch, positions.count)
      (self.material, self.positions, self.choices, self.seed, self.batch) = (material, positions, choices, seed, batch)
      set = material.set.subset(positions)
      classifiers = try choices.map {
        try Classifier(
          dim: material.dim,
          ClassifierConfiguration(classes: material.classes, batch: batch, weightDecay: $0.weightDecay, seed: seed))
      }
    }

    func step(_ values: UnsafeBufferPointer<Float>, _ labels: [Int32], factor: Double) throws {
      for (classifier, choice) in zip(classifiers, choices) {
        _ = try classifier.step(values, labels: labels, classifierRate: choice.rate * factor)
      }
    }
  }

  /// One epoch.
  private func pass(
    _ training: Training, _ epoch: Int, _ title: String, _ subject: EvaluationSubject, _ progress: (String, Int, Int) -> Void
  ) throws {
    let (set, seed) = (training.set, training.seed)
    var rows = RowBuffer(dim: training.material.dim, batch: training.batch)
    let factor = schedule.factor(epoch: epoch, of: epochs) * Double(training.batch) / 256
    func step(_ values: UnsafeBufferPointer<Float>, _ labels: [Int32]) throws {
      try training.step(values, labels, factor: factor)
    }
    let order = set.order(seed: seed, epoch: epoch)
    if augments {
      let view = ViewLoader.View.random(seed: seed, epoch: epoch)
      let labelOf = Dictionary(zip(set.samples, set.labels), uniquingKeysWith: { a, _ in a })
      var done = 0
      try subject.forEachBatch(of: order.map { set.samples[$0] }, view: view, layer: training.material.layer) { features in
        for row in 0..<features.count {
          try rows.append(features.row(row), labelOf[features.samples[row]] ?? 0, full: step)
        }
        done += features.count + features.bad.count
        progress("\(title), epoch \(epoch + 1) of \(epochs)", done, set.count)
      }
    } else {
      for position in order {
        try rows.append(training.material.centres.row(training.positions[position]), set.labels[position], full: step)
      }
      progress(title, epoch + 1, epochs)
    }
    try rows.flush(step)
  }
}

/// Rows with labels, handed over when a batch is full.
private struct RowBuffer {
  private let dim: Int
  private let batch: Int
  private var values: [Float] = []
  private var labels: [Int32] = []

  init(dim: Int, batch: Int) { (self.dim, self.batch) = (dim, batch) }

  typealias Consumer = (UnsafeBufferPointer<Float>, [Int32]) throws -> Void

  mutating func append(_ row: ArraySlice<Float>, _ label: Int32, full: Consumer) throws {
    values.append(contentsOf: row)
    labels.append(label)
    if labels.count == batch { try flush(full) }
  }

  /// Hands over what there is.
  mutating func flush(_ consumer: Consumer) throws {
    guard !labels.isEmpty else { return }
    try values.withUnsafeBufferPointer { try consumer($0, labels) }
    values.removeAll(keepingCapacity: true)
    labels.removeAll(keepingCapacity: true)
  }
}
