import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVModel

/// Supervised training of all layers: from the network that is judged, and from scratch beside it. With 1 or 10 % of
/// the labels it is the paper's semi-supervised protocol, with all of them fine-tuning.
public struct FineTuning: EvaluationProtocol, Equatable {
  /// Which training images have a label.
  public enum Labels: Sendable, Equatable {
    /// As many of every class, drawn by the seed, in all this percentage of the images.
    case percent(Double)
    /// Those named in a file, a name or path a line, as the published lists are.
    case list(String)
    case all
  }

  public var name: String
  public var labels: Labels
  public var epochs: Int
  public var batch: Int
  /// Of the backbone and of the linear layer on it, at a batch of 256; a batch of b gets b / 256 of them.
  public var backboneRate: Double
  public var classifierRate: Double
  public var weightDecay: Float = 0
  public var labelSmoothing: Float = 0
  /// Batch-norm keeps its running statistics.
  public var freezesNorms = false
  public var schedule = RateSchedule.steps(at: [0.6, 0.8], factor: 0.2)
  /// Trains the same network from scratch as well, with `scratchRate` for all layers.
  public var comparesScratch = true
  public var scratchRate = 0.1
  /// Each gives a subset, an order and first weights of its own; the figure is the mean.
  public var seeds: [UInt64] = [0]
  /// Written after every epoch, and removed at the end: the same evaluation goes on from it. nil: none.
  public var checkpoint: String?

  /// 20 epochs of batches of 256, no decay, rates times 0.2 at epochs 12 and 16. 1 %: 0.02 and 5; 10 % and lists: 0.01 and 0.2.
  public init(semi labels: Labels) {
    (name, self.labels, epochs, batch) = ("semi", labels, 20, 256)
    (backboneRate, classifierRate) = labels == .percent(1) ? (0.02, 5) : (0.01, 0.2)
  }

  /// The same with all labels, at the rates of 10 %.
  public static func all() -> FineTuning {
    var all = FineTuning(semi: .all)
    all.name = "finetune"
    return all
  }

  private var key: String {
    switch labels {
    case .percent(let share): "semi" + (share == share.rounded() ? "\(Int(share))" : "\(share)".replacing(".", with: "_"))
    case .list: "semi"
    case .all: "finetune"
    }
  }

  private var title: String {
    switch labels {
    case .percent(let share): "\(share == share.rounded() ? "\(Int(share))" : "\(share)") % of the labels"
    case .list: "the labels of a list"
    case .all: "all labels"
    }
  }

  public func selection(of images: EvaluationImages) throws -> [Int]? {
    guard let train = images.train else { return nil }
    switch labels {
    case .all: return nil
    case .percent:
      // All seeds together, so that bad images are known before.
      let chosen = try seeds.reduce(into: Set<Int>()) { found, seed in found.formUnion(try subset(images, seed: seed)) }
      return chosen.sorted()
    case .list(let file): return try LabelList(file).samples(in: train)
    }
  }

  /// As many images of every class as `labels` says, drawn by the seed; all of a class that has fewer.
  func subset(_ images: EvaluationImages, seed: UInt64) throws -> [Int] {
    guard case .percent(let share) = labels, let train = images.train else { return [] }
    guard share > 0, share <= 100 else {
      throw EngineError(code: .argument, message: "\(share) % of the labels; more than 0 and up to 100 is allowed")
    }
    let set = TrainingSet(
      samples: Array(0..<train.count), labels: (0..<train.count).map { Int32(clamping: train.label(of: $0) ?? 0) })
    let classes = set.positionsOfClasses
    let each = max(1, Int((Double(train.count) * share / 100 / Double(max(1, classes.count))).rounded()))
    return classes.flatMap { draw(each, of: $0, seed: seed) }.sorted()
  }

  public func evaluate(_ subject: EvaluationSubject, progress: (String, Int, Int) -> Void) throws -> EvaluationResult {
    let data = try subject.features(progress)
    let learned = try data.learned(by: name)
    let starts = comparesScratch ? [false, true] : [false]
    let sets = try seeds.map { try chosen(learned, subject, $0) }
    var settings = self
    settings.checkpoint = nil
    var series = try TrainingSeries(checkpoint, of: "\(settings)", data)
    let trainings = starts.flatMap { scratch in zip(seeds, sets).map { (scratch: scratch, seed: $0, set: $1) } }
    for training in trainings.dropFirst(series.outcomes.count) {
      let scores = try run(training.set, data, subject, scratch: training.scratch, seed: training.seed, &series, progress)
      series.end(TrainingOutcome(scores, data.val.labels))
    }
    series.remove()
    let tuned = SeedFigures(series.outcomes.prefix(seeds.count), data.val)
    var figures = tuned.figures(key, title: "right")
    if comparesScratch {
      let scratch = SeedFigures(series.outcomes.dropFirst(seeds.count), data.val)
      figures += scratch.figures(key + "_scratch", title: "from scratch")
    }
    let images = sets.last?.count ?? 0
    figures.append(EvaluationFigure(name: key + "_images", title: "labelled images", value: Double(images), unit: .images))
    return EvaluationResult(
      name: name, title: "\(title) (\(images) images), after \(epochs) \(epochs == 1 ? "epoch" : "epochs")", figures: figures,
      confusion: tuned.confusion)
  }

  /// The images of one seed, without those that could not be read.
  private func chosen(_ learned: LabelledFeatures, _ subject: EvaluationSubject, _ seed: UInt64) throws -> TrainingSet {
    let all = TrainingSet(samples: learned.features.samples, labels: learned.labels)
    guard case .percent = labels else { return all }
    let wanted = Set(try subset(subject.images, seed: seed))
    return all.subset(all.samples.indices.filter { wanted.contains(all.samples[$0]) })
  }

  /// Scores of the validation images after training on `set`.
  private func run(
    _ set: TrainingSet, _ data: EvaluationFeatures, _ subject: EvaluationSubject, scratch: Bool, seed: UInt64,
    _ series: inout TrainingSeries, _ progress: (String, Int, Int) -> Void
  ) throws -> Scores {
    guard set.count > 1 else {
      throw DataError(.unusable, "train: \(set.count) labelled images; at least 2 are needed to train a network")
    }
    let network = scratch ? try Network(subject.network.info().configuration, seed: seed) : try subject.network.copy()
    if scratch { try network.describeInput(subject.network.input()) }
    let batch = min(batch, set.count)
    var configuration = ClassifierConfiguration(
      classes: data.val.classes, batch: batch, weightDecay: weightDecay, labelSmoothing: labelSmoothing, seed: seed)
    configuration.freezesNorms = freezesNorms && !scratch
    let classifier = try Classifier(network, size: subject.size, configuration)
    let labelOf = Dictionary(zip(set.samples, set.labels), uniquingKeysWith: { a, _ in a })
    let rates = scratch ? (scratchRate, scratchRate) : (backboneRate, classifierRate)
    let title = scratch ? "from scratch" : "fine-tuning"
    for epoch in try series.resume(classifier)..<epochs {
      let factor = schedule.factor(epoch: epoch, of: epochs) * Double(batch) / 256
      let samples = set.order(seed: seed, epoch: epoch).map { set.samples[$0] }
      try subject.forEachFullBatch(of: samples, view: .random(seed: seed, epoch: epoch), batch: batch) { pixels, chosen, done in
        _ = try classifier.step(
          pixels, labels: chosen.map { labelOf[$0] ?? 0 }, backboneRate: rates.0 * factor, classifierRate: rates.1 * factor)
        progress("\(title), epoch \(epoch + 1) of \(epochs)", done, set.count)
      }
      try series.save(classifier, epoch: epoch + 1)
    }
    let features = try subject.rows(.features, of: .val, network: network, progress)
    try data.val.features.requireSameSamples(features, "val")
    let layer = LinearClassifier(dim: classifier.dim, classes: data.val.classes, weights: try classifier.weights())
    return Scores(values: try layer.scores(features), classes: data.val.classes)
  }
}
