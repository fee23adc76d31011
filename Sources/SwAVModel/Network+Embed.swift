import CSwAV
public import SwAVEngine

/// Which of its layers a network gives.
public enum Output: String, Codable, Sendable, CaseIterable {
  /// Pooled backbone features, `featureDim` numbers.
  case features
  /// After the head, unit norm, `dim` numbers.
  case embeddings
  /// Cosines with the prototypes of the first set, K numbers.
  case scores

  var engine: swav_output {
    switch self {
    case .features: SWAV_OUTPUT_FEATURES
    case .embeddings: SWAV_OUTPUT_EMBEDDINGS
    case .scores: SWAV_OUTPUT_SCORES
    }
  }
}

/// How a network computes features.
public enum Inference: String, Codable, Sendable, CaseIterable {
  case float32
  /// The backbone in 8-bit integers: several times faster, features with a cosine of about 0.99 and more to those of float32.
  /// Images are read as 8-bit samples under the network's mean and std.
  case int8

  var engine: swav_inference {
    switch self {
    case .float32: SWAV_INFERENCE_FLOAT32
    case .int8: SWAV_INFERENCE_INT8
    }
  }
}

extension Network {
  /// Numbers of one image in `output`.
  public func length(of output: Output) throws(EngineError) -> Int {
    let info = try info()
    switch output {
    case .features: return info.featureDim
    case .embeddings: return info.configuration.dim
    case .scores: return info.configuration.prototypes.first ?? 0
    }
  }

  /// Embeds one encoded image: decode, centre crop of `size` x `size` (nil: the network's input size), normalise, embed with
  /// running batch-norm statistics.
  public func embed(_ bytes: [UInt8], size: Int? = nil, output: Output = .features) throws(EngineError) -> [Float] {
    var result = [Float](repeating: 0, count: try length(of: output))
    try check(swav_network_embed_bytes(handle, bytes, bytes.count, Int32(clamping: size ?? 0), output.engine, &result))
    return result
  }

  /// Embeds a batch of normalised images [count][height][width][channels] -> [count][``length(of:)``].
  public func embed(
    images: [Float], count: Int, height: Int, width: Int, output: Output = .features
  ) throws(EngineError) -> [Float] {
    let needed = count * height * width * (try info().configuration.channels)
    guard count > 0, images.count == needed else {
      throw EngineError(code: .argument, message: "images has \(images.count) numbers; \(needed) are needed")
    }
    var result = [Float](repeating: 0, count: count * (try length(of: output)))
    try embed(images, count: count, height: height, width: width, output: output, into: &result)
    return result
  }

  /// The same between memory of the caller: `images` [count][height][width][channels], `result` [count][length].
  package func embed(
    _ images: UnsafePointer<Float>, count: Int, height: Int, width: Int, output: Output,
    into result: UnsafeMutablePointer<Float>
  ) throws(EngineError) {
    try check(
      swav_network_embed(
        handle, output.engine, images, Int64(count), Int32(clamping: height), Int32(clamping: width), result))
  }

  /// Records the largest activation of every layer over normalised images [count][height][width][channels], which
  /// ``Inference/int8`` needs. Further calls add images, until the weights change.
  public func calibrate(images: [Float], count: Int, height: Int, width: Int) throws(EngineError) {
    let needed = count * height * width * (try info().configuration.channels)
    guard count > 0, images.count == needed else {
      throw EngineError(code: .argument, message: "images has \(images.count) numbers; \(needed) are needed")
    }
    try calibrate(images, count: count, height: height, width: width)
  }

  package func calibrate(
    _ images: UnsafePointer<Float>, count: Int, height: Int, width: Int
  ) throws(EngineError) {
    try check(
      swav_network_calibrate(handle, images, Int64(count), Int32(clamping: height), Int32(clamping: width)))
  }

  /// How embedding computes from now on. Embedding with ``Inference/int8`` throws unless ``calibrate(images:count:height:width:)``
  /// has seen images since the weights last changed.
  public func use(_ inference: Inference) throws(EngineError) {
    try check(swav_network_set_inference(handle, inference.engine))
  }

  /// Re-estimates the batch-norm buffers as the average over batches of images: begin, any number of batches, end.
  package func beginRecalibration() throws(EngineError) { try check(swav_network_recalibrate_begin(handle)) }

  package func recalibrate(
    _ images: UnsafePointer<Float>, count: Int, height: Int, width: Int
  ) throws(EngineError) {
    try check(
      swav_network_recalibrate_batch(handle, images, Int64(count), Int32(clamping: height), Int32(clamping: width)))
  }

  package func endRecalibration() throws(EngineError) { try check(swav_network_recalibrate_end(handle)) }
}

extension Network {
  /// One parameter or buffer: its name as torchvision has it, its shape, a copy of its numbers.
  public struct Tensor: Sendable, Equatable {
    public var name: String
    public var isBuffer: Bool
    public var shape: [Int]
    public var values: [Float]
  }

  /// Copies tensor number `index` (0..<`tensorCount`). Counters come as one float.
  public func tensor(at index: Int) throws(EngineError) -> Tensor {
    var tensor = swav_tensor()
    try check(swav_network_tensor(handle, Int64(index), &tensor))
    let shape = SwAVEngine.values(tensor.shape, count: Int(tensor.rank), as: Int64.self).map(Int.init)
    let count = Int(tensor.count)
    let numbers: [Float]
    if tensor.kind == SWAV_TENSOR_COUNTER {
      numbers = UnsafeBufferPointer(start: tensor.data.assumingMemoryBound(to: Int64.self), count: count).map(Float.init)
    } else {
      numbers = Array(UnsafeBufferPointer(start: tensor.data.assumingMemoryBound(to: Float.self), count: count))
    }
    return Tensor(
      name: String(cString: tensor.name), isBuffer: tensor.kind != SWAV_TENSOR_PARAMETER, shape: shape, values: numbers)
  }
}
