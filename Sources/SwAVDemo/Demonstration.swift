import Foundation
import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVEvaluation
import SwAVModel
public import SwAVTraining

/// The whole way in a few minutes: render pictures, measure an untrained network, pretrain it without labels, measure again.
///
/// Everything is written under one folder: `images/train|val/KIND/`, `run/` (see ``Pretraining``) and `neighbours.png`. Running it
/// again goes on with an interrupted run, or measures a finished one anew.
public struct Demonstration: Sendable {
  public var images: DemoImages
  /// The folder for all that comes out; made where it is not there.
  public var directory: String
  public var configuration: PretrainConfiguration

  public init(directory: String = "swav-demo", images: DemoImages = DemoImages(), seed: UInt64 = 0) {
    (self.directory, self.images) = (directory, images)
    configuration = .demo(seed: seed)
  }

  /// What is under way.
  public enum Stage: Sendable, Equatable { case rendering, before, pretraining, after }

  public enum Event: Sendable {
    /// `done` of `total` pictures are rendered or measured.
    case progress(Stage, done: Int, total: Int)
    /// Percent right before anything is learned, 0...100.
    case before(untrained: Double, thumbnails: Double)
    case pretraining(PretrainingEvent)
  }

  /// What was measured. Percentages, 0...100: 20 nearest neighbours of held-out pictures among those learned from.
  public struct Report: Sendable {
    /// Features of the network as it was initialised.
    public var untrained: Double
    /// Raw pixels: thumbnails of 16 x 16.
    public var thumbnails: Double
    /// Features after pretraining.
    public var trained: Double
    /// Guessing.
    public var chance: Double
    /// Of each kind, before and after.
    public var kinds: [(kind: DemoClass, untrained: Double, trained: Double)]
    public var pretraining: PretrainingResult
    public var trainImages: Int
    public var valImages: Int
  }

  public var trainFolder: String { directory + "/images/train" }
  public var valFolder: String { directory + "/images/val" }
  public var runFolder: String { directory + "/run" }
  public var neighbourSheet: String { directory + "/neighbours.png" }

  /// Carries it out on the calling thread. nil: `control` stopped it; a pretraining goes on from its checkpoint.
  public func run(control: RunControl = RunControl(), report: (Event) throws -> Void = { _ in }) throws -> Report? {
    do {
      return try control.cancellation.watching { try carryOut(control, report) }
    } catch  where control.isCancelled && PretrainingError(error) == .cancelled {
      return nil
    }
  }

  private func carryOut(_ control: RunControl, _ report: (Event) throws -> Void) throws -> Report? {
    try images.write(to: URL(filePath: directory).appending(path: "images")) {
      try Cancellation.check()
      try report(.progress(.rendering, done: $0, total: images.count))
    }
    let pair = try Pair(train: ImageFolder(trainFolder), val: ImageFolder(valFolder))
    let thumbnails = try Measurement(
      pair, train: Features.thumbnails(of: pair.train), val: Features.thumbnails(of: pair.val)
    ).accuracy
    let before = try measure(untrainedNetwork(), on: pair, stage: .before, report)
    try report(.before(untrained: before.accuracy, thumbnails: thumbnails))

    var pretraining = Pretraining(
      images: pair.train, validation: pair.val, configuration: configuration, output: runFolder)
    (pretraining.imagePaths, pretraining.validationPaths) = ([trainFolder], [valFolder])
    let result = try pretraining.run(control: control) { try report(.pretraining($0)) }
    guard result.outcome != .interrupted else { return nil }

    let after = try measure(Network.open(weightsAt: runFolder), on: pair, stage: .after, report)
    try writeNeighbours(pair, before: before, after: after)
    let kinds = zip(DemoClass.allCases, zip(before.byKind, after.byKind)).map { ($0, $1.0, $1.1) }
    return Report(
      untrained: before.accuracy, thumbnails: thumbnails, trained: after.accuracy,
      chance: 100 / Double(DemoClass.allCases.count), kinds: kinds, pretraining: result, trainImages: pair.train.count,
      valImages: pair.val.count)
  }

  /// The network that the pretraining begins with.
  private func untrainedNetwork() throws -> Network {
    let network = try Network(configuration.network, seed: configuration.seed)
    try network.describeInput(configuration.input)
    return network
  }
}

extension Demonstration {
  /// The pictures that are learned from, and those held out.
  fileprivate struct Pair {
    let train, val: any ImageSource
    let images: EvaluationImages

    init(train: any ImageSource, val: any ImageSource) throws {
      (self.train, self.val) = (train, val)
      images = try EvaluationImages(train: train, val: val)
    }
  }

  /// Features of both parts and how well they tell the kinds.
  fileprivate struct Measurement {
    var train, val: LabelledFeatures
    /// Percent right, of all and of each kind.
    var accuracy: Double
    var byKind: [Double]

    init(_ pair: Pair, train: Features, val: Features) throws {
      self.train = try pair.images.labelled(train: train)
      self.val = try pair.images.labelled(val: val)
      let predictions = try NearestNeighbours().predict(val, bank: self.train)
      var (right, count) = (
        [Double](repeating: 0, count: self.val.classes), [Double](repeating: 0, count: self.val.classes)
      )
      for (prediction, label) in zip(predictions, self.val.labels) {
        count[Int(label)] += 1
        if prediction == label { right[Int(label)] += 1 }
      }
      accuracy = 100 * right.reduce(0, +) / max(1, count.reduce(0, +))
      byKind = zip(right, count).map { 100 * $0 / max(1, $1) }
    }
  }

  private func measure(
    _ network: Network, on pair: Pair, stage: Stage, _ report: (Event) throws -> Void
  ) throws -> Measurement {
    let total = pair.train.count + pair.val.count
    let train = try Features.extract(from: pair.train, network: network) {
      try report(.progress(stage, done: $0, total: total))
    }
    let val = try Features.extract(from: pair.val, network: network) {
      try report(.progress(stage, done: pair.train.count + $0, total: total))
    }
    return try Measurement(pair, train: train, val: val)
  }

  /// One row a kind: a held-out picture, its nearest pictures before, a gap, its nearest pictures after. Green frames: same kind.
  private func writeNeighbours(_ pair: Pair, before: Measurement, after: Measurement) throws {
    let shown = 6
    var sheet = ContactSheet(
      rows: DemoClass.allCases.map(\.rawValue), columns: 2 + 2 * shown, side: images.side, lines: 2)
    // What is wider than its pictures would run into what stands beside it.
    let room = Double(shown * ContactSheet.pitch(images.side) / (6 * ContactSheet.lettering))
    func title(_ long: String, _ short: String) -> String { Double(long.count) <= room ? long : short }
    sheet.head("held", line: 0, column: 0)
    sheet.head("out", line: 1, column: 0)
    for (half, measurement) in [before, after].enumerated() {
      let (column, percent) = (1 + half * (shown + 1), "\(Int(measurement.accuracy.rounded())) %")
      let name = half == 0 ? "before pretraining" : "after pretraining"
      sheet.head(title("\(name): \(percent) of kinds are right", "\(name): \(percent)"), line: 0, column: column)
      sheet.head(title("its nearest pictures, the nearest first", "nearest first"), line: 1, column: column)
    }
    sheet.legend([(.right, "same kind as the held-out picture"), (.wrong, "another kind")])
    for row in DemoClass.allCases.indices {
      guard let query = after.val.labels.firstIndex(of: Int32(row)) else { continue }
      sheet.place(try picture(pair.val, after.val.features.samples[query]), row: row, column: 0, frame: .plain)
      for (half, measurement) in [before, after].enumerated() {
        let nearest = measurement.train.features.nearest(to: query, of: measurement.val.features, count: shown)
        for (place, found) in nearest.enumerated() {
          sheet.place(
            try picture(pair.train, measurement.train.features.samples[found]), row: row,
            column: 1 + half * (shown + 1) + place,
            frame: measurement.train.labels[found] == Int32(row) ? .right : .wrong)
        }
      }
    }
    let bytes = try Image.encodePNG(sheet.samples, width: sheet.width, height: sheet.height, channels: 3)
    do {
      try Data(bytes).write(to: URL(filePath: neighbourSheet), options: .atomic)
    } catch {
      throw DemoImages.Failure.file(path: neighbourSheet, reason: systemReason(error))
    }
  }

  private func picture(_ source: any ImageSource, _ sample: Int) throws -> [UInt8] {
    let image = try Image(decoding: try source.bytes(of: sample))
    let info = try image.info()
    return try image.render(CropPlan.whole(size: images.side, imageWidth: info.width, imageHeight: info.height))
  }
}

extension Features {
  /// The rows with the greatest cosine to row `query` of `other`, best first.
  func nearest(to query: Int, of other: Features, count: Int) -> [Int] {
    func dot(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let target = other.row(query)
    // The target's own length is the same for all and does not change the order.
    let cosines = (0..<self.count).map { index in
      let candidate = row(index)
      return dot(candidate, target) / max(dot(candidate, candidate).squareRoot(), .leastNormalMagnitude)
    }
    return Array(cosines.indices.sorted { (cosines[$0], $1) > (cosines[$1], $0) }.prefix(count))
  }
}
