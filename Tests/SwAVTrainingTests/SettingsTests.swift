import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVInspection
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct SettingsTests {
  private let data = DataFacts(images: 4000, shortSide: 224)

  private func plan(_ values: [(String, String)], _ data: DataFacts? = nil) throws -> PretrainConfiguration {
    var given = PretrainSettings()
    for (name, value) in values { try given.set(name, to: value) }
    return try PretrainConfiguration.planned(for: data ?? self.data, given: given).configuration
  }

  private func message(_ values: [(String, String)], _ data: DataFacts? = nil) -> String {
    do {
      _ = try plan(values, data)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func publishedSpellingsMeanTheSame() throws {
    let configuration = try plan([
      ("nmb_crops", "2,6"), ("size_crops", "224,96"), ("min_scale_crops", "0.2,0.1"), ("max_scale_crops", "1,0.2"),
      ("nmb_prototypes", "300"), ("queue_length", "640"), ("epoch_queue_starts", "3"), ("base_lr", "0.7"),
      ("final_lr", "0.007"), ("freeze_prototypes_niters", "313"), ("sinkhorn_iterations", "5"), ("hidden_mlp", "64"),
      ("feat_dim", "32"), ("wd", "1e-5"), ("batch_size", "32"), ("warmup_epochs", "2"), ("start_warmup", "0.3"),
      ("crops_for_assign", "0,1"),
    ])
    #expect(
      configuration.crops == [
        CropGroup(count: 2, size: 224, minScale: 0.2, maxScale: 1), CropGroup(count: 6, size: 96, minScale: 0.1, maxScale: 0.2),
      ])
    #expect(configuration.prototypes == [300] && configuration.queue == 640 && configuration.queueStartEpoch == 3)
    #expect(
      configuration.baseLR == 0.7 && configuration.finalLR == 0.007 && configuration.frozenSteps(stepsPerEpoch: 10) == 313)
    #expect(configuration.sinkhornIterations == 5 && configuration.hidden == 64 && configuration.dim == 32)
    #expect(configuration.weightDecay == 1e-5 && configuration.batch == 32)
    #expect(configuration.warmupEpochs == 2 && configuration.startWarmup == 0.3)
  }

  @Test func theYAMLOfAConfigurationReadsBackAsTheSame() throws {
    var configuration = try plan([
      ("epsilon", "relative:0.25"), ("freeze-steps", "7"), ("prototypes", "30,40"), ("mean", "0.1 0.2 0.3"),
    ])
    configuration.seed = .max
    let given = try PretrainSettings(yaml: configuration.yaml, path: "config.yaml")
    let again = try PretrainConfiguration.planned(for: DataFacts(images: 70, shortSide: 10), given: given).configuration
    #expect(again == configuration)
  }

  @Test func channelsBringTheirStatistics() throws {
    let one = try plan([("channels", "1")])
    #expect(one.channels == 1 && one.mean == [0.449] && one.std == [0.226])
    #expect(one.network.channels == 1 && one.recipe.channels == 1 && one.input.mean == [0.449])
    let given = try plan([("mean", "0.03"), ("channels", "1"), ("std", "0.02")])
    #expect(given.mean == [0.03] && given.std == [0.02])
    #expect(try plan([("channels", "3")]) == plan([]))
    for (values, text) in [
      ([("mean", "0.5")], "mean"), ([("channels", "1"), ("std", "0.5,0.5,0.5")], "std"), ([("channels", "2")], "1 or 3"),
    ] {
      do {
        _ = try plan(values)
        Issue.record("\(values) was taken")
      } catch { #expect("\(error)".contains(text) && "\(error)".contains("is needed"), "\(error)") }
    }
    #expect(try plan([("augmentation-precision", "exact")]).recipe.precision == .exact)
  }

  @Test func precisionIsFloat32UnlessAskedForAndAutoIsWhatIsFaster() throws {
    #expect(try plan([]).trainer.precision == .float32)
    for preset in Preset.all { #expect(PretrainConfiguration(preset: preset.name).precision == .float32, "\(preset.name)") }
    #expect(try plan([("precision", "bfloat16")]).trainer.precision == .bfloat16)
    #expect(try plan([("precision", "auto")]).precision == .automatic())
    #expect(message([("precision", "int8")]) == "precision is 'int8'; float32, bfloat16 or auto is needed")
  }

  @Test func winogradIsOnUnlessSwitchedOff() throws {
    #expect(try plan([]).trainer.usesWinograd && plan([("winograd", "on")]) == plan([]))
    #expect(try !plan([("winograd", "off")]).trainer.usesWinograd)
    #expect(try !plan([("winograd", "off"), ("preset", "imagenet-256")]).trainer.usesWinograd)
  }

  @Test func readsYAMLWithListsAndEitherSpelling() throws {
    let yaml = """
      # a comment
      base_lr: 0.25
      min-scale: [0.3, 0.1]
      crops: 2x64+2x32
      epsilon: relative:0.5
      """
    let given = try PretrainSettings(yaml: yaml, path: "f")
    let configuration = try PretrainConfiguration.planned(for: data, given: given).configuration
    #expect(configuration.baseLR == 0.25 && configuration.crops.map(\.minScale) == [0.3, 0.1])
    #expect(try PretrainSettings(yaml: "", path: "f") == PretrainSettings())
  }

  @Test(arguments: [
    ("batch: [1, [2]]", "f: 'batch' is neither"), ("- a\n- b", "f: 'name: value' lines"), ("a: 'b", "f: not readable as YAML"),
    ("bacth: 3", "f: bacth is no setting; did you mean 'batch'?"),
    ("zzzzzzzzzz: 3", "f: zzzzzzzzzz is no setting"),
  ])
  func badFilesAreNamedWithTheirKey(_ yaml: String, _ expected: String) {
    do {
      _ = try PretrainSettings(yaml: yaml, path: "f")
      Issue.record("read")
    } catch {
      #expect(error.description.hasPrefix(expected), "\(error)")
      #expect(!error.description.contains("\n"))
    }
  }

  @Test func laterValuesBeatEarlierOnes() throws {
    var file = try PretrainSettings(yaml: "batch: 8\nepochs: 3", path: "f")
    var flags = PretrainSettings()
    try flags.set("batch_size", to: "16", origin: "--batch_size")
    file.merge(flags)
    let configuration = try PretrainConfiguration.planned(for: data, given: file).configuration
    #expect(configuration.batch == 16 && configuration.epochs == 3)
  }

  @Test(arguments: [
    ("batch", "1", "batch is '1'; a whole number from 2 to 65536 is needed"), ("batch", "x", "batch is 'x'; a whole number"),
    ("epochs", "0", "epochs is '0'; a whole number from 1"),
    ("temperature", "0", "temperature is '0'; a number from 1e-06 to 1000000"),
    ("temperature", "nan", "temperature is 'nan'"),
    ("epsilon", "relative:", "epsilon is 'relative:'; a number from 1e-06 to 1000000, or relative:"),
    ("crops", "2y224", "crops is '2y224'; groups of COUNTxSIZE"), ("arch", "resnet19", "arch is 'resnet19'; one of resnet18,"),
    ("min-scale", "0.1", "min-scale is '0.1'; one number above 0 and at most 1 for each group"),
    ("assign", "0,9", "assign is '0,9'; crop numbers from 0 to 5"), ("assign", "0,0", "assign is '0,0'; 1 to 8 different"),
    ("batch", "5000", "batch is '5000'; there are only 4000 images"), ("crops", "1x64", "crops is '1x64'; at least 2 crops"),
    ("warmup-epochs", "999", "warmup-epochs is '999'; at most the"),
    ("queue", "3", "queue is '3'; 0, or at least the batch of 64"),
    ("final-lr", "9", "final-lr is '9.0'; at most base-lr"), ("recipe", "big", "recipe is 'big'; one of auto, cifar10"),
    ("nmb_crops", "2", "nmb_crops is '2'; nmb_crops and size_crops belong together"),
    ("seed", "-1", "seed is '-1'; a whole number"), ("winograd", "true", "winograd is 'true'; on or off is needed"),
    ("prototypes", "1", "prototypes is '1'; 1 to 8 whole numbers from 2 to 1048576"),
  ])
  func wrongValuesAreNamedWithWhatIsRight(_ name: String, _ value: String, _ expected: String) {
    #expect(message([(name, value)]).hasPrefix(expected), "\(message([(name, value)]))")
  }

  /// A value just beyond what a setting allows, set past the setting: the engine refuses it as well, and names it.
  @Test func theEngineRefusesWhatTheSettingsRefuse() throws {
    var small = PretrainConfiguration(preset: "demo")
    (small.baseWidth, small.hidden, small.dim, small.prototypes, small.batch) = (8, 16, 8, [6], 4)
    typealias Change = @Sendable (inout PretrainConfiguration) -> Void
    let beyond: [(name: String, text: String, change: Change)] = [
      ("base-width", "513", { $0.baseWidth = 513 }), ("base-width", "0", { $0.baseWidth = 0 }),
      ("hidden", "65537", { $0.hidden = 65537 }), ("dim", "16385", { $0.dim = 16385 }),
      ("prototypes", "1", { $0.prototypes = [1] }), ("prototypes", "1048577", { $0.prototypes = [1_048_577] }),
      ("batch", "65537", { $0.batch = 65537 }), ("queue", "16777217", { $0.queue = 16_777_217 }),
      ("sinkhorn-iterations", "0", { $0.sinkhornIterations = 0 }),
      ("sinkhorn-iterations", "1001", { $0.sinkhornIterations = 1001 }), ("temperature", "0", { $0.temperature = 0 }),
      ("temperature", "2e6", { $0.temperature = 2e6 }), ("epsilon", "1e-7", { $0.epsilon = .fixed(1e-7) }),
      ("epsilon", "relative:2e6", { $0.epsilon = .relative(2e6) }), ("momentum", "1", { $0.momentum = 1 }),
      ("trust", "0", { $0.trust = 0 }), ("weight-decay", "-1", { $0.weightDecay = -1 }),
      ("assign", "0,0", { $0.assign = [0, 0] }),
    ]
    func train(_ configuration: PretrainConfiguration) throws {
      let network = try Network(configuration.network, seed: 0)
      _ = try Trainer(network, configuration.trainer)
    }
    small.optimizer = .larc
    #expect(throws: Never.self) { try train(small) }
    for item in beyond {
      var configuration = small
      #expect(try #require(Setting.named(item.name)).read(&configuration, item.text) == false, "\(item.name) \(item.text)")
      item.change(&configuration)
      let error = #expect(throws: EngineError.self) { try train(configuration) }
      // The engine's word for the setting begins as ours does.
      let word = item.name.split(separator: "-").last.map(String.init) ?? item.name
      #expect(error?.code == .argument && error?.message.contains(word) == true, "\(item.name): \(error?.message ?? "")")
    }
  }

  @Test func everySettingShowsWhatItReads() throws {
    var configuration = try plan([("freeze-steps", "3"), ("source-weights", "2,0.5"), ("rate-changes", "7:0.5")])
    (configuration.initFrom, configuration.initPrefix) = ("w.safetensors", "teacher")
    var counted = configuration
    counted.epochs = 7
    for setting in Setting.configurationSettings {
      // The length is said in one way.
      let configuration = setting.name == "epochs" ? counted : configuration
      let text = try #require(setting.show(configuration), "\(setting.name)")
      var copy = configuration
      #expect(setting.read(&copy, text), "\(setting.name) does not read '\(text)'")
      #expect(copy == configuration, "\(setting.name)")
    }
    #expect(Set(Setting.all.map(\.name)).count == Setting.all.count)
  }

  @Test func onlyTrainingSettingsCountAtAResume() throws {
    let configuration = try plan([])
    let old = Dictionary(uniqueKeysWithValues: configuration.named.map { ($0.name, $0.value) })
    var changed = configuration
    (changed.threads, changed.workers, changed.checkpointSteps, changed.knnEvery) = (3, 4, 5, 6)
    #expect(TrainingState.differences(from: old, to: changed).isEmpty)
    (changed.batch, changed.freezeSteps) = (32, 9)
    #expect(TrainingState.differences(from: old, to: changed) == ["freeze-steps unset -> 9", "batch 64 -> 32"])
  }

  @Test func settingsThatARunDidNotKnowYetStandAtTheirDefault() throws {
    var configuration = try plan([])
    var old = Dictionary(uniqueKeysWithValues: configuration.named.map { ($0.name, $0.value) })
    for name in ["channels", "augmentation-precision", "winograd"] { #expect(old.removeValue(forKey: name) != nil) }
    #expect(TrainingState.differences(from: old, to: configuration).isEmpty)
    configuration.setChannels(1)
    configuration.augmentationPrecision = .exact
    configuration.usesWinograd = false
    #expect(
      TrainingState.differences(from: old, to: configuration) == [
        "augmentation-precision fast -> exact", "channels 3 -> 1", "mean 0.485,0.456,0.406 -> 0.449",
        "std 0.228,0.224,0.225 -> 0.226", "winograd on -> off",
      ])
    let small = try plan([("crops", "2x32+2x24")])
    old = Dictionary(uniqueKeysWithValues: small.named.map { ($0.name, $0.value) })
    #expect(old.removeValue(forKey: "input-size") == "32")
    #expect(TrainingState.differences(from: old, to: small).isEmpty)
  }

  @Test func freezingInEpochsOrInSteps() throws {
    var configuration = try plan([])
    configuration.freezeEpochs = 1.5
    #expect(configuration.frozenSteps(stepsPerEpoch: 10) == 15)
    configuration.freezeSteps = 4
    #expect(configuration.frozenSteps(stepsPerEpoch: 10) == 4)
  }
}
