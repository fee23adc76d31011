import Foundation
import SwAVData
import SwAVEvaluation
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct RecalibrationTests {
  @Test func weightsAreWrittenWithBuffersOfCentreCropsAndTheCheckpointKeepsThoseOfTraining() throws {
    var run = try TinyRun()
    _ = try run.pretraining("on").run()
    run.configuration.recalibrates = false
    _ = try run.pretraining("off").run()
    let plain = try Network.open(run.folder.path + "/off/weights.safetensors").network
    let shown = try Network.open(run.folder.path + "/on/weights.safetensors").network
    let images = try ImageFolder(run.folder.path + "/images")
    let expected = try plain.recalibrated(on: images)
    var changed = 0
    for index in 0..<(try plain.info().tensorCount) {
      #expect(try shown.tensor(at: index) == expected.tensor(at: index))
      if try shown.tensor(at: index) != plain.tensor(at: index) { changed += 1 }
    }
    #expect(changed > 0)
    let checkpoints = try ["on", "off"].map { try Network.open(run.folder.path + "/\($0)/checkpoint").network }
    for index in 0..<(try plain.info().tensorCount) {
      #expect(try checkpoints[0].tensor(at: index) == checkpoints[1].tensor(at: index))
      #expect(try checkpoints[1].tensor(at: index) == plain.tensor(at: index))
    }
  }

  @Test func theAccuracyOfARunIsThatOfTheWeightsItWrote() throws {
    let run = try TinyRun()
    let result = try run.pretraining("run", validates: true).run()
    let images = try ImageFolder(run.folder.path + "/images")
    var evaluation = Evaluation([NearestNeighbours()])
    evaluation.includesRawPixels = false
    let report = try evaluation.run(
      EvaluationImages(train: images, val: images), network: Network.open(run.folder.path + "/run/weights.safetensors").network)
    #expect(result.knn20 == report.results[0].figures[0].value)
  }

  @Test func imagesThatAreGoneByThenAreAWarningAndTheWeightsThoseOfTraining() throws {
    let run = try TinyRun()
    var warnings: [String] = []
    _ = try run.pretraining("run").run { event in
      if case .step(let step) = event, step.step == 9 {
        try FileManager.default.removeItem(atPath: run.folder.path + "/images")
      }
      if case .warning(let text) = event { warnings.append(text) }
    }
    #expect(warnings.contains { $0.hasPrefix("batch-norm as in training: ") })
    let (weights, checkpoint) = try (
      Network.open(run.folder.path + "/run/weights.safetensors").network,
      Network.open(run.folder.path + "/run/checkpoint").network
    )
    for index in 0..<(try weights.info().tensorCount) {
      #expect(try weights.tensor(at: index) == checkpoint.tensor(at: index))
    }
  }
}
