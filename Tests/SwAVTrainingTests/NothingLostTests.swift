import Foundation
import SwAVData
import SwAVEngine
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

/// What is on the disk when something goes wrong.
@Suite(.serialized) struct NothingLostTests {
  /// The step of the run's checkpoint.
  private func savedStep(_ run: TinyRun, _ output: String) throws -> Int {
    try RunFolder(path: run.folder.path + "/" + output).checkpointState().step
  }

  private func stopped(_ error: PretrainingError?) -> (cause: PretrainingError, step: Int, kept: String)? {
    guard case .stopped(let cause, let step, _, let kept) = error else { return nil }
    return (cause, step, kept)
  }

  @Test func tooManyBadImagesLeaveTheLastStep() throws {
    let run = try TinyRun()
    let images = run.folder.path + "/images"
    let error = #expect(throws: PretrainingError.self) {
      try run.pretraining("run").run { event in
        guard case .step(let step) = event, step.step == 3 else { return }
        try FileManager.default.moveItem(atPath: images, toPath: images + "-away")
      }
    }
    let (cause, step, kept) = try #require(stopped(error))
    guard case .data(let reason) = cause else {
      Issue.record("\(cause)")
      return
    }
    #expect(reason.kind == .tooManyBad)
    #expect(step >= 3 && kept == "\(run.folder.path)/run/checkpoint holds step \(step)")
    #expect(try savedStep(run, "run") == step)
    #expect(try run.names("run").contains("weights.safetensors"))
    let log = try run.log("run")
    #expect(log.contains("error: ") && log.contains("stopped at step \(step) of 9: ") && log.contains(reason.description))
    // With the images back it goes on from there.
    try FileManager.default.moveItem(atPath: images + "-away", toPath: images)
    let rest = try run.pretraining("run").run { event in
      if case .started(let start) = event { #expect(start.resumedAt == step) }
    }
    #expect(rest.outcome == .finished)
  }

  @Test func whatIsNotFiniteLeavesTheLastGoodCheckpoint() throws {
    // Two steps learn, then the rate leaps: the warm-up goes up to it.
    var run = try TinyRun()
    (run.configuration.warmupEpochs, run.configuration.startWarmup, run.configuration.baseLR) = (1, 0, 1e30)
    run.configuration.checkpointSteps = 1
    let error = #expect(throws: PretrainingError.self) { try run.pretraining("run").run() }
    let (cause, step, kept) = try #require(stopped(error))
    guard case .engine(let reason) = cause else {
      Issue.record("\(cause)")
      return
    }
    #expect(reason.code == .numeric && step < 9)
    // The first step has rate 0, so one of the first two steps is sound, and what is on the disk is.
    let saved = try savedStep(run, "run")
    #expect(saved >= 1 && kept.contains("checkpoint holds step \(saved)"))
    let network = try Network.open(run.folder.path + "/run/checkpoint").network
    for index in 0..<(try network.info().tensorCount) {
      #expect(try network.tensor(at: index).values.allSatisfy(\.isFinite))
    }
    #expect(try run.log("run").contains("error: "))
    // The step is there, and fails again as it did.
    let path = run.folder.path + "/run/failed-step"
    #expect(kept.contains("\(path) holds the step that failed"))
    let file = try StepFile(contentsOf: path)
    let replay = try file.replay(path)
    #expect(file.step == step && file.message == reason.message && replay.isSame && replay.message == reason.message)
  }

  @Test func aRunGoesBackThreeTimesFromWhatIsNotFiniteAndThenEnds() throws {
    var run = try TinyRun()
    (run.configuration.warmupEpochs, run.configuration.startWarmup, run.configuration.baseLR) = (1, 0, 1e30)
    (run.configuration.checkpointSteps, run.configuration.onNotFinite) = (1, .rollback)
    var back = 0
    let error = #expect(throws: PretrainingError.self) {
      try run.pretraining("run").run { event in
        if case .warning(let text) = event, text.hasPrefix("back from step ") { back += 1 }
      }
    }
    // A third three times is not enough of that.
    #expect(back == 3 && stopped(error) != nil)
  }

  @Test func changesScaleTheRateFromTheirStepOn() throws {
    var run = try TinyRun()
    (run.configuration.warmupEpochs, run.configuration.startWarmup) = (1, 0)
    (run.configuration.rateChanges, run.configuration.baseLR) = ([RateChange(from: 4, factor: 0.5)], 0.1)
    _ = try run.pretraining("changed").run()
    let rates = try run.rows("changed").filter { $0["type"] as? String == "step" }.compactMap { $0["lr"] as? Double }
    let schedule = run.configuration.schedule(stepsPerEpoch: 3)
    for (step, rate) in rates.enumerated() {
      let planned = try schedule.rate(at: Double(step)) * (step >= 4 ? 0.5 : 1)
      // What stands in the table has gone through decimal digits.
      #expect(abs(rate - planned) <= 1e-12 * planned, "step \(step)")
    }
  }

  @Test func anErrorOfTheCallerIsThrownOnAfterACheckpoint() throws {
    struct Enough: Error {}
    let run = try TinyRun()
    #expect(throws: Enough.self) {
      _ = try run.pretraining("run").run { event in
        if case .step(let step) = event, step.step == 5 { throw Enough() }
      }
    }
    #expect(try savedStep(run, "run") == 5)
    _ = try run.pretraining("whole").run()
    #expect(try run.pretraining("run").run().outcome == .finished)
    #expect(try run.file("run") == run.file("whole"))
  }

  @Test func aCheckpointThatFailsIsAWarningAndNotInTheLogAsDone() throws {
    let run = try TinyRun()
    let obstacle = run.folder.path + "/run/checkpoint"
    var (warnings, checkpoints) = ([String](), [Int]())
    let result = try run.pretraining("run").run { event in
      switch event {
      case .step(let step) where step.step == 1:
        try FileManager.default.createDirectory(atPath: obstacle, withIntermediateDirectories: false)
      case .step(let step) where step.step == 3: try FileManager.default.removeItem(atPath: obstacle)
      case .warning(let text): warnings.append(text)
      case .checkpoint(let step): checkpoints.append(step)
      default: break
      }
    }
    #expect(result.outcome == .finished)
    #expect(checkpoints == [4, 6, 8, 9])
    #expect(warnings.count == 1 && warnings[0].hasPrefix("no checkpoint at step 2: "))
    #expect(warnings.first?.hasSuffix("there is none yet") == true)
    let log = try run.log("run")
    #expect(log.contains("warning: no checkpoint at step 2: ") && !log.contains(" checkpoint at step 2\n"))
    #expect(log.contains(" checkpoint at step 4\n"))
  }

  @Test func weightsThatCannotBeWrittenLeaveTheCheckpointOfTheLastStep() throws {
    let run = try TinyRun()
    let error = #expect(throws: PretrainingError.self) {
      try run.pretraining("run").run { event in
        guard case .step(let step) = event, step.step == 7 else { return }
        try FileManager.default.createDirectory(
          atPath: run.folder.path + "/run/weights.safetensors", withIntermediateDirectories: false)
      }
    }
    let (_, step, kept) = try #require(stopped(error))
    // The weights are in the way of nobody else: the checkpoint holds all.
    #expect(step == 9 && kept.contains("checkpoint holds step 9"))
    try FileManager.default.removeItem(atPath: run.folder.path + "/run/weights.safetensors")
    #expect(try run.pretraining("run").run().outcome == .finished)
    _ = try run.pretraining("whole").run()
    #expect(try run.file("run") == run.file("whole"))
  }

  @Test func aLogThatCannotBeWrittenDoesNotEndTheRun() throws {
    let run = try TinyRun()
    _ = try run.pretraining("whole").run()
    _ = try run.interrupt("run", after: 2)
    for name in ["log.txt", "metrics.jsonl"] {
      let path = run.folder.path + "/run/" + name
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
    }
    var warnings: [String] = []
    let result = try run.pretraining("run").run { event in
      if case .warning(let text) = event { warnings.append(text) }
    }
    #expect(result.outcome == .finished)
    #expect(try run.file("run") == run.file("whole"))
    #expect(warnings.count { $0.contains("log.txt: No space left on device") } == 1)
    #expect(warnings.count { $0.contains("metrics.jsonl: No space left on device") } == 1)
  }

  @Test func aCheckpointThatIsAskedForIsWrittenAndTheRunGoesOn() throws {
    var run = try TinyRun()
    (run.configuration.checkpointSteps, run.configuration.checkpointMinutes) = (0, 0)
    let control = RunControl()
    var checkpoints: [Int] = []
    let result = try run.pretraining("run").run(control: control) { event in
      switch event {
      case .step(let step) where step.step == 4: control.requestCheckpoint()
      case .checkpoint(let step): checkpoints.append(step)
      default: break
      }
    }
    #expect(result.outcome == .finished && checkpoints == [4, 9])
  }

  @Test func weightsOfAnEarlierStepDoNotStayBesideANewerCheckpoint() throws {
    let run = try TinyRun()
    _ = try run.interrupt("run", after: 3)
    #expect(try run.names("run").contains("weights.safetensors"))
    _ = try run.pretraining("run").run { event in
      if case .step(let step) = event, step.step == 5 { try run.copy("run", to: "killed") }
    }
    #expect(try savedStep(run, "killed") == 4)
    #expect(try !run.names("killed").contains("weights.safetensors"))
    #expect(try run.names("run").contains("weights.safetensors"))
  }
}
