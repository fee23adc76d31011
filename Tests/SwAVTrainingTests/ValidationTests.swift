import Foundation
import SwAVData
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

/// kNN accuracy during training, and what is kept of it.
@Suite(.serialized) struct ValidationTests {
  private func run(
    _ run: TinyRun, _ output: String, val: String = "images", control: RunControl = .init(),
    _ report: (PretrainingEvent) throws -> Void = { _ in }
  ) throws -> PretrainingResult {
    try Pretraining(
      images: ImageFolder(run.folder.path + "/images"), validation: ImageFolder(run.folder.path + "/" + val),
      configuration: run.configuration, output: run.folder.path + "/" + output
    ).run(control: control, report: report)
  }

  private func evaluatedSteps(_ run: TinyRun, _ output: String) throws -> [Int] {
    try run.rows(output).filter { $0["type"] as? String == "evaluation" }.compactMap { $0["step"] as? Int }
  }

  @Test func aSetOfWhichNothingCanBeReadIsRefusedBeforeTheFirstStep() throws {
    let run = try TinyRun()
    for number in 0..<4 {
      let whole = try picture(kind: number % 2, number: number)
      try run.folder.write("broken/class\(number % 2)/\(number).jpg", Array(whole.prefix(whole.count / 2)))
    }
    var steps = 0
    let error = #expect(throws: PretrainingError.self) {
      try self.run(run, "run", val: "broken") { if case .step = $0 { steps += 1 } }
    }
    #expect(steps == 0)
    #expect(
      error?.description.hasPrefix("validation: none of 4 images looked at can be read; the first: class0/0.jpg: ") == true)
  }

  @Test func aSetThatVanishesIsAWarningAndTheRunEndsWithItsWeights() throws {
    let run = try TinyRun()
    try run.folder.writePictures("val", classes: 2, perClass: 2)
    var warnings: [String] = []
    let result = try self.run(run, "run", val: "val") { event in
      switch event {
      case .step(let step) where step.step == 4: try FileManager.default.removeItem(atPath: run.folder.path + "/val")
      case .warning(let text): warnings.append(text)
      default: break
      }
    }
    #expect(result.outcome == .finished && result.knn20 != nil)
    #expect(try run.names("run").contains("weights.safetensors"))
    #expect(warnings.count { $0.hasPrefix("no kNN in epoch 2: ") } == 1)
    #expect(warnings.count { $0.hasPrefix("no kNN in epoch 3: ") } == 1)
    #expect(try run.log("run").contains("warning: no kNN in epoch 3: "))
    #expect(try evaluatedSteps(run, "run") == [3])
    _ = try run.pretraining("whole").run()
    #expect(try run.file("run") == run.file("whole"))
  }

  @Test func theCheckpointComesBeforeTheEvaluation() throws {
    var run = try TinyRun()
    (run.configuration.checkpointSteps, run.configuration.checkpointMinutes) = (0, 0)
    var events: [String] = []
    _ = try self.run(run, "run") { event in
      switch event {
      case .checkpoint(let step): events.append("checkpoint \(step)")
      case .evaluated(let evaluation): events.append("evaluated \(evaluation.step)")
      default: break
      }
    }
    #expect(
      events == ["checkpoint 3", "evaluated 3", "checkpoint 6", "evaluated 6", "checkpoint 9", "evaluated 9", "checkpoint 9"])
  }

  @Test func anEvaluationThatWasCalledOffIsMadeUpFor() throws {
    let run = try TinyRun()
    // After the last step of an epoch, in an evaluation, and in the last one.
    for (output, place) in [("step", "step 3"), ("inside", "checkpoint 3"), ("last", "checkpoint 9")] {
      let control = RunControl()
      let stopped = try self.run(run, output, control: control) { event in
        switch event {
        case .step(let step) where "step \(step.step)" == place: control.cancel()
        case .checkpoint(let step) where "checkpoint \(step)" == place: control.cancel()
        default: break
        }
      }
      #expect(stopped.outcome == .interrupted && stopped.step == (output == "last" ? 9 : 3), "\(output)")
      #expect(try run.names(output).contains("weights.safetensors"))
      let rest = try self.run(run, output)
      #expect(rest.outcome == .finished && rest.knn20 != nil)
      #expect(try evaluatedSteps(run, output) == [3, 6, 9], "\(output)")
      #expect(try self.run(run, output).outcome == .alreadyFinished)
    }
    #expect(try run.file("step") == run.file("inside") && run.file("step") == run.file("last"))
  }

  @Test func theBestWeightsAreKeptAndThoseOfEveryNthEpoch() throws {
    var run = try TinyRun()
    run.configuration.keepEvery = 1
    let result = try self.run(run, "every")
    let best = try #require(result.bestEpoch)
    #expect(result.bestWeights == run.folder.path + "/every/weights-best.safetensors")
    #expect(try run.file("every", "weights-best.safetensors") == run.file("every", "weights-epoch-000\(best).safetensors"))
    #expect(try run.file("every", "weights-epoch-0003.safetensors") == run.file("every"))
    run.configuration.keepEvery = 2
    _ = try run.pretraining("second").run()
    #expect(
      try run.names("second").filter { $0.hasPrefix("weights") } == ["weights-epoch-0002.safetensors", "weights.safetensors"])
    #expect(try run.file("second", "weights-epoch-0002.safetensors") == run.file("every", "weights-epoch-0002.safetensors"))
  }

  @Test func imagesThatAnEvaluationLeavesOutAreNamedOnce() throws {
    let run = try TinyRun()
    try run.folder.writePictures("val", classes: 2, perClass: 2)
    try run.folder.write("val/class1/torn.jpg", Array("torn".utf8))
    var (warnings, counts) = ([String](), [Int]())
    _ = try self.run(run, "run", val: "val") { event in
      if case .warning(let text) = event { warnings.append(text) }
      if case .evaluated(let evaluation) = event { counts.append(evaluation.report.bad.count) }
    }
    #expect(counts == [1, 1, 1])
    #expect(warnings.count { $0.hasPrefix("evaluation leaves out class1/torn.jpg: ") } == 1)
    #expect(warnings.count == Set(warnings).count)
  }

  @Test func theTimeThatIsLeftCountsEvaluations() {
    var clock = StepClock(batch: 4, secondsBefore: 0, now: { 0 })
    clock.tick(waited: 0)
    clock.evaluationSeconds = 50
    #expect(clock.seconds(steps: 0, evaluations: 3) == 150)
    #expect(clock.seconds(steps: 7, evaluations: 0) == 7 * clock.secondsPerStep)
  }

  @Test func lnKIsTheMeanOverTheSetsAsTheLossIs() throws {
    var configuration = PretrainConfiguration()
    configuration.prototypes = [6, 10, 300]
    let mean = (log(6.0) + log(10.0) + log(300.0)) / 3
    // Three logarithms, two sums and a division, each rounded by half an ulp of at most ln 300.
    #expect(abs(configuration.lnK - mean) <= 6 * mean * .ulpOfOne)
    var run = try TinyRun()
    (run.configuration.prototypes, run.configuration.epochs) = ([6, 10], 1)
    let result = try run.pretraining("run").run()
    #expect(abs(result.lnK - (log(6.0) + log(10.0)) / 2) <= 1e-12)
  }
}
