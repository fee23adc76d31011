import Foundation
import SwAVEngine
import SwAVExport
import SwAVModel
import SwAVTestSupport
import Testing

/// What is written beside the weights, and what is refused.
@Suite struct NetworkExportTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path + "/out" }

  init() throws { folder = try TemporaryFolder() }

  private func network(_ architecture: Architecture = .resnet18, baseWidth: Int = 4, stem: Stem = .imagenet) throws -> Network {
    let network = try Network(
      NetworkConfiguration(
        architecture: architecture, stem: stem, baseWidth: baseWidth, hidden: 16, dim: 8, prototypes: [12]), seed: 3)
    try network.describeInput(InputDescription(size: 96, mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3]))
    return network
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  @Test(arguments: NetworkExport.Format.allCases)
  func aFolderHasWeightsACardAndAFixture(_ format: NetworkExport.Format) throws {
    let network = try network()
    var export = NetworkExport(format)
    export.card.licence = "For the test | only."
    let files = try export.write(network, to: path)
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    let weights = ["safetensors": "model.safetensors", "torch": "model.pth", "onnx": "model.onnx", "timm": "model.safetensors"]
    #expect(
      Set(names)
        == Set([weights[format.rawValue] ?? "", "README.md", "fixture.safetensors"] + (format == .timm ? ["config.json"] : [])))
    let card = try text(files.card)
    for part in [
      "resnet18, base width 4", "For the test | only.", "shorter side to 110 pixels", "mean (0.4, 0.5, 0.6)", "```python",
      "Not recorded: these weights were exported without the folder of their run.",
    ] { #expect(card.contains(part), "\(part)\n\(card)") }
    // The fixture says what the network gives.
    let fixture = try TensorFile(files.fixture)
    #expect(fixture.tensorCount == 2)
    #expect(try fixture.tensor(at: 0).shape == [1, 32] && fixture.tensor(at: 1).shape == [1, 3, 64, 64])
    #expect(try fixture.tensor(at: 0).values?.nonFinite == 0)
  }

  @Test func aPathThatEndsAsTheFormatIsAFile() throws {
    let network = try network()
    for (format, name) in [(NetworkExport.Format.safetensors, "a.safetensors"), (.torch, "b.pt"), (.onnx, "c.onnx")] {
      let files = try NetworkExport(format).write(network, to: folder.path + "/" + name)
      #expect(files.weights == folder.path + "/" + name && files.card == files.weights + ".md")
      #expect(FileManager.default.fileExists(atPath: files.fixture))
      #expect(try text(files.card).contains("\"\(name)\""))
    }
    // An exported file is one that is read.
    let opened = try Network.open(folder.path + "/a.safetensors").network
    #expect(try opened.input() == network.input())
  }

  @Test func theFixtureHasTheHeadWhereTheWeightsHave() throws {
    var export = NetworkExport(.safetensors)
    export.includesHead = true
    let fixture = try TensorFile(try export.write(network(), to: path).fixture)
    let names = try (0..<fixture.tensorCount).map { try fixture.tensor(at: $0).name }
    #expect(names == ["embeddings", "features", "input", "scores"])
  }

  @Test func timmIsToldWidthsSizeAndStatistics() throws {
    struct Configuration: Decodable {
      struct Arguments: Decodable { var channels: [Int]? }
      struct Pretrained: Decodable {
        var inputSize: [Int]
        var cropPct: Double
        var mean: [Double]
        var std: [Double]
      }
      var architecture: String
      var numFeatures: Int
      var modelArgs: Arguments?
      var pretrainedCfg: Pretrained
    }
    func configuration(_ network: Network) throws -> Configuration {
      let files = try NetworkExport(.timm).write(network, to: path)
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Configuration.self, from: Data(try text(try #require(files.configuration)).utf8))
    }
    let narrow = try configuration(network(.resnet50))
    #expect(narrow.architecture == "resnet50" && narrow.numFeatures == 128 && narrow.modelArgs?.channels == [4, 8, 16, 32])
    #expect(narrow.pretrainedCfg.inputSize == [3, 96, 96] && narrow.pretrainedCfg.mean == [0.4, 0.5, 0.6])
    // timm resizes to the whole part of size / cropPct: to the pixel what the evaluation view has.
    #expect(Int(96 / narrow.pretrainedCfg.cropPct) == 110)
    #expect(try configuration(network(baseWidth: 64)).modelArgs == nil)
  }

  @Test func choicesThatAFormatHasNotAreRefusedBeforeAnythingIsWritten() throws {
    func refusal(_ format: NetworkExport.Format, _ network: Network, _ change: (inout NetworkExport) -> Void = { _ in })
      -> String
    {
      var export = NetworkExport(format)
      change(&export)
      let error = #expect(throws: EngineError.self) { try export.write(network, to: path) }
      return error?.message ?? ""
    }
    #expect(try refusal(.timm, network()) { $0.includesHead = true }.contains("timm's folders hold the backbone alone"))
    #expect(try refusal(.onnx, network()) { $0.keys = .mmdet }.contains("keys is mmdet"))
    #expect(try refusal(.torch, network()) { $0.onnx.foldsNormalization = true }.contains("the format is torch"))
    let bare = try Network(
      NetworkConfiguration(architecture: .resnet18, baseWidth: 4, hidden: 0, dim: 0, prototypes: []), seed: 1)
    #expect(refusal(.onnx, bare) { $0.includesHead = true }.contains("this network has none"))
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try refusal(.timm, network(stem: .small)).contains("this network's is 3x3"))
    #expect(try refusal(.torch, network()) { $0.keys = .detectron2 }.contains("ResNet-18 and 34 have 64 channels"))
    #expect(try refusal(.torch, network(stem: .small)) { $0.keys = .detectron2 }.contains("no small stem"))
  }

  @Test func theCardOfDetectron2HasItsSettings() throws {
    var export = NetworkExport(.torch)
    export.keys = .detectron2
    let card = try text(try export.write(network(.resnet50, baseWidth: 32), to: path).card)
    for part in ["STEM_OUT_CHANNELS: 32", "RES2_OUT_CHANNELS: 128", "PIXEL_MEAN: [102.000, 127.500, 153.000]"] {
      #expect(card.contains(part), "\(card)")
    }
  }
}
