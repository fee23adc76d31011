public import SwAVData
import SwAVEngine
public import SwAVModel

/// Measures what was learned: protocols on a network and labelled images, with the raw-pixel floor beside them where they need no
/// more than features.
public struct Evaluation: Sendable {
  public var protocols: [any EvaluationProtocol]
  /// Pixels a side; nil: the network's input size.
  public var size: Int?
  /// Re-estimates batch-norm buffers on centre crops of the training images first; the network itself stays as it is.
  public var recalibrates = false
  /// How features are computed.
  public var inference = Inference.float32
  /// What integers are calibrated on; nil: the training images.
  public var calibration: (any ImageSource)?
  /// At most so many training images, evenly spaced; nil: all.
  public var trainLimit: Int?
  /// Measures 16 x 16 thumbnails as well.
  public var includesRawPixels = true
  public var reading = ReadingOptions()

  public init(_ protocols: [any EvaluationProtocol]) { self.protocols = protocols }

  /// Protocols that the network lacks something for are left out, and that is said; where none is left it is an error.
  ///
  /// `progress` gets what is being done, and how many images, or pieces of work, of how many are done.
  public func run(
    _ images: EvaluationImages, network: Network, progress: (String, Int, Int) -> Void = { _, _, _ in }
  ) throws -> EvaluationReport {
    if images.train == nil, let needy = protocols.first(where: \.needsTrainingImages) {
      throw DataError(.unusable, "\(needy.name) needs training images")
    }
    if images.hasSeveralLabels, let other = protocols.first(where: { !$0.takesSeveralLabels }) {
      throw DataError(.unusable, "images with several classes each are for svm; \(other.name) needs one class an image")
    }
    let obstacles = try protocols.map { try $0.obstacle(in: network) }
    let judges = zip(protocols, obstacles).filter { $1 == nil }.map(\.0)
    let lacking = obstacles.compactMap(\.self)
    if judges.isEmpty, let first = lacking.first { throw DataError(.unusable, first) }
    let subject = try EvaluationSubject(
      images, try prepared(network, images, progress), size: size, inference: inference, reading: reading,
      selection: try selection(of: images))
    let data = try subject.features(progress)
    let (train, val) = (data.train?.features, data.val.features)
    let same = SamePictures(train: train, trainSource: images.train, val: val, valSource: images.val)
    let results = try judges.map { try $0.evaluate(subject, progress: progress) }
    var report = EvaluationReport(
      results: results, trainImages: train?.count, valImages: val.count, classNames: images.classNames,
      majorityShare: data.val.majorityShare, bad: subject.bad, remarks: images.remarks + lacking)
    report.remarks += same.remarks(of: val.count, leavesOneOut: train == nil)
    // Where images have several classes, their first one alone says nothing.
    if !images.hasSeveralLabels { report.remarks += ClassRemarks.of(data, names: images.classNames) }
    report.remarks += results.flatMap(\.remarks)
    report.published = PublishedFigures.lines(beside: results, classNames: images.classNames)
    guard includesRawPixels else { return report }
    report.rawResults = try rawResults(subject, progress)
    return report
  }

  private func selection(of images: EvaluationImages) throws -> [Int]? {
    for judge in protocols { if let chosen = try judge.selection(of: images) { return chosen } }
    guard let trainLimit, let train = images.train else { return nil }
    return spread(trainLimit, over: train.count)
  }

  private func prepared(
    _ network: Network, _ images: EvaluationImages, _ progress: (String, Int, Int) -> Void
  ) throws -> Network {
    var network = network
    let learned = images.train ?? images.val
    if recalibrates {
      network = try network.recalibrated(on: learned, size: size, options: reading) {
        progress("re-estimating batch-norm", $0, $1)
      }
    }
    if inference == .int8 {
      network = try network.calibrated(on: calibration ?? learned, size: size, options: reading) {
        progress("calibrating", $0, $1)
      }
    }
    return network
  }

  /// Of the protocols that need no more than features, on thumbnails.
  private func rawResults(
    _ subject: EvaluationSubject, _ progress: (String, Int, Int) -> Void
  ) throws -> [EvaluationResult] {
    let judges = protocols.compactMap { $0 as? any FeatureProtocol }
    guard !judges.isEmpty else { return [] }
    func thumbnails(of source: any ImageSource, _ samples: [Int]?, _ name: String) throws -> Features {
      let total = samples?.count ?? source.count
      return try Features.thumbnails(of: source, for: subject.network, samples: samples, options: reading) {
        progress("thumbnails of \(name)", $0, total)
      }
    }
    let images = subject.images
    let train = try images.train.map { try images.labelled(train: thumbnails(of: $0, subject.selection, "train")) }
    let raw = try EvaluationFeatures(train: train, val: images.labelled(val: thumbnails(of: images.val, nil, "val")))
    return try judges.map { judge in try judge.evaluate(raw) { progress(judge.name + " on thumbnails", $0, $1) } }
  }
}

/// What there is to say about how many images the classes have.
enum ClassRemarks {
  static func of(_ data: EvaluationFeatures, names: [String]) -> [String] {
    guard let train = data.train else {
      let counts = Dictionary(data.val.labels.map { ($0, 1) }, uniquingKeysWith: +)
      let alone = counts.filter { $0.value == 1 }.keys.sorted().map { names[Int($0)] }
      return alone.isEmpty ? [] : ["of \(list(alone)) there is one image that could be read, and no other to know it by"]
    }
    let learned = Set(train.labels)
    let lacking = Set(data.val.labels).subtracting(learned).sorted().map { names[Int($0)] }
    guard !lacking.isEmpty else { return [] }
    let images = data.val.labels.count { !learned.contains($0) }
    return [
      "\(images) validation images are of classes without a training image that could be read "
        + "(\(list(lacking))): they cannot be right"
    ]
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", ..." : "")
  }
}
