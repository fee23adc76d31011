import SwAVData
import SwAVEngine
public import SwAVModel

/// What protocols work on: labelled images and a network, and features of the one by the other, which are computed once.
public final class EvaluationSubject {
  public let images: EvaluationImages
  /// As the evaluation prepared it; protocols that change weights do so in a copy.
  public let network: Network
  /// Pixels a side.
  public let size: Int
  public let inference: Inference
  public let reading: ReadingOptions
  /// The training images that are learned from; nil for all.
  let selection: [Int]?
  private var features: EvaluationFeatures?
  /// Images that could not be read.
  private(set) var bad: [BadSample] = []

  public enum Side: String, Sendable { case train, val }

  init(
    _ images: EvaluationImages, _ network: Network, size: Int?, inference: Inference, reading: ReadingOptions,
    selection: [Int]?
  ) throws {
    (self.images, self.network, self.inference, self.reading) = (images, network, inference, reading)
    (self.size, self.selection) = (try size ?? network.input().size, selection)
  }

  /// Pooled features of both sides by the network.
  public func features(_ progress: (String, Int, Int) -> Void) throws -> EvaluationFeatures {
    if let features { return features }
    let train = try images.train == nil ? nil : images.labelled(train: rows(.features, of: .train, progress))
    let val = try images.labelled(val: rows(.features, of: .val, progress))
    bad = (train?.features.bad ?? []) + val.features.bad
    let found = try EvaluationFeatures(train: train, val: val)
    features = found
    return found
  }

  /// What `layer` of `network`, this subject's unless given, says of the images of one side.
  public func rows(
    _ layer: Output, of side: Side, network: Network? = nil, _ progress: (String, Int, Int) -> Void
  ) throws -> Features {
    guard let source = side == .val ? images.val : images.train else {
      throw DataError(.unusable, "train: there are no training images")
    }
    let samples = side == .train ? selection : nil
    let total = samples?.count ?? source.count
    // Integers are calibrated for the network as it came.
    return try Features.extract(
      from: source, samples: samples, network: network ?? self.network, size: size, output: layer,
      inference: network == nil ? inference : .float32, options: reading
    ) {
      progress("\(layer.rawValue) of \(side.rawValue)", $0, total)
    }
  }
}
