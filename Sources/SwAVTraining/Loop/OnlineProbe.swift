import Foundation
import SwAVData
import SwAVEngine
import SwAVEvaluation
import SwAVModel

extension TrainingLoop.Work {
  /// What the probe, if there is one, learns from the step that was just made.
  mutating func learnClasses() throws {
    guard let probe else { return }
    try probe.learn(try trainer.features(), of: samples)
  }
}

extension TrainingLoop {
  mutating func tellProbe(
    afterEpoch epoch: Int, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    guard let found = work.probe?.takeEpoch() else { return }
    let progress = ProbeProgress(step: state.step, epoch: epoch, probeRight: found.right, images: found.images)
    try tell(.probed(progress), &work, report)
  }
}

/// A linear layer that learns the classes of the training images from the features of every step, beside the training: no gradient
/// flows back, so the weights of the run are the same with and without it.
///
/// Features are standardised by running means and deviations and divided by the root of their number, so that one rate suits all:
/// a softmax of rows of unit norm is stable under SGD with momentum 0.9 below 2 (1 + 0.9) / 0.5 = 7.6.
final class OnlineProbe {
  private static let rate = 2.0

  private let images: any ImageSource
  private let classifier: Classifier
  private var state: State
  /// It has learned nothing yet.
  var isNew: Bool { state.moments.steps == 0 }

  /// What lies beside the layer in its file.
  private struct State: Codable {
    /// Of the run.
    var step = 0
    var moments: RunningMoments
    /// Of the images of an epoch that were learned from, so far: all, and those whose class had the largest score before.
    var images = 0
    var right = 0
  }

  /// For a network with features of `dim` numbers; at most `batch` images a step.
  init(_ images: any ImageSource, dim: Int, batch: Int, seed: UInt64) throws {
    guard images.classNames.count > 1 else {
      throw DataError(
        .unusable, "probe: \(images.classObstacle ?? "the training images have no classes"); it learns from those")
    }
    self.images = images
    state = State(moments: RunningMoments(dim: dim))
    classifier = try Classifier(
      dim: dim, ClassifierConfiguration(classes: images.classNames.count, batch: batch, seed: seed))
  }

  /// Learns from the images of a step: `features` are [images][dim] of the first `samples`, in their order.
  func learn(_ features: [Float], of samples: [Int]) throws {
    let rows = try Features(dim: classifier.dim, values: features)
    let labels = samples.prefix(rows.count).map { Int32(images.label(of: $0) ?? -1) }
    let known = labels.indices.filter { labels[$0] >= 0 }
    guard !known.isEmpty else { return }
    var values = known.flatMap { rows.row($0) }
    state.moments.add(values)
    state.moments.standardise(&values)
    // A wish to stop must not come between the step of the run, which is done, and this one.
    let report = try Cancellation().watching {
      try values.withUnsafeBufferPointer {
        try classifier.step($0, labels: known.map { labels[$0] }, classifierRate: OnlineProbe.rate)
      }
    }
    state.images += known.count
    state.right += report.right
  }

  /// Percent right of the epoch's images so far, and their number; the count begins anew.
  func takeEpoch() -> (right: Double, images: Int)? {
    defer { (state.images, state.right) = (0, 0) }
    guard state.images > 0 else { return nil }
    return (100 * Double(state.right) / Double(state.images), state.images)
  }

  /// The layer as it is, for features as they are.
  func judge() throws -> ClassifierJudge {
    try ClassifierJudge(
      dim: classifier.dim, weights: state.moments.folded(into: try classifier.weights()), classNames: images.classNames)
  }

  func save(to path: String, step: Int) throws {
    state.step = step
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try classifier.save(to: path, note: String(decoding: try encoder.encode(state), as: UTF8.self))
  }

  /// Nothing is changed where the file is not of that step.
  func load(_ path: String, step: Int) throws {
    guard fileExists(path),
      let found = try? JSONDecoder().decode(State.self, from: Data(try Classifier.note(of: path).utf8)), found.step == step
    else { return }
    try classifier.load(path)
    state = found
  }
}

/// Means and deviations of features over the last steps, about a hundred of them.
private struct RunningMoments: Codable {
  private static let share: Float = 0.01

  /// That were added.
  private(set) var steps = 0
  private var means: [Float]
  private var squares: [Float]

  init(dim: Int) { (means, squares) = (Array(repeating: 0, count: dim), Array(repeating: 0, count: dim)) }

  /// Rows of a step.
  mutating func add(_ values: [Float]) {
    steps += 1
    // The first ones count alike.
    let share = max(RunningMoments.share, 1 / Float(steps))
    let (dim, rows) = (means.count, Float(values.count / means.count))
    for column in 0..<dim {
      var (sum, square) = (Float(0), Float(0))
      for index in stride(from: column, to: values.count, by: dim) {
        sum += values[index]
        square += values[index] * values[index]
      }
      means[column] += share * (sum / rows - means[column])
      squares[column] += share * (square / rows - squares[column])
    }
  }

  /// What standardised values are multiplied by. Features that hardly differ count for little.
  private func scale(_ column: Int) -> Float {
    let variance = max(0, squares[column] - means[column] * means[column])
    return 1 / ((variance + 1e-5 * squares[column] + .leastNormalMagnitude) * Float(means.count)).squareRoot()
  }

  func standardise(_ values: inout [Float]) {
    let dim = means.count
    for column in 0..<dim {
      let (mean, scale) = (means[column], scale(column))
      for index in stride(from: column, to: values.count, by: dim) { values[index] = (values[index] - mean) * scale }
    }
  }

  /// `weights` [classes][dim + 1] for standardised values, as those for values as they are.
  func folded(into weights: [Float]) -> [Float] {
    var folded = weights
    let dim = means.count
    for row in stride(from: 0, to: weights.count, by: dim + 1) {
      for column in 0..<dim {
        folded[row + column] = weights[row + column] * scale(column)
        folded[row + dim] -= folded[row + column] * means[column]
      }
    }
    return folded
  }
}
