import Foundation
import SwAVEngine

/// A graph of ONNX under construction: nodes, and the numbers that they are given.
struct ONNXBuilder {
  /// What the operators below ask for: quantization by channel came with 13.
  static let opset: Int64 = 13
  static let irVersion: Int64 = 8

  private var graph = Onnx_GraphProto()
  private let weights: WeightsSink

  /// Numbers go into the model itself, or where there are too many for a message of protocol buffers into a file beside it.
  enum WeightsSink {
    case inside
    case beside(ONNXDataFile)
  }

  init(name: String, weights: WeightsSink) {
    graph.name = name
    self.weights = weights
  }

  /// Adds a node with one output; returns the output's name.
  @discardableResult
  mutating func add(_ operation: String, _ inputs: [String], to output: String, _ attributes: [Onnx_AttributeProto] = [])
    -> String
  {
    var node = Onnx_NodeProto()
    (node.opType, node.name, node.input, node.output, node.attribute) = (operation, output, inputs, [output], attributes)
    graph.node.append(node)
    return output
  }

  /// Numbers as an input of nodes; returns the name.
  @discardableResult
  mutating func constant(_ name: String, _ shape: [Int], _ values: [Float]) throws -> String {
    try constant(name, shape, .float, values.withUnsafeBytes { Data($0) })
  }

  @discardableResult
  mutating func constant(_ name: String, _ shape: [Int], _ values: [Int8]) throws -> String {
    try constant(name, shape, .int8, values.withUnsafeBytes { Data($0) })
  }

  @discardableResult
  mutating func constant(_ name: String, _ shape: [Int], _ values: [UInt8]) throws -> String {
    try constant(name, shape, .uint8, Data(values))
  }

  private mutating func constant(
    _ name: String, _ shape: [Int], _ type: Onnx_TensorProto.DataType, _ bytes: Data
  ) throws -> String {
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dims, tensor.dataType) = (name, shape.map(Int64.init), type)
    switch weights {
    case .inside: tensor.rawData = bytes
    case .beside(let file):
      let offset = try file.append(bytes)
      tensor.dataLocation = .external
      tensor.externalData = [("location", file.name), ("offset", "\(offset)"), ("length", "\(bytes.count)")].map(
        ONNXBuilder.entry)
    }
    graph.initializer.append(tensor)
    return name
  }

  /// Float32 arrays that go in and come out; a text as extent is one that is free.
  mutating func input(_ name: String, _ shape: [Extent]) { graph.input.append(ONNXBuilder.value(name, shape)) }
  mutating func output(_ name: String, _ shape: [Extent]) { graph.output.append(ONNXBuilder.value(name, shape)) }

  enum Extent {
    case fixed(Int)
    case free(String)
  }

  private static func value(_ name: String, _ shape: [Extent]) -> Onnx_ValueInfoProto {
    var value = Onnx_ValueInfoProto()
    value.name = name
    value.type.tensorType.elemType = Int32(Onnx_TensorProto.DataType.float.rawValue)
    value.type.tensorType.shape.dim = shape.map { extent in
      var dimension = Onnx_TensorShapeProto.Dimension()
      switch extent {
      case .fixed(let count): dimension.dimValue = Int64(count)
      case .free(let name): dimension.dimParam = name
      }
      return dimension
    }
    return value
  }

  private static func entry(_ key: String, _ value: String) -> Onnx_StringStringEntryProto {
    var entry = Onnx_StringStringEntryProto()
    (entry.key, entry.value) = (key, value)
    return entry
  }

  /// The bytes of the file. `facts` are texts that travel with the model.
  func serialized(facts: KeyValuePairs<String, String>) throws -> Data {
    var model = Onnx_ModelProto()
    var operators = Onnx_OperatorSetIdProto()
    (operators.domain, operators.version) = ("", ONNXBuilder.opset)
    (model.irVersion, model.producerName, model.producerVersion) = (ONNXBuilder.irVersion, "swav", Runtime.versionText)
    (model.graph, model.opsetImport) = (graph, [operators])
    model.metadataProps = facts.map { ONNXBuilder.entry($0.key, $0.value) }
    return try model.serializedData()
  }
}

/// Attributes of nodes.
extension Onnx_AttributeProto {
  static func integer(_ name: String, _ value: Int) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto()
    (attribute.name, attribute.type, attribute.i) = (name, .int, Int64(value))
    return attribute
  }

  static func integers(_ name: String, _ values: [Int]) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto()
    (attribute.name, attribute.type, attribute.ints) = (name, .ints, values.map(Int64.init))
    return attribute
  }

  static func number(_ name: String, _ value: Float) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto()
    (attribute.name, attribute.type, attribute.f) = (name, .float, value)
    return attribute
  }
}

/// The numbers of a model that is too large for one message, in a file beside it. Written aside and renamed by ``close()``: a model that is
/// there keeps its own until then.
final class ONNXDataFile {
  /// As the model names it: without a folder.
  let name: String
  private let path: String
  private var aside: String { path + ".partial" }
  private let handle: FileHandle
  private var length = 0

  /// A file that is there is replaced.
  init(_ path: String) throws {
    self.path = path
    name = URL(fileURLWithPath: path).lastPathComponent
    let aside = path + ".partial"
    guard FileManager.default.createFile(atPath: aside, contents: nil), let handle = FileHandle(forWritingAtPath: aside) else {
      throw EngineError(code: .io, message: "cannot write \(path)")
    }
    self.handle = handle
  }

  /// Where the bytes are: at a multiple of 64, so that they can be mapped.
  func append(_ bytes: Data) throws -> Int {
    let padding = (64 - length % 64) % 64
    try handle.write(contentsOf: Data(count: padding))
    try handle.write(contentsOf: bytes)
    let offset = length + padding
    length = offset + bytes.count
    return offset
  }

  func close() throws {
    try handle.synchronize()
    try handle.close()
    guard rename(aside, path) == 0 else { throw EngineError(code: .io, message: "cannot write \(path)") }
  }

  deinit { unlink(aside) }
}
