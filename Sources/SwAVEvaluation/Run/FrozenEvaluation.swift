public import SwAVData
import SwAVEngine
public import SwAVModel

/// Measures what was learned: protocols on frozen backbone features, with the raw-pixel floor beside them.
public struct FrozenEvaluation: Sendable {
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

  /// `progress` gets what is being done, and how many images, or pieces of work, of how many are done.
  public func run(
    _ images: EvaluationImages, network: Network, progress: (String, Int, Int) -> Void = { _, _, _ in }
  ) throws -> EvaluationReport {
    if images.train == nil, let needy = protocols.first(where: \.needsTrainingImages) {
      throw DataError(.unusable, "\(needy.name) needs training images")
    }
    let network = try prepared(network, images, progress)
    let learned = images.train.map { spread(trainLimit ?? .max, over: $0.count) }
    func features(of source: any ImageSource, _ samples: [Int]?, _ name: String) throws -> Features {
      let total = samples?.count ?? source.count
      return try Features.extract(
        from: source, samples: samples, network: network, size: size, inference: inference, options: reading
      ) {
        progress("features of \(name)", $0, total)
      }
    }
    let train = try images.train.map { try features(of: $0, learned, "train") }
    let val = try features(of: images.val, nil, "val")
    let data = try labelled(images, train, val)
    let same = SamePictures(train: train, trainSource: images.train, val: val, valSource: images.val)
    var report = EvaluationReport(
      results: try results(on: data, "", progress), trainImages: train?.count, valImages: val.count,
      classes: images.classNames.count, majorityShare: data.val.majorityShare, bad: (train?.bad ?? []) + val.bad,
      remarks: images.remarks)
    if let remark = same.remark(of: val.count, leavesOneOut: train == nil) { report.remarks.append(remark) }
    guard includesRawPixels else { return report }
    func thumbnails(of source: any ImageSource, _ samples: [Int]?, _ name: String) throws -> Features {
      let total = samples?.count ?? source.count
      return try Features.thumbnails(of: source, for: network, samples: samples, options: reading) {
        progress("thumbnails of \(name)", $0, total)
      }
    }
    let raw = try labelled(
      images, try images.train.map { try thumbnails(of: $0, learned, "train") }, try thumbnails(of: images.val, nil, "val"))
    report.rawResults = try results(on: raw, " on thumbnails", progress)
    return report
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

  private func labelled(_ images: EvaluationImages, _ train: Features?, _ val: Features) throws -> EvaluationFeatures {
    try EvaluationFeatures(train: try train.map { try images.labelled(train: $0) }, val: try images.labelled(val: val))
  }

  private func results(
    on data: EvaluationFeatures, _ suffix: String, _ progress: (String, Int, Int) -> Void
  ) throws -> [EvaluationResult] {
    try protocols.map { judge in try judge.evaluate(data) { progress(judge.name + suffix, $0, $1) } }
  }
}
