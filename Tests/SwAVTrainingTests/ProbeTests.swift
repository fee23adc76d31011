import Foundation
import SwAVData
import SwAVTestSupport
import Testing

@testable import SwAVTraining

/// The linear layer that learns beside the training.
@Suite(.serialized) struct ProbeTests {
  private struct Labels: ImageSource {
    var labels: [Int?]
    var count: Int { labels.count }
    var classNames: [String] { ["left", "right"] }
    func bytes(of sample: Int) -> [UInt8] { [] }
    func name(of sample: Int) -> String { "\(sample)" }
    func label(of sample: Int) -> Int? { labels[sample] }
  }

  private func probing(epochs: Int = 3) throws -> TinyRun {
    var run = try TinyRun()
    (run.configuration.probes, run.configuration.epochs) = (true, epochs)
    return run
  }

  private func rows(_ run: TinyRun, _ output: String) throws -> [[String: Double]] {
    try run.rows(output).filter { $0["type"] as? String == "probe" }.map { $0.compactMapValues { $0 as? Double } }
  }

  @Test func itLearnsWhatALinearLayerCanTellAndPassesOverImagesWithoutAClass() throws {
    // Rows that differ in their first number alone, of any length; the last has no class.
    let probe = try OnlineProbe(Labels(labels: [0, 1, 0, 1, nil]), dim: 3, batch: 5, seed: 0)
    let features: [Float] = [9, 20, 1, 12, 20, 1, 0.9, 2, 0.1, 1.2, 2, 0.1, 5, 5, 5]
    for _ in 0..<200 { try probe.learn(features, of: [0, 1, 2, 3, 4]) }
    _ = probe.takeEpoch()
    try probe.learn(features, of: [0, 1, 2, 3, 4])
    let found = try #require(probe.takeEpoch())
    #expect(found.right == 100 && found.images == 4)
    try probe.learn([5, 5, 5], of: [4])
    #expect(probe.takeEpoch() == nil)
  }

  @Test func theWeightsOfARunAreTheSameWithAndWithoutIt() throws {
    let run = try probing()
    _ = try run.pretraining("with", validates: true).run()
    var other = run
    other.configuration.probes = false
    _ = try other.pretraining("without", validates: true).run()
    #expect(try run.file("with") == run.file("without"))
    #expect(try run.names("without").contains("probe") == false)
    let found = try rows(run, "with")
    #expect(found.map { $0["epoch"] } == [1, 2, 3] && found.allSatisfy { $0["images"] == 12 })
    let evaluations = try run.rows("with").filter { $0["type"] as? String == "evaluation" }
    #expect(evaluations.count == 3 && evaluations.allSatisfy { $0["probe"] is Double })
    #expect(try rows(run, "without").isEmpty)
  }

  @Test func aRunThatWasInterruptedHasTheSameFiguresAsOneWithoutABreak() throws {
    let run = try probing()
    _ = try run.pretraining("whole").run()
    // In the middle of an epoch, of which it has seen a part.
    #expect(try run.interrupt("broken", after: 4).outcome == .interrupted)
    var warnings: [String] = []
    _ = try run.pretraining("broken").run { if case .warning(let text) = $0 { warnings.append(text) } }
    #expect(warnings.isEmpty)
    #expect(try rows(run, "broken") == rows(run, "whole"))
    #expect(try run.file("broken", "probe") == run.file("whole", "probe"))
  }

  @Test func itLearnsFromAsManyImagesAsTheStepHasInPartsAndMicroBatches() throws {
    // Of four images: all of both parts, a micro-batch that is a whole part, and one that is half of the batch.
    for (parts, microBatch, images) in [(2, 0, 12), (2, 2, 12), (0, 2, 6)] {
      var run = try probing(epochs: 1)
      (run.configuration.sumParts, run.configuration.microBatch) = (parts, microBatch)
      _ = try run.pretraining("run").run()
      #expect(try rows(run, "run").map { $0["images"] } == [Double(images)], "\(parts) parts, micro-batch \(microBatch)")
    }
  }

  @Test func whereWhatItHadLearnedIsLostItBeginsAnewAndSaysSo() throws {
    let run = try probing()
    _ = try run.interrupt("run", after: 4)
    try FileManager.default.removeItem(atPath: run.folder.path + "/run/probe")
    var warnings: [String] = []
    _ = try run.pretraining("run").run { if case .warning(let text) = $0 { warnings.append(text) } }
    #expect(warnings == ["the linear probe begins anew: what it had learned is not there"])
    #expect(try rows(run, "run").map { $0["images"] } == [12, 8, 12])
  }

  @Test func imagesWithoutClassesAreRefusedBeforeTheFirstStep() throws {
    let run = try probing()
    let folder = run.folder.path + "/flat"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for number in 0..<6 { try run.folder.write("flat/\(number).jpg", picture(kind: 0, number: number)) }
    let pretraining = Pretraining(
      images: try ImageFolder(folder), configuration: run.configuration, output: run.folder.path + "/run")
    let error = #expect(throws: PretrainingError.self) { try pretraining.run() }
    #expect(error?.description.hasPrefix("probe: ") == true)
  }
}
