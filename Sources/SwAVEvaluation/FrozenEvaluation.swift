import Foundation
public import SwAVData
import SwAVEngine
public import SwAVModel

/// A first measure of what was learned: kNN and linear accuracy on frozen backbone features, with the raw-pixel floor.
public struct FrozenEvaluation: Sendable {
  public enum Measure: Sendable, Hashable, CaseIterable { case knn, linear }

  public var measures: Set<Measure>
  public var nearest = NearestNeighbours()
  public var probe = LinearProbe()
  /// Pixels a side; nil: the network's input size.
  public var size: Int?
  /// Re-estimates batch-norm buffers on centre crops of the training images first; the network itself stays as it is.
  public var recalibrates = false
  /// How features are computed.
  public var inference = Inference.float32
  /// What integers are calibrated on; nil: the training images.
  public var calibration: (any ImageSource)?
  /// Measures 16 x 16 thumbnails as well.
  public var includesRawPixels = true
  public var reading = ReadingOptions()

  public init(measures: Set<Measure>) { self.measures = measures }

  /// Percentages, 0...100.
  public struct Report: Sendable, Equatable {
    public var knn: Double?
    public var linear: Double?
    public var rawKNN: Double?
    public var rawLinear: Double?
    public var trainImages: Int
    public var valImages: Int
    public var classes: Int
    public var bad: [BadSample]
  }

  /// `progress` gets what is being done, and how many images of how many are.
  public func run(
    _ pair: LabelledPair, network: Network, progress: (String, Int, Int) throws -> Void = { _, _, _ in }
  ) throws -> Report {
    var network = recalibrates ? try network.recalibrated(on: pair.train, size: size, options: reading) : network
    if inference == .int8 {
      network = try network.quantized(on: calibration ?? pair.train, size: size, options: reading)
    }
    func features(_ source: any ImageSource, _ name: String) throws -> Features {
      try Features.extract(from: source, network: network, size: size, options: reading) {
        try progress("features of \(name)", $0, source.count)
      }
    }
    let (train, val) = (try features(pair.train, "train"), try features(pair.val, "val"))
    var report = Report(
      trainImages: train.count, valImages: val.count, classes: pair.classNames.count, bad: train.bad + val.bad)
    if measures.contains(.knn) { report.knn = try nearest.accuracy(of: pair, train: train, val: val) }
    if measures.contains(.linear) { report.linear = try probe.accuracy(of: pair, train: train, val: val) }
    guard includesRawPixels else { return report }
    let rawTrain = try Features.thumbnails(of: pair.train, for: network, options: reading)
    let rawVal = try Features.thumbnails(of: pair.val, for: network, options: reading)
    if measures.contains(.knn) { report.rawKNN = try nearest.accuracy(of: pair, train: rawTrain, val: rawVal) }
    if measures.contains(.linear) { report.rawLinear = try probe.accuracy(of: pair, train: rawTrain, val: rawVal) }
    return report
  }
}

extension Network {
  /// Opens weights by path: a safetensors file, a checkpoint, or the folder of a run, whose weights are taken, or its
  /// checkpoint where there are none yet.
  public static func open(weightsAt path: String) throws -> Network {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw DataError(.missing, "weights \(path): not there; give a safetensors file, a run's folder, or 'untrained'")
    }
    guard isFolder.boolValue else { return try open(path).network }
    for name in ["weights.safetensors", "checkpoint"] {
      let file = path + "/" + name
      if FileManager.default.fileExists(atPath: file) { return try open(file).network }
    }
    throw DataError(.missing, "weights \(path): the folder holds neither weights.safetensors nor checkpoint")
  }
}
