import Foundation
import SwAVEngine
public import SwAVModel

/// A network as files for other programs: its weights, a card that says what they are, and one input with what the network gives
/// for it, with the lines of Python that compare.
///
///     var export = NetworkExport(.onnx)
///     export.onnx.foldsNormalization = true
///     try export.write(network, to: "exported")
public struct NetworkExport: Sendable {
  public enum Format: String, Sendable, CaseIterable {
    /// Tensors by name: for PyTorch, timm, JAX, Candle and others.
    case safetensors
    /// The same as a file of PyTorch's, which `torch.load(weights_only=True)` reads.
    case torch
    /// A graph with free batch and image size: for ONNX Runtime, OpenVINO and others.
    case onnx
    /// A folder that `timm.create_model("local-dir:...")` reads.
    case timm

    /// What the name of its file ends in.
    var ending: String {
      switch self {
      case .safetensors, .timm: "safetensors"
      case .torch: "pth"
      case .onnx: "onnx"
      }
    }
  }

  public struct ONNXOptions: Sendable, Equatable {
    /// Batch-norm as a factor and a bias of the convolution before it; else nodes of their own.
    public var foldsNormalization = false
    /// Activations and weights rounded to 8 bits by nodes QuantizeLinear and DequantizeLinear, but for the first convolution and the
    /// head; the network has a calibration. Folds.
    public var usesIntegers = false
  }

  public var format: Format
  /// Whose names the tensors have; of `.safetensors` and `.torch` only.
  public var keys = TensorKeys.torchvision
  /// With projection head and prototypes; not of `.timm`.
  public var includesHead = false
  public var onnx = ONNXOptions()
  public var card = ModelCard()

  public init(_ format: Format) { self.format = format }

  /// The files that were written.
  public struct Files: Codable, Sendable, Equatable {
    public var weights: String
    /// Weights that a model of ONNX is too large for.
    public var data: String?
    /// timm's config.json.
    public var configuration: String?
    public var card: String
    public var fixture: String
  }

  /// Writes to a folder, which is made where it is not there, or, where the path ends as files of the format do (.safetensors, .pth or
  /// .pt, .onnx), to that file with the card and the fixture beside it.
  ///
  /// Throws `.argument` for a choice that the format has not, `.unsupported` for a network that it has not.
  public func write(_ network: Network, to path: String) throws -> Files {
    let info = try network.info()
    try checkChoices(info)
    var files = places(path)
    try requireNoForeignCard(files.names.card)
    let fixture = try Fixture(of: network, includesHead: includesHead)
    if files.isFolder {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    switch format {
    case .safetensors: try network.export(to: files.names.weights, keys: keys, includesHead: includesHead)
    case .torch: try network.export(to: files.names.weights, as: .torch, keys: keys, includesHead: includesHead)
    case .timm: try network.export(to: files.names.weights, keys: .timm)
    case .onnx: files.names.data = try writeONNX(network, info, files.names.weights)
    }
    if let configuration = files.names.configuration {
      try write(TimmConfiguration(network).json, to: configuration)
    }
    try fixture.write(to: files.names.fixture)
    let text = try card.text(of: network, self, files.names)
    try write(text, to: files.names.card)
    return files.names
  }

  /// A README.md that is there and is no card is somebody's.
  private func requireNoForeignCard(_ path: String) throws(EngineError) {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8), !text.isEmpty, !text.hasPrefix(ModelCard.beginning)
    else {
      return
    }
    throw EngineError(code: .argument, message: "\(path): it is there and is no card; name another folder, or move it")
  }

  private func checkChoices(_ info: Network.Info) throws(EngineError) {
    func refuse(_ message: String) -> EngineError { EngineError(code: .argument, message: message) }
    if (format == .onnx || format == .timm) && keys != .torchvision {
      throw refuse("keys is \(keys.rawValue); files of \(format.rawValue) have names of their own")
    }
    if format != .onnx && onnx != ONNXOptions() {
      throw refuse("folding and integers are of the format onnx; the format is \(format.rawValue)")
    }
    if keys == .detectron2 {
      let base = info.configuration.baseWidth * info.configuration.architecture.width
      guard info.configuration.stem == .imagenet else { throw refuse("keys is detectron2, which has no small stem") }
      guard info.configuration.architecture.isBottleneck || base == 64 else {
        throw refuse("keys is detectron2, whose ResNet-18 and 34 have 64 channels; this one has \(base)")
      }
    }
    if includesHead {
      guard format != .timm else { throw refuse("the head is asked for; timm's folders hold the backbone alone") }
      guard info.configuration.dim > 0 else { throw refuse("the head is asked for; this network has none") }
    }
  }

  /// More bytes of weights than this go into a file of their own: a message of protocol buffers ends at 2 GiB.
  private static let mostInside = 1 << 30

  /// Returns the path of the file of weights, where there is one.
  private func writeONNX(_ network: Network, _ info: Network.Info, _ path: String) throws -> String? {
    let data = info.parameterCount * 4 > NetworkExport.mostInside ? path + ".data" : nil
    let file = try data.map { try ONNXDataFile($0) }
    var graph = try ONNXNetwork(network, onnx, weights: file.map { .beside($0) } ?? .inside)
    let bytes = try graph.serialized(includesHead: includesHead)
    try file?.close()
    try bytes.write(to: URL(fileURLWithPath: path), options: .atomic)
    return data
  }

  private func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
  }

  private func places(_ path: String) -> (isFolder: Bool, names: Files) {
    let endings = format == .torch ? [".pth", ".pt"] : format == .timm ? [] : ["." + format.ending]
    if endings.contains(where: { path.lowercased().hasSuffix($0) }) {
      return (false, Files(weights: path, card: path + ".md", fixture: path + ".fixture.safetensors"))
    }
    let base = path.hasSuffix("/") ? path : path + "/"
    let names = Files(
      weights: base + "model." + format.ending, configuration: format == .timm ? base + "config.json" : nil,
      card: base + "README.md", fixture: base + "fixture.safetensors")
    return (true, names)
  }
}
