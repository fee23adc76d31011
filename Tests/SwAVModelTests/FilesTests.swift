import Foundation
import SwAVEngine
import SwAVModel
import SwAVTestSupport
import Testing

@Suite struct FilesTests {
  private let folder: TemporaryFolder
  private let fixtures =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/"

  init() throws { folder = try TemporaryFolder() }

  private func message(_ body: () throws(EngineError) -> Void) -> String {
    do { try body() } catch { return "\(error.code.rawValue): \(error)" }
    return "no error"
  }

  @Test(arguments: [
    NetworkConfiguration(architecture: .resnet18, baseWidth: 128, hidden: 8, dim: 4, prototypes: [5]),
    NetworkConfiguration(architecture: .resnet34, stem: .small, baseWidth: 6, hidden: 0, dim: 4, prototypes: [5, 6, 7]),
    NetworkConfiguration(
      architecture: .resnet50w2, baseWidth: 2, channels: 1, hidden: 8, dim: 4, prototypes: [], plainHead: true),
    NetworkConfiguration(architecture: .resnet18, baseWidth: 3, dim: 0, prototypes: []),
  ])
  func aNetworkReopensAsWhatItWas(_ configuration: NetworkConfiguration) throws {
    var configuration = configuration
    if configuration.dim == 0 { configuration.hidden = 0 }
    let path = folder.path + "/w.safetensors"
    let network = try Network(configuration, seed: 3)
    try network.save(to: path)
    let opened = try Network.open(path)
    #expect(try opened.network.info() == network.info())
    #expect(try opened.network.info().configuration == configuration)
    #expect(!opened.report.isGuessed && opened.report.summary.contains("as its metadata says"))
    #expect(opened.report.missing == 0 && opened.report.unexpected == 0)
  }

  @Test func filesOfTorchLoadAndSayWhatTheyAre() throws {
    let opened = try Network.open(fixtures + "torch/published_flat_stream.pth.tar")
    #expect(try opened.network.info().configuration.architecture == .resnet50)
    #expect(opened.report.isGuessed && opened.report.matched == 328)
    #expect(
      opened.report.summary
        == "resnet50b1, guessed from names and shapes (PyTorch's stream, names of torchvision): 328 tensors matched")
    let both = fixtures + "torch/student_teacher_zip.pth"
    #expect(
      message { () throws(EngineError) in _ = try Network.open(both) }
        == "1: \(both) holds 2 encoders, under 'student.backbone.' and 'teacher.backbone.'; choose one by its prefix")
    let teacher = try Network.open(both, LoadOptions(prefix: "teacher"))
    #expect(teacher.report.prefix == "teacher.backbone." && teacher.report.unexpected == 120)
    let student = try Network(try teacher.network.info().configuration, seed: 1)
    try student.load(both, LoadOptions(prefix: "student"))
    #expect(try student.tensor(at: 0) != teacher.network.tensor(at: 0))
  }

  @Test func headAndPrototypesCanBeLeftOut() throws {
    let path = fixtures + "torch/published_flat_zip.pth"
    let bare = try Network.open(path, LoadOptions(skipsHead: true)).network
    #expect(try bare.info().configuration.dim == 0)
    let headed = try Network.open(path, LoadOptions(skipsPrototypes: true)).network
    #expect(try headed.info().configuration.dim == 4 && headed.info().configuration.prototypes == [])
  }

  @Test func aFileOfWeightsTellsWhatIsInIt() throws {
    let file = try TensorFile(fixtures + "torch/timm.safetensors")
    #expect(file.format == "safetensors" && file.tensorCount == 122 && file.metadata == ["format": "pt"])
    let tensors = try (0..<file.tensorCount).map { index throws(EngineError) in try file.tensor(at: index) }
    #expect(tensors.map(\.name) == tensors.map(\.name).sorted())
    let stem = try #require(tensors.first { $0.name == "conv1.weight" })
    #expect(stem.shape == [1, 3, 7, 7] && stem.dtype == "F32" && stem.count == 147)
    let values = try #require(stem.values)
    #expect(values.smallest >= -0.75 && values.largest <= 0.75 && values.nonFinite == 0 && abs(values.mean) < values.std)
    #expect(try file.recognized().report.matched == 120)
    #expect(message { () throws(EngineError) in _ = try file.tensor(at: 122) }.hasPrefix("1: tensor index is 122"))
    #expect(message { () throws(EngineError) in _ = try TensorFile("/nowhere") }.hasPrefix("2: cannot open /nowhere"))
  }

  @Test func aCheckpointSaysWhoWroteIt() throws {
    let network = try Network(
      NetworkConfiguration(architecture: .resnet18, stem: .small, baseWidth: 4, hidden: 8, dim: 4, prototypes: [5]), seed: 1)
    var configuration = TrainerConfiguration.published
    configuration.crops = Array(configuration.crops.prefix(1))
    configuration.crops[0].size = 16
    configuration.batch = 4
    var trainer = try Trainer(network, configuration)
    let path = folder.path + "/checkpoint"
    try trainer.save(to: path, note: "x")
    let info = try trainer.load(path)
    #expect(try info.format == 3 && info.isa == Runtime.info().isa && info.warning == nil)
    let other = InputDescription(size: 99, mean: [0, 0, 0], std: [1, 1, 1])
    let before = try network.input()
    try network.describeInput(other)
    try trainer.load(path)
    #expect(try network.input() == before)
  }
}
