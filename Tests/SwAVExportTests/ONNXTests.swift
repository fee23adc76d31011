import Foundation
import SwAVEngine
import SwAVTestSupport
import SwiftProtobuf
import Testing

@testable import SwAVExport
@testable import SwAVModel

/// Graphs of ONNX by themselves; that others compute the same with them is shown where those are installed: make test-interop.
@Suite struct ONNXTests {
  private func network(
    _ architecture: Architecture = .resnet18, stem: Stem = .imagenet, hidden: Int = 16, plainHead: Bool = false,
    prototypes: [Int] = [12]
  ) throws -> Network {
    try Network(
      NetworkConfiguration(
        architecture: architecture, stem: stem, baseWidth: 4, hidden: hidden, dim: 8, prototypes: prototypes,
        plainHead: plainHead), seed: 3)
  }

  private func model(
    _ network: Network, includesHead: Bool = true, _ change: (inout NetworkExport.ONNXOptions) -> Void = { _ in }
  ) throws -> Onnx_ModelProto {
    var options = NetworkExport.ONNXOptions()
    change(&options)
    var graph = try ONNXNetwork(network, options, weights: .inside)
    return try Onnx_ModelProto(serializedBytes: try graph.serialized(includesHead: includesHead))
  }

  private func operations(_ model: Onnx_ModelProto) -> [String: Int] {
    model.graph.node.reduce(into: [:]) { $0[$1.opType, default: 0] += 1 }
  }

  /// Each input of a node is made before it, each name once, and each number is used.
  private func checkNames(_ model: Onnx_ModelProto) {
    let constants = model.graph.initializer.map(\.name)
    var known = Set(constants + model.graph.input.map(\.name))
    var used: Set<String> = []
    #expect(known.count == constants.count + 1)
    for node in model.graph.node {
      for input in node.input { #expect(known.contains(input), "\(node.name) reads \(input)") }
      used.formUnion(node.input)
      for output in node.output { #expect(known.insert(output).inserted, "\(output) is made twice") }
    }
    for output in model.graph.output { #expect(known.contains(output.name)) }
    #expect(constants.allSatisfy(used.contains))
    for tensor in model.graph.initializer {
      let size = tensor.dataType == .float ? 4 : 1
      #expect(tensor.rawData.count == tensor.dims.reduce(1, *) * Int64(size))
    }
  }

  @Test(arguments: [Architecture.resnet18, .resnet34, .resnet50], [Stem.imagenet, .small])
  func aGraphHasALayerForEachLayer(_ architecture: Architecture, _ stem: Stem) throws {
    let blocks = architecture == .resnet18 ? 8 : 16
    let convolutions = 1 + blocks * (architecture == .resnet50 ? 3 : 2) + (architecture == .resnet50 ? 4 : 3)
    let plain = try model(network(architecture, stem: stem))
    checkNames(plain)
    let found = operations(plain)
    #expect(found["Conv"] == convolutions && found["Add"] == blocks)
    // One more in the head.
    #expect(found["BatchNormalization"] == convolutions + 1)
    #expect(found["MaxPool"] == (stem == .small ? nil : 1))
    #expect(plain.graph.output.map(\.name) == ["features", "embeddings", "scores"])
    #expect(plain.opsetImport.map(\.version) == [13])
    let input = try #require(plain.graph.input.first?.type.tensorType.shape.dim)
    #expect(input.map(\.dimParam) == ["batch", "", "height", "width"] && input[1].dimValue == 3)
    let folded = try model(network(architecture, stem: stem), includesHead: false) { $0.foldsNormalization = true }
    checkNames(folded)
    #expect(operations(folded)["BatchNormalization"] == nil && operations(folded)["Gemm"] == nil)
    #expect(folded.graph.output.map(\.name) == ["features"])
  }

  @Test func headsOfAllShapes() throws {
    let plain = operations(try model(network(plainHead: true)))
    #expect(plain["Gemm"] == 3)
    #expect(operations(try model(network(hidden: 0)))["Gemm"] == 2)
    let two = try model(network(prototypes: [12, 5]))
    checkNames(two)
    #expect(two.graph.output.map(\.name) == ["features", "embeddings", "scores", "scores1"])
  }

  @Test func foldingIsABatchNormOfTheConvolution() throws {
    func tensor(_ values: [Float]) -> Network.Tensor {
      Network.Tensor(name: "", isBuffer: false, shape: [values.count], values: values)
    }
    let (gamma, beta, mean, variance): ([Float], [Float], [Float], [Float]) = ([2, -1], [0.5, 3], [1, -2], [4, 0.25])
    let fold = try Fold(of: [gamma, beta, mean, variance].map(tensor), epsilon: 1e-5)
    let weights: [Float] = [1, 2, 3, 4, 5, 6]
    let folded = fold.applied(to: weights)
    for filter in 0..<2 {
      let input: [Double] = [0.3, -0.7, 1.1]
      func sum(_ values: [Float]) -> Double { (0..<3).reduce(0) { $0 + Double(values[filter * 3 + $1]) * input[$1] } }
      let expected =
        Double(gamma[filter]) * (sum(weights) - Double(mean[filter])) / (Double(variance[filter]) + 1e-5).squareRoot()
        + Double(beta[filter])
      // Four numbers are rounded to 24 bits.
      #expect(abs(sum(folded) + Double(fold.bias[filter]) - expected) <= 8 * 6e-8 * abs(expected) + 1e-6)
    }
  }

  @Test func integersNeedACalibrationAndRoundWeightsAndMaps() throws {
    let network = try network()
    let error = #expect(throws: EngineError.self) { try model(network) { $0.usesIntegers = true } }
    #expect(error?.message.contains("calibrate on some images first") == true)
    let images: [Float] = (0..<32 * 32 * 3).map { index in Float(index * 7919 % 251) / 251 - 0.5 }
    try network.calibrate(images: images, count: 1, height: 32, width: 32)
    let found = try model(network) { $0.usesIntegers = true }
    checkNames(found)
    let counts = operations(found)
    // Maps: behind the pooling, and each convolution of eight blocks but the last; weights: all but the stem's.
    #expect(counts["QuantizeLinear"] == 1 + 16 - 1)
    #expect(counts["DequantizeLinear"] == 16 + 19)
    let weights = try #require(found.graph.initializer.first { $0.name == "layer1.0.conv1.weight.integers" })
    #expect(weights.dataType == .int8 && (weights.rawData.contains(127) || weights.rawData.contains(129)))
    let scales = found.graph.initializer.filter { $0.name.hasSuffix(".scale") && $0.dims.isEmpty }
    #expect(scales.count == 16)
    for scale in scales { #expect(scale.rawData.withUnsafeBytes { $0.loadUnaligned(as: Float.self) } > 0) }
  }

  @Test func numbersThatAreTooManyForAMessageLieInAFileBesideIt() throws {
    let folder = try TemporaryFolder()
    let network = try network()
    let file = try ONNXDataFile(folder.path + "/m.onnx.data")
    var graph = try ONNXNetwork(network, .init(), weights: .beside(file))
    let outside = try Onnx_ModelProto(serializedBytes: try graph.serialized(includesHead: true))
    try file.close()
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/m.onnx.data"))
    let inside = try model(network)
    #expect(outside.graph.initializer.count == inside.graph.initializer.count)
    for (a, b) in zip(outside.graph.initializer, inside.graph.initializer) {
      let facts = Dictionary(uniqueKeysWithValues: a.externalData.map { ($0.key, $0.value) })
      #expect(a.dataLocation == .external && facts["location"] == "m.onnx.data")
      let (offset, length) = (
        try #require(facts["offset"].flatMap { Int($0) }), try #require(facts["length"].flatMap { Int($0) })
      )
      #expect(offset % 64 == 0 && data[offset..<offset + length] == b.rawData)
    }
  }
}
