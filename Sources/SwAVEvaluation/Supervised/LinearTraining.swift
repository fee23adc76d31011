import SwAVData
import SwAVEngine
import SwAVModel

/// The paper's linear protocol (reference 3.1): a linear layer on the frozen backbone, trained by SGD on random boxes of the training
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
  public var grid: [Choice] = []
  public var seed: UInt64 = 0

  public struct Choice: Sendable, Equatable {
    /// At a batch of 256.
    public var rate: Double
    public var weightDecay: Float

    public init(rate: Double, weightDecay: Float) { (self.rate, self.weightDecay) = (rate, weightDecay) }
  }

  /// Rates from 0.01 to 30 and decays of 0, 1e-6 and 1e-4: features of other methods want others (30 for MoCo's).
  public static let standardGrid = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30].flatMap { rate in
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
    // Centre crops of the training images: what is learned on without boxes, and what the grid is judged by.
    let needsCentres = !augments || !grid.isEmpty
    let centres = usesGrid && needsCentres ? try subject.rows(.grid, of: .train, progress) : learned.features
    let material = Material(
      set: TrainingSet(samples: learned.features.samples, labels: learned.labels), centres: centres, layer: layer,
      classes: learned.classes, dim: val.features.dim)
    var (chosen, remarks) = (Choice(rate: rate, weightDecay: weightDecay), [String]())
    if !grid.isEmpty { (chosen, remarks) = try tuned(material, subject, progress) }

    var best = (accuracy: -1.0, epoch: 0)
    var last: (scores: Scores, right: Double)?
    let everything = Array(0..<material.set.count)
    try train(material, everything, [chosen], "training", subject, progress) { classifiers, epoch in
      let scores = try self.scores(of: val.features, classifiers[0], material)
      let right = scores.top(1, val.labels)
      if right > best.accuracy { best = (right, epoch) }
      last = (scores, right)
    }
    guard let last else { throw EngineError(code: .argument, message: "\(name): epochs is \(epochs); at least 1 is needed") }
    return result(last.scores, val, best, chosen, remarks)
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
    _ scores: Scores, _ val: LabelledFeatures, _ best: (accuracy: Double, epoch: Int), _ chosen: Choice, _ remarks: [String]
  ) -> EvaluationResult {
    let key = name == "linear" ? "linear_sgd" : name
    let accuracy = Accuracy(scores.predictions, val)
    var figures = accuracy.figures(key)
    if val.classes > 5 {
      figures.append(EvaluationFigure(name: key + "_top5", title: "top 5", value: scores.top(5, val.labels), unit: .percent))
    }
    figures += [
      EvaluationFigure(name: key + "_best", title: "best epoch on val", value: best.accuracy, unit: .percent),
      EvaluationFigure(name: key + "_best_epoch", title: "that is epoch", value: Double(best.epoch), unit: .epochs),
      EvaluationFigure(name: key + "_rate", title: "rate", value: chosen.rate, unit: .number),
      EvaluationFigure(name: key + "_decay", title: "decay", value: Double("\(chosen.weightDecay)") ?? 0, unit: .number),
    ]
    let title = "\(name) by SGD, after \(epochs) epochs"
    return EvaluationResult(name: name, title: title, figures: figures, confusion: accuracy.confusion, remarks: remarks)
  }

  private func scores(of features: Features, _ classifier: Classifier, _ material: Material) throws -> Scores {
    let layer = LinearClassifier(dim: material.dim, classes: material.classes, weights: try classifier.weights())
    return Scores(values: try layer.scores(features), classes: material.classes)
  }

  /// The choice that is best on a tenth of the training images after learning on the others; all of them learn on the same crops.
  private func tuned(
    _ material: Material, _ subject: EvaluationSubject, _ progress: (String, Int, Int) -> Void
  ) throws -> (Choice, [String]) {
    let (held, rest) = material.set.split(share: 0.1, seed: seed)
    guard !held.isEmpty else {
      return (
        Choice(rate: rate, weightDecay: weightDecay), ["\(name): too few training images to try other rates on a part of them"]
      )
    }
    let labels = held.map { material.set.labels[$0] }
    let values = held.flatMap { Array(material.centres.row($0)) }
    let features = try Features(dim: material.dim, values: values)
    var found: [Double] = []
    try train(material, rest, grid, "trying rates", subject, progress) { classifiers, epoch in
      guard epoch == epochs else { return }
      found = try classifiers.map { try self.scores(of: features, $0, material).top(1, labels) }
    }
    // Of equal ones the smaller rate, as the grid has them in that order.
    let best = found.indices.max { found[$0] < found[$1] || (found[$0] == found[$1] && $0 > $1) } ?? 0
    let edge = grid[best].rate == grid.map(\.rate).min() || grid[best].rate == grid.map(\.rate).max()
    let remarks =
      edge && grid.count > 2
      ? ["\(name): the best rate, \(grid[best].rate), is at the edge of those that were tried; others may be better"] : []
    return (grid[best], remarks)
  }

  /// Trains a layer a choice on the same batches. `after` gets them and the number of epochs that are done.
  private func train(
    _ material: Material, _ positions: [Int], _ choices: [Choice], _ title: String, _ subject: EvaluationSubject,
    _ progress: (String, Int, Int) -> Void, after: ([Classifier], Int) throws -> Void
  ) throws {
    let batch = min(batch, positions.count)
    let classifiers = try choices.map {
      try Classifier(
        dim: material.dim,
        ClassifierConfiguration(classes: material.classes, batch: batch, weightDecay: $0.weightDecay, seed: seed))
    }
    let set = material.set.subset(positions)
    var rows = RowBuffer(dim: material.dim, batch: batch)
    for epoch in 0..<epochs {
      let factor = schedule.factor(epoch: epoch, of: epochs) * Double(batch) / 256
      func step(_ values: UnsafeBufferPointer<Float>, _ labels: [Int32]) throws {
        for (classifier, choice) in zip(classifiers, choices) {
          _ = try classifier.step(values, labels: labels, classifierRate: choice.rate * factor)
        }
      }
      let order = set.order(seed: seed, epoch: epoch)
      if augments {
        let view = ViewLoader.View.random(seed: seed, epoch: epoch)
        let labelOf = Dictionary(zip(set.samples, set.labels), uniquingKeysWith: { a, _ in a })
        var done = 0
        try subject.forEachBatch(of: order.map { set.samples[$0] }, view: view, layer: material.layer) { features in
          for row in 0..<features.count {
            try rows.append(features.row(row), labelOf[features.samples[row]] ?? 0, full: step)
          }
          done += features.count + features.bad.count
          progress("\(title), epoch \(epoch + 1) of \(epochs)", done, set.count)
        }
      } else {
        for position in order {
          try rows.append(material.centres.row(positions[position]), set.labels[position], full: step)
        }
        progress(title, epoch + 1, epochs)
      }
      try rows.flush(step)
      try after(classifiers, epoch + 1)
    }
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
