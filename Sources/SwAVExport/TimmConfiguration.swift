import Foundation
import SwAVModel

/// What timm's `create_model("local-dir:...")` reads beside the weights.
struct TimmConfiguration: Encodable {
  private var architecture: String
  private var numFeatures: Int
  private let numClasses = 0
  private let globalPool = "avg"
  private var modelArgs: Arguments?
  private var pretrainedCfg: Pretrained

  /// Of timm's ResNet, where it is not that of its name.
  private struct Arguments: Encodable {
    /// Widths of the stages before the expansion of a bottleneck.
    var channels: [Int]?
    var inChans: Int?
  }

  private struct Pretrained: Encodable {
    let tag = "swav"
    let customLoad = false
    var inputSize: [Int]
    let fixedInputSize = false
    let interpolation = "bilinear"
    /// timm resizes the shorter side to the whole part of size / cropPct.
    var cropPct: Double
    let cropMode = "center"
    var mean: [Double]
    var std: [Double]
    let numClasses = 0
    let poolSize = [7, 7]
    let firstConv = "conv1"
    let classifier = "fc"
  }

  init(_ network: Network) throws {
    let (info, input) = (try network.info(), try network.input())
    let (channels, base) = (info.configuration.channels, info.configuration.baseWidth * info.configuration.architecture.width)
    architecture = "resnet\(info.configuration.architecture.depth)"
    numFeatures = info.featureDim
    if base != 64 || channels != 3 {
      modelArgs = Arguments(channels: base == 64 ? nil : (0..<4).map { base << $0 }, inChans: channels == 3 ? nil : channels)
    }
    func readable(_ values: [Float]) -> [Double] { values.map { Double("\($0)") ?? Double($0) } }
    // Rounded down, so that the division gives the side of the evaluation view and not one pixel less.
    let resized = (Double(input.size) * 256 / 224).rounded()
    pretrainedCfg = Pretrained(
      inputSize: [channels, input.size, input.size], cropPct: (Double(input.size) / resized * 1e6).rounded(.down) / 1e6,
      mean: readable(input.mean), std: readable(input.std))
  }

  var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
      encoder.keyEncodingStrategy = .convertToSnakeCase
      return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }
  }
}
