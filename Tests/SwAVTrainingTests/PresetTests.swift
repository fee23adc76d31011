import SwAVAugmentation
import SwAVInspection
import SwAVModel
import Testing

@testable import SwAVTraining

@Suite struct PresetTests {
  private func resolved(_ preset: String, _ more: [(String, String)] = []) throws -> PretrainConfiguration {
    var given = PretrainSettings()
    for (name, value) in [("preset", preset)] + more { try given.set(name, to: value) }
    return try PretrainConfiguration.planned(for: DataFacts(images: 1_281_167, shortSide: 375), given: given).configuration
  }

  /// The numbers of both published recipes, written here and not taken from the product.
  private func expectPublished(_ c: PretrainConfiguration) {
    #expect(c.arch == .resnet50 && c.stem == .imagenet && c.baseWidth == 64 && c.hidden == 2048 && c.dim == 128)
    #expect(c.prototypes == [3000] && c.channels == 3)
    #expect(
      c.crops == [
        CropGroup(count: 2, size: 224, minScale: 0.14, maxScale: 1),
        CropGroup(count: 6, size: 96, minScale: 0.05, maxScale: 0.14),
      ])
    #expect(c.assign == [0, 1] && c.flip == 0.5 && c.jitter == 0.8 && c.jitterStrength == 0.8)
    #expect(c.grayscale == 0.2 && c.blur == 0.5 && c.mean == [0.485, 0.456, 0.406] && c.std == [0.228, 0.224, 0.225])
    #expect(c.epsilon == .fixed(0.05) && c.sinkhornIterations == 3 && c.temperature == 0.1)
    #expect(c.optimizer == .larc && c.trust == 0.001 && c.momentum == 0.9 && c.weightDecay == 1e-6 && c.seed == 31)
    // Hue is a quarter of the strength: 0.2; the rest is the recipe's.
    #expect(c.recipe.brightness == 0.8 && c.recipe.contrast == 0.8 && c.recipe.saturation == 0.8 && c.recipe.hue == 0.2)
  }

  @Test func imagenet4096IsThePublishedRecipe() throws {
    let c = try resolved("imagenet-4096")
    expectPublished(c)
    #expect(c.batch == 4096 && c.baseLR == 4.8 && c.finalLR == 0.0048 && c.startWarmup == 0.3 && c.warmupEpochs == 10)
    #expect(c.freezeSteps == 313 && c.queue == 0 && c.epochs == 800)
    let steps = 1_281_167 / 4096
    #expect(steps == 312)
    let schedule = c.schedule(stepsPerEpoch: steps)
    #expect(
      try schedule.rate(at: 0) == 0.3 && schedule.rate(at: Double(10 * steps - 1)) == 4.8
        && schedule.rate(at: Double(10 * steps)) == 4.8)
    #expect(c.frozenSteps(stepsPerEpoch: steps) == 313)
  }

  @Test func imagenet256IsThePublishedRecipe() throws {
    let c = try resolved("imagenet-256")
    expectPublished(c)
    #expect(c.batch == 256 && c.baseLR == 0.6 && c.finalLR == 0.0006 && c.startWarmup == 0 && c.warmupEpochs == 0)
    #expect(c.freezeSteps == 5005 && c.queue == 3840 && c.queueStartEpoch == 15 && c.epochs == 200)
    #expect(1_281_167 / 256 == 5004)
    #expect(try c.schedule(stepsPerEpoch: 5004).rate(at: 0) == 0.6)
  }

  @Test func theOlderSpellingsMeanWhatTheyMeant() throws {
    var given = PretrainSettings()
    try given.set("recipe", to: "published")
    let c = try PretrainConfiguration.planned(for: DataFacts(images: 4000, shortSide: 224), given: given).configuration
    #expect(c.arch == .resnet50 && c.prototypes == [3000] && c.hidden == 2048 && CropGroup.describe(c.crops) == "2x224+6x96")
    #expect(c.batch == 256 && c.queue == 3840 && c.queueStartEpoch == 15 && c.epochs == 200 && c.seed == 0)
    #expect(c.freezeSteps == nil && c.freezeEpochs == 1 && c.baseLR == 0.6 && c.finalLR == 0.0006 && c.warmupEpochs == 0)
    #expect(c.optimizer == .larc && c.epsilon == .fixed(0.05))
    #expect(try resolved("small") == resolved("auto"))
  }

  @Test(arguments: Preset.all) func everyValueOfAPresetIsAllowedAndUsed(_ preset: Preset) throws {
    let configuration = try resolved(preset.name)
    #expect(preset.list.count == preset.values.count, "a name that is no setting: \(preset.values.keys.sorted())")
    for (name, text) in preset.list {
      var copy = configuration
      let setting = try #require(Setting.named(name))
      #expect(setting.read(&copy, text) && copy == configuration, "\(name) \(text)")
    }
    if preset.name != Preset.auto { #expect(PretrainConfiguration(preset: preset.name) == configuration) }
    #expect(preset.summary.count <= 72 && Preset.named(preset.name) == preset)
  }

  @Test func whatIsGivenBeatsThePreset() throws {
    let c = try resolved("cifar10", [("batch", "32"), ("crops", "2x24")])
    #expect(c.batch == 32 && c.crops == [CropGroup(count: 2, size: 24, minScale: 0.08, maxScale: 1)] && c.stem == .imagenet)
    #expect(try resolved("cifar10", [("crops", "2x24+2x16")]).crops.map(\.minScale) == [0.4, 0.15])
    var given = PretrainSettings()
    try given.set("preset", to: "stl10")
    let decisions = try PretrainConfiguration.planned(for: DataFacts(images: 4000, shortSide: 96), given: given).decisions
    #expect(decisions.first { $0.name == "epsilon" }?.source == .preset)
  }

  @Test func smallSetsAreTaughtGently() throws {
    for name in ["cifar10", "stl10", "imagenette", "small-domain"] {
      let c = try resolved(name)
      #expect(c.optimizer == .adamw && c.baseLR == 0.001 && c.epsilon == .relative(0.25) && c.baseWidth == 32, "\(name)")
      #expect(c.crops.map(\.minScale) == [0.4, 0.15] && c.crops.map(\.maxScale) == [1, 0.4], "\(name)")
      #expect(c.blur == 0 && c.jitterStrength == 0.4 && c.grayscale == 0.1, "\(name)")
    }
  }
}
