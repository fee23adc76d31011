import CSwAV
public import SwAVEngine

/// A ResNet with projection head and prototypes: its parameters and its batch-norm buffers.
///
///     let network = try Network.open("weights.safetensors").network
///     let features = try network.embed(jpegBytes, output: .features)
// Sendable: `handle` never changes after init, and the engine carries out its calls one after the other, whoever makes them.
public final class Network: @unchecked Sendable {
  package let handle: OpaquePointer

  init(handle: OpaquePointer) { self.handle = handle }

  deinit { swav_network_destroy(handle) }

  /// Initialised as the published program does (Kaiming-normal convolutions, uniform linear layers): a pure function of the arguments.
  public convenience init(_ configuration: NetworkConfiguration, seed: UInt64) throws(EngineError) {
    guard configuration.prototypes.count <= Int(SWAV_MAX_HEADS) else {
      throw EngineError(
        code: .argument, message: "prototypes has \(configuration.prototypes.count) sets; 0 to \(SWAV_MAX_HEADS) are allowed")
    }
    var (config, network) = (configuration.engine, OpaquePointer?.none)
    try check(swav_network_create(&config, seed, &network))
    self.init(handle: try Network.unwrap(network))
  }

  static func unwrap(_ network: OpaquePointer?) throws(EngineError) -> OpaquePointer {
    guard let network else { throw EngineError(code: .internal, message: "the engine gave no network") }
    return network
  }

  /// What the network is.
  public struct Info: Sendable, Equatable {
    public var configuration: NetworkConfiguration
    /// Length of the pooled backbone features.
    public var featureDim: Int
    /// Learned numbers, without buffers.
    public var parameterCount: Int
    /// Parameters and buffers.
    public var tensorCount: Int
  }

  public func info() throws(EngineError) -> Info {
    var info = swav_network_info()
    try check(swav_network_describe(handle, &info))
    guard let configuration = NetworkConfiguration(info.config) else {
      throw EngineError(
        code: .unsupported, message: "ResNet-\(info.config.depth) of width \(info.config.width) has no name here")
    }
    return Info(
      configuration: configuration, featureDim: Int(info.feature_dim), parameterCount: Int(info.parameter_count),
      tensorCount: Int(info.tensor_count))
  }
}

/// What an input has to look like; travels with the weights.
public struct InputDescription: Codable, Sendable, Equatable {
  /// Pixels a side of evaluation crops.
  public var size: Int
  /// Of samples in 0...1, one for each channel.
  public var mean: [Float]
  public var std: [Float]

  public init(size: Int, mean: [Float], std: [Float]) {
    (self.size, self.mean, self.std) = (size, mean, std)
  }
}

extension Network {
  /// What the inputs of this network look like; stored with the weights.
  public func input() throws(EngineError) -> InputDescription {
    var (input, info) = (swav_input_description(), swav_network_info())
    try check(swav_network_input(handle, &input))
    try check(swav_network_describe(handle, &info))
    let channels = Int(info.config.channels)
    return InputDescription(
      size: Int(input.size), mean: values(input.mean, count: channels, as: Float.self),
      std: values(input.std, count: channels, as: Float.self))
  }

  public func describeInput(_ description: InputDescription) throws(EngineError) {
    var input = swav_input_description()
    input.size = Int32(clamping: description.size)
    fill(&input.mean, with: description.mean)
    fill(&input.std, with: description.std)
    try check(swav_network_describe_input(handle, &input))
  }

  /// A network of its own with the same configuration, tensors, input description and calibration.
  public func copy() throws(EngineError) -> Network {
    var copy = OpaquePointer?.none
    try check(swav_network_copy(handle, &copy))
    return Network(handle: try Network.unwrap(copy))
  }
}
