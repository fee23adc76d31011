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
  /// The map behind layer1, layer2 or layer3, its mean over the pixels; in float32 only. The mean of layer4's are the features.
  case stage1, stage2, stage3
  /// The last map in four overlapping windows, 4 x `featureDim` numbers: 8192 of a ResNet-50 (the published linear protocol
  /// without pooling).
  case grid

  var engine: swav_output {
    switch self {
    case .features: SWAV_OUTPUT_FEATURES
    case .embeddings: SWAV_OUTPUT_EMBEDDINGS
    case .scores: SWAV_OUTPUT_SCORES
    case .stage1: SWAV_OUTPUT_STAGE1
    case .stage2: SWAV_OUTPUT_STAGE2
    case .stage3: SWAV_OUTPUT_STAGE3
    case .grid: SWAV_OUTPUT_GRID
    }
  }
}

/// How a network computes features.
public enum Inference: String, Codable, Sendable, CaseIterable {
  case float32
  /// The backbone in 8-bit integers: several times faster, features with a cosine of about 0.99 and more to those of float32.
  /// Images are read as 8-bit samples under the network's mean and std. Throws unless ``Network/calibrate(images:count:height:width:)``
  /// has seen images since the weights last changed.
  case int8
  /// The backbone in bfloat16: weights and activations in 16 bits, sums in float32. Several times faster where
  /// ``Runtime/Info/fastBFloat16`` says so, elsewhere slower than float32.
  case bfloat16

  /// ``bfloat16`` where this processor multiplies it faster than float32, else ``float32``.
  public static func automatic() throws(EngineError) -> Inference { try Runtime.info().fastBFloat16 ? .bfloat16 : .float32 }
}

/// The engine's calls for batches and for encoded images.
extension Inference {
  fileprivate var embed:
    (OpaquePointer?, swav_output, UnsafePointer<Float>?, Int64, Int32, Int32, UnsafeMutablePointer<Float>?) -> swav_status
  {
    switch self {
    case .float32: swav_network_embed
    case .int8: swav_network_embed_int8
    case .bfloat16: swav_network_embed_bfloat16
    }
  }

  fileprivate var embedBytes:
    (OpaquePointer?, UnsafeRawPointer?, Int, Int32, swav_output, UnsafeMutablePointer<Float>?) -> swav_status
  {
    switch self {
    case .float32: swav_network_embed_bytes
    case .int8: swav_network_embed_bytes_int8
    case .bfloat16: swav_network_embed_bytes_bfloat16
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
    case .stage1: return info.featureDim >> 3
    case .stage2: return info.featureDim >> 2
    case .stage3: return info.featureDim >> 1
    case .grid: return 4 * info.featureDim
    }
  }

  /// Embeds one encoded image: decode, centre crop of `size` x `size` (nil: the network's input size), normalise, embed with
  /// running batch-norm statistics.
  public func embed(
    _ bytes: [UInt8], size: Int? = nil, output: Output = .features, inference: Inference = .float32
  ) throws(EngineError) -> [Float] {
    var result = [Float](repeating: 0, count: try length(of: output))
    try check(inference.embedBytes(handle, bytes, bytes.count, Int32(clamping: size ?? 0), output.engine, &result))
    return result
  }

  /// Embeds a batch of normalised images [count][height][width][channels] -> [count][``length(of:)``].
  public func embed(
    images: [Float], count: Int, height: Int, width: Int, output: Output = .features, inference: Inference = .float32
  ) throws(EngineError) -> [Float] {
    let (channels, length) = (try info().configuration.channels, try length(of: output))
    return try images.withUnsafeBufferPointer { (images) throws(EngineError) in
      let batch = try ImageBatch(lending: images, count: count, height: height, width: width, channels: channels)
      var result = [Float](repeating: 0, count: count * length)
      try result.withUnsafeMutableBufferPointer { (result) throws(EngineError) in
        try embed(batch, output: output, inference: inference, into: result)
      }
      return result
    }
  }

  /// The same between memory of the caller; `result` has room for count * ``length(of:)`` numbers or more.
  package func embed(
    _ images: borrowing ImageBatch, output: Output, inference: Inference = .float32,
    into result: UnsafeMutableBufferPointer<Float>
  ) throws(EngineError) {
    try images.checkChannels(of: self)
    let needed = images.count * (try length(of: output))
    guard let target = result.baseAddress, result.count >= needed else {
      throw EngineError(code: .argument, message: "result has room for \(result.count) numbers; \(needed) are needed")
    }
    try check(
      inference.embed(
        handle, output.engine, images.pixels.baseAddress, Int64(images.count), images.height, images.width, target))
  }

  /// Records the largest activation of every layer over normalised images [count][height][width][channels], which
  /// ``Inference/int8`` needs. Further calls add images, until the weights change.
  public func calibrate(images: [Float], count: Int, height: Int, width: Int) throws(EngineError) {
    let channels = try info().configuration.channels
    try images.withUnsafeBufferPointer { (images) throws(EngineError) in
      try calibrate(try ImageBatch(lending: images, count: count, height: height, width: width, channels: channels))
    }
  }

  package func calibrate(_ images: borrowing ImageBatch) throws(EngineError) {
    try images.checkChannels(of: self)
    try check(
      swav_network_calibrate(handle, images.pixels.baseAddress, Int64(images.count), images.height, images.width))
  }

  /// What calibration found: the largest value behind each convolution that ends in a ReLU, by the layer's name. Throws `.argument`
  /// without a calibration of the weights as they are.
  package func activationRanges() throws(EngineError) -> [String: Float] {
    var (ranges, range) = ([String: Float](), swav_activation_range())
    try check(swav_network_activation_range(handle, 0, &range))
    var index: Int64 = 0
    repeat {
      ranges[String(cString: range.layer)] = range.largest
      index += 1
    } while swav_network_activation_range(handle, index, &range) == SWAV_OK
    return ranges
  }

  /// Re-estimates the batch-norm buffers as the average over batches of images: begin, any number of batches, end.
  package func beginRecalibration() throws(EngineError) { try check(swav_network_recalibrate_begin(handle)) }

  package func recalibrate(_ images: borrowing ImageBatch) throws(EngineError) {
    try images.checkChannels(of: self)
    try check(
      swav_network_recalibrate_batch(
        handle, images.pixels.baseAddress, Int64(images.count), images.height, images.width))
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

  /// The name of tensor number `index`, without its numbers.
  package func tensorName(at index: Int) throws(EngineError) -> String {
    var tensor = swav_tensor()
    try check(swav_network_tensor(handle, Int64(index), &tensor))
    return String(cString: tensor.name)
  }

  /// Learned numbers of the backbone, without those of head and prototypes.
  package func backboneParameterCount() throws(EngineError) -> Int {
    var (sum, tensor) = (0, swav_tensor())
    for index in 0..<(try info().tensorCount) {
      try check(swav_network_tensor(handle, Int64(index), &tensor))
      let name = String(cString: tensor.name)
      guard tensor.kind == SWAV_TENSOR_PARAMETER, !name.hasPrefix("projection_head"), !name.hasPrefix("prototypes") else {
        continue
      }
      sum += Int(tensor.count)
    }
    return sum
  }

  /// Copies tensor number `index` (0..<`tensorCount`). Counters come as one float.
  public func tensor(at index: Int) throws(EngineError) -> Tensor {
    var tensor = swav_tensor()
    try check(swav_network_tensor(handle, Int64(index), &tensor))
    let shape = SwAVEngine.values(tensor.shape, count: Int(tensor.rank), as: Int64.self).map(Int.init)
    let numbers: [Float]
    if tensor.kind == SWAV_TENSOR_COUNTER {
      var counter: Int64 = 0
      try check(swav_network_read_tensor(handle, Int64(index), &counter, 1))
      numbers = [Float(counter)]
    } else {
      var read = [Float](repeating: 0, count: Int(tensor.count))
      try check(swav_network_read_tensor(handle, Int64(index), &read, tensor.count))
      numbers = read
    }
    return Tensor(
      name: String(cString: tensor.name), isBuffer: tensor.kind != SWAV_TENSOR_PARAMETER, shape: shape, values: numbers)
  }
}
