import SwAVAugmentation
import SwAVData
import SwAVDiscovery
import SwAVEngine
import SwAVEvaluation
import SwAVInspection
import SwAVModel
import SwAVTraining

/// What the network of a run makes of pictures, before training and after it.
struct ReportPictures: Sendable {
  let source: any ImageSource
  /// Rows are pictures that could be read.
  let after: Features
  let before: Features
  /// What `before` is of, in words.
  let beginning: String
  let clustering: Clustering
  let map: ImageMap
  let sheet: PictureSheet
  let accuracy: LabelledLook?
  /// Crops of some pictures as training makes them, as JPEG; nil where none could be made.
  let crops: (jpeg: [UInt8], width: Int, height: Int, names: [String])?

  /// Pixels a side of a picture on the page.
  static let side = 64
  /// Shows one of them larger.
  static let script = String(decoding: PackageResources.large_js, as: UTF8.self)

  init(_ report: RunReport, _ source: any ImageSource, _ progress: RunReport.Progress) throws {
    let history = report.history
    let (trained, untrained) = (try Network.open(weightsAt: history.path), try history.configuration.beginning())
    beginning = untrained.isItself ? "before training" : "with random weights"
    let reading = report.reading
    func features(_ network: Network, _ source: any ImageSource, _ samples: [Int], _ output: Output, _ work: String) throws
      -> Features
    {
      try Features.extract(from: source, samples: samples, network: network, output: output, options: reading) {
        try progress(work, $0, samples.count)
      }
    }
    let samples = spread(report.limit, over: source.count)
    let after = try features(trained, source, samples, .features, "looking at pictures")
    guard after.count > 0 else {
      throw DataError(
        .unusable,
        "none of \(samples.count) pictures could be read\(after.bad.first.map { "; \($0.name): \($0.reason)" } ?? "")")
    }
    let read = after.samples
    let before = try features(untrained.network, source, read, .features, "before training")
    if let prototypes = try trained.prototypes() {
      clustering = try Clustering.byPrototypes(
        try features(trained, source, read, .embeddings, "clusters"), prototypes: prototypes)
    } else {
      clustering = try Clustering.byKMeans(after, clusters: 20)
    }
    map = try ImageMap(after) {
      try Cancellation.check()
      try progress("map of the pictures", $0, $1)
    }
    sheet = try PictureSheet(source, samples: read, side: ReportPictures.side, reading: reading) {
      try progress("small pictures", $0, read.count)
    }
    if let validation = report.validation, !validation.classNames.isEmpty {
      let asked = spread(report.limit / 2, over: validation.count)
      let images = try? EvaluationImages(train: source.classNames.isEmpty ? nil : source, val: validation)
      accuracy = try images.flatMap {
        try LabelledLook(
          $0, train: $0.train == nil ? nil : (before, after),
          val: (
            try features(untrained.network, validation, asked, .features, "validation, before training"),
            try features(trained, validation, asked, .features, "validation")
          ))
      }
    } else {
      accuracy = try (try? EvaluationImages(train: nil, val: source)).flatMap {
        try LabelledLook($0, train: nil, val: (before, after))
      }
    }
    crops = try ReportPictures.crops(history.configuration, source)
    (self.source, self.after, self.before) = (source, after, before)
  }

  private static func crops(
    _ configuration: PretrainConfiguration, _ source: any ImageSource
  ) throws -> (jpeg: [UInt8], width: Int, height: Int, names: [String])? {
    var preview = Preview(recipe: configuration.recipe)
    (preview.count, preview.seed) = (4, configuration.seed)
    do {
      let sheet = try preview.paint(source)
      let jpeg = try Image.encodeJPEG(sheet.samples, width: sheet.width, height: sheet.height, channels: 3, quality: 78)
      return (jpeg, sheet.width, sheet.height, sheet.rows.map { source.name(of: $0) })
    } catch let error as EngineError where error.code == .cancelled {
      throw error
    } catch let error as DataError where error.kind == .cancelled {
      throw error
    } catch {
      return nil
    }
  }

  /// What people call the picture of a row.
  func name(of row: Int) -> String { source.name(of: after.samples[row]) }

  /// The class of a row; nil where there are none.
  func label(of row: Int) -> Int? { source.label(of: after.samples[row]) }
}

/// How well the nearest neighbours tell the classes of pictures, before training and after it.
struct LabelledLook: Sendable {
  let classNames: [String]
  /// Percent right, 0...100.
  let before: Double
  let after: Double
  /// Share of the largest class, 0...100.
  let majorityShare: Double
  let images: Int
  /// Among which their neighbours were looked for.
  let bank: Int
  /// Of these: such as are learned from as well, byte for byte.
  let alsoLearned: Int
  /// After training: pictures of class [true] that were taken for class [predicted].
  let confusion: [[Int]]

  /// nil where there are too few pictures to ask about.
  init?(
    _ images: EvaluationImages, train: (before: Features, after: Features)?, val: (before: Features, after: Features)
  ) throws {
    guard val.after.count > 1 else { return nil }
    func predictions(_ train: Features?, _ val: Features) throws -> (labels: LabelledFeatures, found: [Int32]) {
      let labelled = try images.labelled(val: val)
      guard let train else { return (labelled, try NearestNeighbours().predictLeavingOneOut(labelled)) }
      return (labelled, try NearestNeighbours().predict(val, bank: images.labelled(train: train)))
    }
    func right(_ outcome: (labels: LabelledFeatures, found: [Int32])) -> Double {
      let count = zip(outcome.labels.labels, outcome.found).count { $0 == $1 }
      return 100 * Double(count) / Double(max(1, outcome.found.count))
    }
    let later = try predictions(train?.after, val.after)
    before = right(try predictions(train?.before, val.before))
    after = right(later)
    classNames = images.classNames
    majorityShare = later.labels.majorityShare
    self.images = later.found.count
    bank = train?.after.count ?? val.after.count - 1
    let known = Set(train?.after.contents ?? [])
    alsoLearned = val.after.contents.count { known.contains($0) }
    var confusion = [[Int]](repeating: [Int](repeating: 0, count: classNames.count), count: classNames.count)
    for (label, found) in zip(later.labels.labels, later.found) { confusion[Int(label)][Int(found)] += 1 }
    self.confusion = confusion
  }
}

extension PretrainConfiguration {
  /// The network that a run of these settings begins with, but for prototypes by k-means. Where it begins with a file that is not
  /// there any more, a random one, which is not itself.
  fileprivate func beginning() throws -> (network: Network, isItself: Bool) {
    let network = try Network(self.network, seed: seed)
    try network.describeInput(input)
    guard initFrom != nil else { return (network, true) }
    return (network, (try? loadInitialWeights(into: network)) != nil)
  }
}
