import SwAVAugmentation
import SwAVInspection
import Testing

@testable import SwAVTraining

/// A flag beats the file, whatever the spelling.
@Suite struct PrecedenceTests {
  private let data = DataFacts(images: 4000, shortSide: 224)

  private func resolved(file: String, flags: [(String, String)]) throws -> (PretrainConfiguration, notes: [String]) {
    var given = try PretrainSettings(yaml: file, path: "f")
    for (name, value) in flags {
      var flag = PretrainSettings()
      try flag.set(name, to: value, origin: "--\(name)")
      given.merge(flag)
    }
    let plan = try PretrainConfiguration.planned(for: data, given: given)
    return (plan.configuration, plan.notes)
  }

  @Test func listsOfCropsBeatGroupsAndTheOtherWayRound() throws {
    let lists = [("nmb_crops", "2,4"), ("size_crops", "96,48")]
    #expect(try CropGroup.describe(resolved(file: "crops: 2x64+6x32", flags: lists).0.crops) == "2x96+4x48")
    let file = "nmb_crops: [2, 6]\nsize_crops: [224, 96]"
    #expect(try CropGroup.describe(resolved(file: file, flags: [("crops", "2x64+1x32")]).0.crops) == "2x64+1x32")
    #expect(try CropGroup.describe(resolved(file: file, flags: [("size_crops", "96,48")]).0.crops) == "2x96+6x48")
  }

  @Test func halfOfTheListsTakesTheOtherHalfFromGroups() throws {
    #expect(try CropGroup.describe(resolved(file: "crops: 2x64+6x32", flags: [("size_crops", "96,48")]).0.crops) == "2x96+6x48")
    #expect(try CropGroup.describe(resolved(file: "crops: 2x64+6x32", flags: [("nmb_crops", "2,1")]).0.crops) == "2x64+1x32")
  }

  @Test func freezingInOneUnitBeatsTheOther() throws {
    let epochs = try resolved(file: "freeze-steps: 7", flags: [("freeze-epochs", "2")]).0
    #expect(epochs.frozenSteps(stepsPerEpoch: 10) == 20)
    let steps = try resolved(file: "freeze-epochs: 2", flags: [("freeze_prototypes_niters", "7")]).0
    #expect(steps.frozenSteps(stepsPerEpoch: 10) == 7)
    // Within one file both may stand, as a run writes them.
    #expect(try resolved(file: "freeze-epochs: 2\nfreeze-steps: 7", flags: []).0.frozenSteps(stepsPerEpoch: 10) == 7)
  }

  @Test func scalesOfAFileDoNotOutliveItsGroups() throws {
    let file = "crops: 2x96+4x48\nmin-scale: 0.3,0.1\nmax-scale: 1,0.3"
    #expect(try resolved(file: file, flags: [("crops", "2x64+2x32")]).0.crops.map(\.minScale) == [0.3, 0.1])
    let one = try resolved(file: file, flags: [("crops", "2x64")])
    #expect(one.0.crops.map(\.minScale) == [0.25] && one.notes.count == 2)
    #expect(one.notes.allSatisfy { $0.contains("f: m") && $0.contains("it is for 2 groups of crops, and there are 1 now") })
    #expect(throws: PretrainingError.self) { try resolved(file: "min-scale: 0.3,0.1,0.1", flags: []) }
  }

  @Test func statisticsOfAFileDoNotOutliveItsChannels() throws {
    let one = try resolved(file: "channels: 3\nmean: 0.4,0.4,0.4\nstd: 0.2,0.2,0.2", flags: [("channels", "1")])
    #expect(one.0.mean == [0.449] && one.notes.count == 2)
  }

  @Test func presetsAndRecipesAreOneSetting() throws {
    #expect(try resolved(file: "recipe: published", flags: [("preset", "demo")]).0.epochs == 40)
    #expect(try resolved(file: "preset: demo", flags: [("recipe", "published")]).0.epochs == 200)
  }

  @Test func flagsWithoutMeaningAreTakenAndNamedOnce() throws {
    let notes = try resolved(
      file: "sync_bn: pytorch", flags: [("use_fp16", "true"), ("world_size", "4"), ("batch_size", "64")]
    ).notes
    #expect(notes.count == 2)
    #expect(notes[0] == "--batch_size 64 is the whole batch of a step; the published program counts it for each process")
    #expect(
      notes[1]
        == "no effect here: f: sync_bn pytorch (sync-batch-norm says it), --use_fp16 true (precision bfloat16 is the one of 16 bits), "
        + "--world_size 4 (mpirun or srun says it)")
  }

  @Test func pathsMayBeginWithTheHomeFolder() throws {
    let given = try PretrainSettings(yaml: "output: ~/run\nval: '~'\n", path: "f")
    #expect(given.text(of: "output").map { $0.hasPrefix("/") && $0.hasSuffix("/run") } == true)
    #expect(given.text(of: "val")?.hasPrefix("/") == true)
    #expect(expandingHome("./~") == "./~" && expandingHome("a~b") == "a~b")
  }

  @Test(arguments: ["output:", "output: ''", "val: ~", "batch: null", "images: '  '"])
  func emptyValuesAreNamed(_ yaml: String) {
    #expect {
      try PretrainSettings(yaml: yaml, path: "f")
    } throws: { error in
      "\(error)".hasPrefix("f: \(yaml.prefix { $0 != ":" }) is '") && "\(error)".hasSuffix(" is needed")
    }
  }
}
