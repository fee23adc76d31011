import Foundation
import SwAVData
import SwAVEngine
import SwAVModel

/// What one training of a protocol came to.
struct TrainingOutcome: Codable, Equatable {
  /// The class said of each validation image.
  var predictions: [Int32]
  /// Percent right among the first one, and five, of the last epoch.
  var right: Double
  var top5: Double
  /// Of all epochs, where each is measured.
  var best: Best?

  struct Best: Codable, Equatable {
    var right: Double
    /// From 1 on.
    var epoch: Int
  }

  init(_ scores: Scores, _ labels: [Int32], best: Best? = nil) {
    predictions = scores.predictions
    (right, top5, self.best) = (scores.top(1, labels), scores.top(5, labels), best)
  }
}

/// The trainings of a protocol, one after the other: one a seed, and from scratch beside it. Where a file is named it has, after every
/// epoch, the training under way and in its note what those before it came to: the same evaluation goes on from there, to the same
/// bits as without a break.
struct TrainingSeries {
  private struct Note: Codable {
    /// What has to be the same for it to go on.
    var identity: UInt64
    var outcomes: [TrainingOutcome] = []
    /// Of the training under way.
    var epoch = 0
    var best: TrainingOutcome.Best?
    /// The learning rate and weight decay that were found before.
    var choice: LinearTraining.Choice?
  }

  private let file: String?
  private var note: Note
  /// Whether the training under way was found in the file.
  private var isUnderWay = false

  var outcomes: [TrainingOutcome] { note.outcomes }
  var best: TrainingOutcome.Best? { note.best }
  var choice: LinearTraining.Choice? { note.choice }

  /// Throws `.unusable` where the file is of another evaluation, or none of one.
  init(_ file: String?, of protocolText: String, _ data: EvaluationFeatures) throws {
    let identity = TrainingSeries.identity(protocolText, data)
    (self.file, note) = (file, Note(identity: identity))
    guard let file, FileManager.default.fileExists(atPath: file) else { return }
    guard let text = try? Classifier.note(of: file), let found = try? JSONDecoder().decode(Note.self, from: Data(text.utf8))
    else { throw DataError(.unusable, "\(file): not what an evaluation has left to go on from; name another file") }
    guard found.identity == identity else {
      throw DataError(
        .unusable, "\(file): of an evaluation with other settings, weights or images; name another file, or remove it")
    }
    (note, isUnderWay) = (found, true)
  }

  /// Settings, features of the validation images, by which weights and pictures are known, and labels.
  private static func identity(_ protocolText: String, _ data: EvaluationFeatures) -> UInt64 {
    var hash = FNV1a()
    hash.combine(protocolText.utf8)
    data.val.features.values.withUnsafeBytes { hash.combine($0) }
    for labels in [data.val.labels, data.train?.labels ?? []] { labels.withUnsafeBytes { hash.combine($0) } }
    (data.train?.features.samples ?? []).withUnsafeBytes { hash.combine($0) }
    return hash.value
  }

  /// The epochs that the training under way has behind it, whose state `classifier` gets.
  mutating func resume(_ classifier: Classifier) throws -> Int {
    guard let file, isUnderWay else { return 0 }
    try classifier.load(file)
    return note.epoch
  }

  mutating func chose(_ choice: LinearTraining.Choice) { note.choice = choice }

  /// After an epoch.
  mutating func save(_ classifier: Classifier, epoch: Int, best: TrainingOutcome.Best? = nil) throws {
    (note.epoch, note.best) = (epoch, best)
    guard let file else { return }
    try classifier.save(to: file, note: String(decoding: JSONEncoder().encode(note), as: UTF8.self))
  }

  /// After a training.
  mutating func end(_ outcome: TrainingOutcome) {
    note.outcomes.append(outcome)
    (note.epoch, note.best, isUnderWay) = (0, nil, false)
  }

  /// After all: the figures stand for it.
  func remove() {
    if let file { unlink(file) }
  }
}

/// Figures of outcomes, one a seed.
struct SeedFigures {
  private let outcomes: ArraySlice<TrainingOutcome>
  private let accuracy: Accuracy
  private let classes: Int

  init(_ outcomes: ArraySlice<TrainingOutcome>, _ val: LabelledFeatures) {
    (self.outcomes, classes) = (outcomes, val.classes)
    accuracy = Accuracy(outcomes.map(\.predictions), val)
  }

  /// Of the first seed.
  var confusion: Confusion { accuracy.confusion }

  func mean(_ value: (TrainingOutcome) -> Double) -> Double {
    outcomes.reduce(0) { $0 + value($1) } / Double(max(1, outcomes.count))
  }

  /// Percent right, the mean of the classes, the first five where there are more classes, and the deviation of several seeds (of a
  /// sample, with n - 1).
  func figures(_ key: String, title: String) -> [EvaluationFigure] {
    var figures = accuracy.figures(key)
    figures[0].title = title
    if classes > 5 {
      figures.append(EvaluationFigure(name: key + "_top5", title: "top 5", value: mean(\.top5), unit: .percent))
    }
    guard outcomes.count > 1 else { return figures }
    let centre = mean(\.right)
    let variance = outcomes.reduce(0) { $0 + ($1.right - centre) * ($1.right - centre) } / Double(outcomes.count - 1)
    return figures + [
      EvaluationFigure(
        name: key + "_deviation", title: "deviation of \(outcomes.count) seeds", value: variance.squareRoot(), unit: .percent)
    ]
  }
}
