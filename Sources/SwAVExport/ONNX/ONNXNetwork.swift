import Foundation
import SwAVEngine
import SwAVModel

/// A network as a graph of ONNX, in the order in which an image goes through it.
struct ONNXNetwork {
  /// Of every batch-norm, as the engine and torchvision have it.
  private static let epsilon: Float = 1e-5

  private let network: Network
  private let configuration: NetworkConfiguration
  private let featureDim: Int
  private let options: NetworkExport.ONNXOptions
  private let indices: [String: Int]
  /// Largest activation behind a layer, for integers.
  private let ranges: [String: Float]
  private var builder: ONNXBuilder

  init(_ network: Network, _ options: NetworkExport.ONNXOptions, weights: ONNXBuilder.WeightsSink) throws {
    let info = try network.info()
    (self.network, configuration, featureDim, self.options) = (network, info.configuration, info.featureDim, options)
    var indices: [String: Int] = [:]
    for index in 0..<info.tensorCount { indices[try network.tensorName(at: index)] = index }
    self.indices = indices
    ranges = options.usesIntegers ? try network.activationRanges() : [:]
    builder = ONNXBuilder(name: info.configuration.architecture.rawValue, weights: weights)
  }

  /// The bytes of the file.
  mutating func serialized(includesHead: Bool) throws -> Data {
    let input = try network.input()
    builder.input("images", [.free("batch"), .fixed(configuration.channels), .free("height"), .free("width")])
    try addHead(try addBackbone("images"), isWanted: includesHead)
    func text(_ values: [Float]) -> String { values.map { "\($0)" }.joined(separator: ",") }
    return try builder.serialized(facts: [
      "architecture": configuration.architecture.rawValue, "input_size": "\(input.size)", "mean": text(input.mean),
      "std": text(input.std),
    ])
  }

  private func tensor(_ name: String) throws -> Network.Tensor {
    guard let index = indices[name] else {
      throw EngineError(code: .internal, message: "the network has no tensor \(name)")
    }
    return try network.tensor(at: index)
  }
}

extension ONNXNetwork {
  private mutating func addBackbone(_ images: String) throws -> String {
    let isSmall = configuration.stem == .small
    var map = try addConvolution(
      images, "conv1", "bn1", stride: isSmall ? 1 : 2, padding: isSmall ? 1 : 3, isRectified: true, isInteger: false)
    if !isSmall {
      map = builder.add(
        "MaxPool", [map], to: "maxpool",
        [.integers("kernel_shape", [3, 3]), .integers("pads", [1, 1, 1, 1]), .integers("strides", [2, 2])])
    }
    map = try addRounding(map, of: "conv1")
    for stage in 1...4 {
      var block = 0
      while indices["layer\(stage).\(block).conv1.weight"] != nil {
        map = try addBlock(map, "layer\(stage).\(block)", stride: stage > 1 && block == 0 ? 2 : 1)
        block += 1
      }
    }
    return builder.add(
      "Flatten", [builder.add("GlobalAveragePool", [map], to: "pooled")], to: "features", [.integer("axis", 1)])
  }

  /// Two or three convolutions, and the sum with what went in.
  private mutating func addBlock(_ input: String, _ name: String, stride: Int) throws -> String {
    // The stride sits on the 3x3 convolution that comes first.
    let kernels = configuration.architecture.isBottleneck ? [1, 3, 1] : [3, 3]
    let strided = configuration.architecture.isBottleneck ? 2 : 1
    var map = input
    for (index, kernel) in kernels.enumerated() {
      let number = index + 1
      let isLast = number == kernels.count
      map = try addConvolution(
        map, "\(name).conv\(number)", "\(name).bn\(number)", stride: number == strided ? stride : 1, padding: kernel / 2,
        isRectified: !isLast)
      if !isLast { map = try addRounding(map, of: "\(name).conv\(number)") }
    }
    let hasProjection = indices["\(name).downsample.0.weight"] != nil
    let identity =
      hasProjection
      ? try addConvolution(
        input, "\(name).downsample.0", "\(name).downsample.1", stride: stride, padding: 0, isRectified: false) : input
    let sum = builder.add("Add", [map, identity], to: "\(name).sum")
    map = builder.add("Relu", [sum], to: name)
    return try addRounding(map, of: "\(name).conv\(kernels.count)")
  }

  /// A convolution and the batch-norm behind it, as two nodes or folded into one.
  private mutating func addConvolution(
    _ input: String, _ name: String, _ norm: String, stride: Int, padding: Int, isRectified: Bool, isInteger: Bool = true
  ) throws -> String {
    let weight = try tensor(name + ".weight")
    let attributes: [Onnx_AttributeProto] = [
      .integers("kernel_shape", Array(weight.shape[2...])), .integers("pads", Array(repeating: padding, count: 4)),
      .integers("strides", [stride, stride]),
    ]
    var output: String
    if options.foldsNormalization || options.usesIntegers {
      let fold = try Fold(of: try normalization(norm), epsilon: ONNXNetwork.epsilon)
      let folded = fold.applied(to: weight.values)
      let kernel =
        options.usesIntegers && isInteger
        ? try addIntegers(name + ".weight", weight.shape, folded) : try builder.constant(name + ".weight", weight.shape, folded)
      let bias = try builder.constant(name + ".bias", [fold.bias.count], fold.bias)
      output = builder.add("Conv", [input, kernel, bias], to: name, attributes)
    } else {
      let kernel = try builder.constant(name + ".weight", weight.shape, weight.values)
      output = try addNormalization(builder.add("Conv", [input, kernel], to: name, attributes), norm)
    }
    if isRectified { output = builder.add("Relu", [output], to: name + ".relu") }
    return output
  }

  private static let normalizationParts = ["weight", "bias", "running_mean", "running_var"]

  private func normalization(_ name: String) throws -> [Network.Tensor] {
    try ONNXNetwork.normalizationParts.map { try tensor("\(name).\($0)") }
  }

  private mutating func addNormalization(_ input: String, _ name: String) throws -> String {
    var inputs = [input]
    for part in try normalization(name) { inputs.append(try builder.constant(part.name, part.shape, part.values)) }
    return builder.add("BatchNormalization", inputs, to: name, [.number("epsilon", ONNXNetwork.epsilon)])
  }
}

extension ONNXNetwork {
  /// In integers: the map rounded to 0...255 times its scale, as those that read it see it. The last one, of which the features are
  /// the mean, stays as it is.
  private mutating func addRounding(_ map: String, of layer: String) throws -> String {
    guard options.usesIntegers, layer != configuration.architecture.lastConvolution else { return map }
    guard let largest = ranges[layer] else {
      throw EngineError(code: .internal, message: "the calibration has no range of \(layer)")
    }
    let scale = try builder.constant(map + ".scale", [], [largest > 0 ? largest / 255 : 1])
    let zero = try builder.constant(map + ".zero", [], [UInt8(0)])
    let rounded = builder.add("QuantizeLinear", [map, scale, zero], to: map + ".integers")
    return builder.add("DequantizeLinear", [rounded, scale, zero], to: map + ".rounded")
  }

  /// Weights as integers in -127...127 times a scale for each filter.
  private mutating func addIntegers(_ name: String, _ shape: [Int], _ values: [Float]) throws -> String {
    let (filters, length) = (shape[0], values.count / max(1, shape[0]))
    var (integers, scales) = ([Int8](repeating: 0, count: values.count), [Float](repeating: 1, count: filters))
    for filter in 0..<filters {
      let range = filter * length..<(filter + 1) * length
      let largest = values[range].reduce(0) { max($0, abs($1)) }
      if largest > 0 { scales[filter] = largest / 127 }
      for index in range {
        integers[index] = Int8(max(-127, min(127, (values[index] / scales[filter]).rounded(.toNearestOrEven))))
      }
    }
    let inputs = [
      try builder.constant(name + ".integers", shape, integers), try builder.constant(name + ".scale", [filters], scales),
      try builder.constant(name + ".zero", [filters], [Int8](repeating: 0, count: filters)),
    ]
    return builder.add("DequantizeLinear", inputs, to: name, [.integer("axis", 0)])
  }
}

extension ONNXNetwork {
  private mutating func addHead(_ features: String, isWanted: Bool) throws {
    builder.output("features", [.free("batch"), .fixed(featureDim)])
    guard isWanted, configuration.dim > 0 else { return }
    var map = features
    if configuration.hidden > 0 {
      map = try addLinear(map, "projection_head.0")
      if !configuration.plainHead { map = try addNormalization(map, "projection_head.1") }
      map = builder.add("Relu", [map], to: "projection_head.relu")
      map = try addLinear(map, configuration.plainHead ? "projection_head.2" : "projection_head.3")
    } else {
      map = try addLinear(map, "projection_head")
    }
    builder.add("LpNormalization", [map], to: "embeddings", [.integer("axis", 1), .integer("p", 2)])
    builder.output("embeddings", [.free("batch"), .fixed(configuration.dim)])
    for set in configuration.prototypes.indices {
      let isOnly = configuration.prototypes.count == 1
      let prototypes = try tensor(isOnly ? "prototypes.weight" : "prototypes.prototypes\(set).weight")
      let units = unitRows(prototypes.values, length: configuration.dim)
      let weight = try builder.constant(prototypes.name, prototypes.shape, units)
      let output = set == 0 ? "scores" : "scores\(set)"
      builder.add("Gemm", ["embeddings", weight], to: output, [.integer("transB", 1)])
      builder.output(output, [.free("batch"), .fixed(configuration.prototypes[set])])
    }
  }

  private mutating func addLinear(_ input: String, _ name: String) throws -> String {
    let (weight, bias) = (try tensor(name + ".weight"), try tensor(name + ".bias"))
    let inputs = [
      input, try builder.constant(weight.name, weight.shape, weight.values),
      try builder.constant(bias.name, bias.shape, bias.values),
    ]
    return builder.add("Gemm", inputs, to: name, [.integer("transB", 1)])
  }
}

/// Rows of unit norm; rows of zeros stay.
func unitRows(_ values: [Float], length: Int) -> [Float] {
  var units = values
  for start in stride(from: 0, to: values.count, by: length) {
    let norm = values[start..<start + length].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    guard norm > 0 else { continue }
    for index in start..<start + length { units[index] = Float(Double(values[index]) / norm) }
  }
  return units
}

/// A batch-norm with running statistics as a factor of each filter of the convolution before it, and a bias.
struct Fold {
  private var factors: [Double] = []
  private(set) var bias: [Float] = []

  /// `parts` are weight, bias, running mean and running variance.
  init(of parts: [Network.Tensor], epsilon: Float) throws {
    for channel in parts[0].values.indices {
      let (gamma, beta) = (Double(parts[0].values[channel]), Double(parts[1].values[channel]))
      let (mean, variance) = (Double(parts[2].values[channel]), Double(parts[3].values[channel]))
      let factor = gamma / (variance + Double(epsilon)).squareRoot()
      factors.append(factor)
      bias.append(Float(beta - mean * factor))
    }
  }

  /// Of weights [filters][...].
  func applied(to weights: [Float]) -> [Float] {
    let length = weights.count / max(1, factors.count)
    return weights.indices.map { Float(Double(weights[$0]) * factors[$0 / length]) }
  }
}
