import Foundation
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct WeightsFileTests {
  @Test func theNewestWeightsOfARunAreTakenAndSayHowFarItWas() throws {
    let run = try TinyRun()
    let folder = run.folder.path + "/run"
    // Stopped after three steps, with weights; gone on with, and killed after step 5 with a checkpoint of step 4.
    _ = try run.interrupt("run", after: 3)
    var found = try WeightsFile(at: folder)
    #expect(found.path == folder + "/weights.safetensors" && found.progress == "step 3 of 9, after epoch 1")
    let early = try run.file("run")
    _ = try run.pretraining("run").run { event in
      if case .step(let step) = event, step.step == 5 { try run.copy("run", to: "killed") }
    }
    let killed = run.folder.path + "/killed"
    found = try WeightsFile(at: killed)
    #expect(found.path == killed + "/checkpoint" && found.progress == "step 4 of 9, after epoch 1, from the checkpoint")
    // As runs of earlier versions left it: weights of step 3 beside the checkpoint of step 4.
    try early.write(to: URL(fileURLWithPath: killed + "/weights.safetensors"))
    #expect(try WeightsFile(at: killed) == found)
    #expect(try Network.open(weightsAt: killed).tensor(at: 0) == Network.open(killed + "/checkpoint").network.tensor(at: 0))
    #expect(
      try Network.open(weightsAt: killed).tensor(at: 0) != Network.open(killed + "/weights.safetensors").network.tensor(at: 0))

    found = try WeightsFile(at: folder)
    #expect(found.path == folder + "/weights.safetensors" && found.progress == "step 9 of 9, after epoch 3")
    #expect(try WeightsFile(at: folder + "/checkpoint").progress == "step 9 of 9, after epoch 3, from the checkpoint")
    #expect(try WeightsFile(at: folder + "/weights.safetensors").progress == nil)
  }

  @Test func aFolderOfAnExportGivesItsWeights() throws {
    let folder = try TemporaryFolder()
    let network = try Network(TinyRun().configuration.network, seed: 3)
    for name in WeightsFile.exported.reversed() where !name.hasSuffix(".json") {
      try network.save(to: folder.path + "/" + name)
      let found = try WeightsFile(at: folder.path)
      #expect(found.path == folder.path + "/" + name && found.progress == nil && !found.isCheckpoint)
      #expect(try found.open().network.tensor(at: 0) == network.tensor(at: 0))
    }
  }

  @Test func whatIsNotThereOrDamagedIsNamed() throws {
    let run = try TinyRun()
    let folder = run.folder.path + "/run"
    func message(_ path: String) -> String {
      do {
        _ = try WeightsFile(at: path)
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    #expect(message(folder).hasPrefix("weights \(folder): not there"))
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    #expect(message(folder).contains("neither weights.safetensors nor checkpoint, as a run's does, nor model.safetensors, "))
    _ = try run.interrupt("run", after: 2)
    try run.file("run", "checkpoint").prefix(100).write(to: URL(fileURLWithPath: folder + "/checkpoint"))
    #expect(message(folder).contains("\(folder)/weights.safetensors is there as well, perhaps of an earlier step"))
    try FileManager.default.removeItem(atPath: folder + "/checkpoint")
    #expect(try WeightsFile(at: folder) == WeightsFile(at: folder + "/weights.safetensors"))
  }
}
