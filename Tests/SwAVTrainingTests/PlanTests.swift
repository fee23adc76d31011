import SwAVAugmentation
import SwAVData
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct PlanTests {
  private let data = DataSummary(count: 4000, typicalSide: 224)

  private func plan(_ values: [(String, String)] = [], _ data: DataSummary? = nil) throws -> PretrainPlan {
    var given = PretrainSettings()
    for (name, value) in values { try given.set(name, to: value) }
    return try PretrainConfiguration.planned(for: data ?? self.data, given: given)
  }

  @Test func theAutomaticPlanFitsTheImages() throws {
    let configuration = try plan().configuration
    #expect(configuration.arch == .resnet18 && configuration.stem == .imagenet && configuration.baseWidth == 32)
    #expect(CropGroup.describe(configuration.crops) == "2x48+4x24")
    #expect(configuration.crops.map(\.minScale) == [0.4, 0.15] && configuration.crops.map(\.maxScale) == [1, 0.4])
    #expect(configuration.jitterStrength == 0.4 && configuration.grayscale == 0.1 && configuration.blur == 0)
    #expect(configuration.batch == 64 && configuration.prototypes == [64] && configuration.hidden == 512)
    #expect(configuration.epsilon == .relative(0.25) && configuration.queue == 0 && configuration.epochs == 150)
    #expect(configuration.optimizer == .adamw && configuration.baseLR == 0.002)
    let tiny = try plan([], DataSummary(count: 40, typicalSide: 32)).configuration
    #expect(tiny.stem == .small && tiny.crops[0].size == 32 && tiny.batch == 4 && tiny.prototypes == [10])
    let most = try plan([], DataSummary(count: 10_000_000, typicalSide: 2000)).configuration
    #expect(most.prototypes == [64] && most.batch == 64 && most.epochs == 20)
  }

  @Test func everySettingHasADecisionWithItsReason() throws {
    let plan = try plan()
    let set = Setting.configurationSettings.filter { $0.show(plan.configuration) != nil }
    #expect(plan.decisions.map(\.name) == set.map(\.name))
    #expect(plan.decisions.map(\.value) == set.map { $0.show(plan.configuration) })
    #expect(plan.decisions.allSatisfy { !$0.reason.isEmpty })
    for name in ["arch", "base-width", "crops", "stem", "batch", "prototypes", "queue", "epochs", "epsilon", "base-lr"] {
      #expect(plan.decisions.first { $0.name == name }?.source == .planned, "\(name)")
    }
    #expect(
      plan.decisions.first { $0.name == "temperature" }
        == Decision("temperature", value: "0.1", source: .kept, reason: "as published"))
    #expect(plan.reasons.contains { $0.hasPrefix("batch 64: ") } && plan.kept.contains { $0.contains("temperature 0.1") })
  }

  @Test func whatWasGivenIsNotExplained() throws {
    let plan = try plan([("batch_size", "32")])
    let batch = try #require(plan.decisions.first { $0.name == "batch" })
    #expect(batch.source == .given && batch.reason == "given as batch_size" && batch.value == "32")
    #expect(!(plan.reasons + plan.kept).contains { $0.contains("batch 32") })
    #expect(plan.reasons.contains { $0.hasPrefix("crops ") })
  }

  @Test func whatDependsOnAGivenValueFollowsIt() throws {
    let configuration = try plan([("batch", "16"), ("arch", "resnet50"), ("optimizer", "larc")]).configuration
    #expect(configuration.prototypes == [16] && configuration.hidden == 2048)
    #expect(configuration.baseLR == 0.6 * 16 / 256 && configuration.finalLR == configuration.baseLR / 1000)
    #expect(try plan([("base-lr", "0.5")]).configuration.finalLR == 0.0005)
    #expect(try plan([("crops", "2x32")]).configuration.stem == .small)
    #expect(try plan([("crops", "2x32")]).configuration.crops[0].minScale == 0.25)
    #expect(try plan([("epochs", "1")]).configuration.warmupEpochs == 0)
  }

  @Test func grayImagesAreToldOfOneChannel() throws {
    let folder = try TemporaryFolder()
    for number in 0..<3 {
      let gray = try Image.encodePNG(Array(repeating: 9, count: 64), width: 8, height: 8, channels: 1)
      try folder.write("gray/\(number).png", gray)
      try folder.write("mixed/\(number).png", gray)
      try folder.write("deep/\(number).pgm", Array("P5 1 1 65535\n".utf8) + [0, 1])
    }
    try folder.write("mixed/color.jpg", try picture(kind: 0, number: 0))
    func advice(_ name: String, _ values: [(String, String)] = []) throws -> [String] {
      try plan(values, DataSummary(of: ImageFolder(folder.path + "/" + name))).notes.filter { $0.contains("channels 1") }
    }
    #expect(try advice("gray").count == 1)
    #expect(try advice("deep")[0].contains("16 bits") && !advice("gray")[0].contains("16 bits"))
    #expect(try advice("mixed").isEmpty && advice("deep", [("channels", "1")]).isEmpty)
  }
}
