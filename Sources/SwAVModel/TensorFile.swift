import CSwAV
public import SwAVEngine

/// A file of tensors, to look inside: any that ``Network/open(_:_:)`` reads.
public struct TensorFile: ~Copyable {
  private let handle: OpaquePointer
  /// "safetensors", "PyTorch's zip archive", ...
  public let format: String
  public let tensorCount: Int
  /// Texts beside the tensors.
  public let metadata: [String: String]

  /// Reads names, types and shapes.
  public init(_ path: String) throws(EngineError) {
    var file = OpaquePointer?.none
    try check(swav_tensor_file_open(path, &file))
    guard let file else { throw EngineError(code: .internal, message: "the engine gave no file") }
    var info = swav_tensor_file_info()
    var texts: [String: String] = [:]
    do throws(EngineError) {
      try check(swav_tensor_file_describe(file, &info))
      for index in 0..<info.metadata_count {
        var (key, value) = (UnsafePointer<CChar>?.none, UnsafePointer<CChar>?.none)
        try check(swav_tensor_file_metadata(file, index, &key, &value))
        if let key, let value { texts[String(cString: key)] = String(cString: value) }
      }
    } catch {
      swav_tensor_file_close(file)
      throw error
    }
    handle = file
    format = text(info.format)
    tensorCount = Int(info.tensor_count)
    metadata = texts
  }

  deinit { swav_tensor_file_close(handle) }

  /// One tensor, and what its values are like.
  public struct Tensor: Codable, Sendable, Equatable {
    public var name: String
    /// "F32", "BF16", ... as safetensors writes it.
    public var dtype: String
    /// At most 8 dimensions.
    public var shape: [Int]
    public var count: Int
    /// nil where the type is not read here.
    public var values: Values?

    /// Of the values that are finite.
    public struct Values: Codable, Sendable, Equatable {
      public var mean: Double
      public var std: Double
      public var smallest: Double
      public var largest: Double
      /// How many are infinite or NaN.
      public var nonFinite: Int
    }
  }

  /// Reads tensor number `index` (0..<`tensorCount`), in the order of the names.
  public func tensor(at index: Int) throws(EngineError) -> Tensor {
    var tensor = swav_stored_tensor()
    try check(swav_tensor_file_tensor(handle, Int64(index), &tensor))
    let rank = min(Int(tensor.rank), Int(SWAV_MAX_RANK))
    let described = Tensor.Values(
      mean: tensor.mean, std: tensor.std, smallest: tensor.smallest, largest: tensor.largest, nonFinite: Int(tensor.non_finite))
    return Tensor(
      name: String(cString: tensor.name), dtype: String(cString: tensor.type),
      shape: values(tensor.shape, count: rank, as: Int64.self).map(Int.init), count: Int(tensor.count),
      values: tensor.has_values ? described : nil)
  }

  /// What ``Network/open(_:_:)`` would make of the file, from names and shapes alone; throws as that would.
  public func recognized(
    _ options: LoadOptions = LoadOptions()
  ) throws(EngineError) -> (configuration: NetworkConfiguration, report: LoadReport) {
    var (config, report) = (swav_network_config(), swav_load_report())
    try check(options.withEngine { swav_tensor_file_recognize(handle, $0, &config, &report) })
    guard let configuration = NetworkConfiguration(config) else {
      throw EngineError(code: .unsupported, message: "ResNet-\(config.depth) of width \(config.width) has no name here")
    }
    return (configuration, LoadReport(report))
  }
}
