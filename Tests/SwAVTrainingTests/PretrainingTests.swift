import Foundation
import SwAVData
import SwAVEngine
import SwAVInspection
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite(.serialized) struct PretrainingTests {
  @Test func weightsAreTheSameHoweverTheRunWasInterrupted() throws {
    var run = try TinyRun()
    let whole = try run.pretraining("whole").run()
    #expect(whole.outcome == .finished && whole.step == 9 && whole.epoch == 3)
    let reference = try run.file("whole")
    // Stopped in the middle of an epoch, at its end, before and after the queue is full; each time with other threads.
    for (index, stops) in [[1], [3], [4, 2], [5, 1, 1]].enumerated() {
      let output = "stopped\(index)"
      for (turn, steps) in stops.enumerated() {
        run.configuration.threads = 1 + turn % 3
        run.configuration.workers = 3 - turn % 3
        #expect(try run.interrupt(output, after: steps).outcome == .interrupted)
      }
      run.configuration.threads = 2
      #expect(try run.pretraining(output).run().outcome == .finished)
      #expect(try run.file(output) == reference, "stops after \(stops)")
    }
  }

  @Test func aRunLeavesTheNumberOfThreadsOfTheProgramAsItWas() throws {
    var run = try TinyRun()
    let before = try Runtime.info().threads
    run.configuration.threads = before + 3
    var inside: Int?
    _ = try run.pretraining("threads").run { event in
      if case .started = event { inside = try Runtime.info().threads }
    }
    #expect(inside == before + 3)
    #expect(try Runtime.info().threads == before)
  }

  @Test func learnsFromScansOfOneChannelAndSixteenBits() throws {
    var run = try TinyRun()
    for number in 0..<12 {
      // Twelve bits in sixteen: stripes of two kinds, in the lowest sixteenth of the range.
      let samples = (0..<40 * 40).flatMap { index -> [UInt8] in
        let place = number % 2 == 0 ? index % 40 : index / 40
        let value = place * (3 + number) * 30 % 4096
        return [UInt8(value >> 8), UInt8(value & 255)]
      }
      try run.folder.write("scans/class\(number % 2)/\(number).pgm", Array("P5 40 40 65535\n".utf8) + samples)
    }
    run.configuration.setChannels(1)
    (run.configuration.mean, run.configuration.std) = ([0.03], [0.02])
    let scans = try ImageFolder(run.folder.path + "/scans")
    let result = try Pretraining(
      images: scans, validation: scans, configuration: run.configuration, output: run.folder.path + "/gray"
    ).run()
    #expect(result.outcome == .finished && result.knn20 != nil && result.loss?.isFinite == true)
    let network = try Network.open(result.weights).network
    #expect(try network.tensor(at: 0).name == "conv1.weight" && network.tensor(at: 0).shape[1] == 1)
    #expect(try network.input() == InputDescription(size: 32, mean: [0.03], std: [0.02]))
    #expect(try network.embed(try scans.bytes(of: 0)).allSatisfy(\.isFinite))
  }

  @Test func weightsDoNotDependOnThreads() throws {
    var (run, files) = (try TinyRun(), [Data]())
    run.configuration.epochs = 1
    for threads in [1, 2, 3] {
      (run.configuration.threads, run.configuration.workers) = (threads, 4 - threads)
      _ = try run.pretraining("threads\(threads)").run()
      files.append(try run.file("threads\(threads)"))
    }
    #expect(files[0] == files[1] && files[1] == files[2])
    // And they do depend on what they should.
    run.configuration.seed = 6
    _ = try run.pretraining("seed").run()
    #expect(try run.file("seed") != files[0])
  }

  @Test func winogradChangesRoundingAndIsKeptAtAResume() throws {
    // Winograd is for 32 channels and more.
    var run = try TinyRun()
    run.configuration.baseWidth = 32
    _ = try run.pretraining("on").run()
    run.configuration.usesWinograd = false
    _ = try run.pretraining("off").run()
    #expect(try run.file("on") != run.file("off"))
    // Stopped and gone on with, and not with the other algorithm.
    #expect(try run.interrupt("stopped", after: 4).outcome == .interrupted)
    run.configuration.usesWinograd = true
    let error = #expect(throws: PretrainingError.self) { try run.pretraining("stopped").run() }
    #expect(error?.description.contains("winograd off -> on") == true)
    run.configuration.usesWinograd = false
    #expect(try run.pretraining("stopped").run().outcome == .finished)
    #expect(try run.file("stopped") == run.file("off"))
  }

  @Test func aRunInBFloat16IsKeptAtAResumeAndIsNotGoneOnWithInFloat32() throws {
    var run = try TinyRun()
    _ = try run.pretraining("float32").run()
    run.configuration.precision = .bfloat16
    _ = try run.pretraining("bfloat16").run()
    #expect(try run.file("float32") != run.file("bfloat16"))
    let losses = try run.rows("bfloat16").compactMap { $0["loss"] as? Double }
    #expect(losses.count == 9 && losses.allSatisfy { $0.isFinite && $0 > 0 } && Set(losses).count == 9)
    #expect(try PretrainSettings.ofRun(at: run.folder.path + "/bfloat16")?.text(of: "precision") == "bfloat16")
    #expect(try run.interrupt("stopped", after: 4).outcome == .interrupted)
    run.configuration.precision = .float32
    let error = #expect(throws: PretrainingError.self) { try run.pretraining("stopped").run() }
    #expect(error?.description.contains("precision bfloat16 -> float32") == true)
    run.configuration.precision = .bfloat16
    #expect(try run.pretraining("stopped").run().outcome == .finished)
    #expect(try run.file("stopped") == run.file("bfloat16"))
  }

  @Test func runsFromBeforeASettingExistedGoOn() throws {
    let run = try TinyRun()
    _ = try run.pretraining("whole").run()
    #expect(try run.interrupt("old", after: 2).outcome == .interrupted)
    // The note as it was then, made as long as now by spaces, so that nothing else in the file moves.
    var checkpoint = try run.file("old", "checkpoint")
    for setting in [#"\"channels\":\"3\","#, #"\"augmentation-precision\":\"fast\","#, #",\"winograd\":\"on\""#] {
      let place = try #require(checkpoint.range(of: Data(setting.utf8)), "\(setting)")
      checkpoint.replaceSubrange(place, with: Data(repeating: UInt8(ascii: " "), count: place.count))
    }
    try checkpoint.write(to: URL(fileURLWithPath: run.folder.path + "/old/checkpoint"))
    #expect(try run.pretraining("old").run().outcome == .finished)
    #expect(try run.file("old") == run.file("whole"))
  }

  @Test func microBatchesHoldAtAResumeAndDivideTheBatch() throws {
    var run = try TinyRun()
    run.configuration.microBatch = 2
    _ = try run.pretraining("whole").run()
    _ = try run.interrupt("run", after: 5)
    _ = try run.pretraining("run").run()
    #expect(try run.file("run") == run.file("whole"))
    run.configuration.microBatch = 3
    let error = #expect(throws: PretrainingError.self) { try run.pretraining("other").run() }
    #expect(error?.description.hasSuffix("a divisor of the batch, 4, is needed, or 0") == true, "\(String(describing: error))")
  }

  @Test func metricsHaveARowAStepAndAreCutBackAtAResume() throws {
    let run = try TinyRun()
    // As if the process had been killed after step 3: the checkpoint of step 2 is what counts, and the row of step 3 goes.
    _ = try run.pretraining("whole").run { event in
      if case .step(let step) = event, step.step == 3 { try run.copy("whole", to: "run") }
    }
    #expect(try run.rows("run").count == 3)
    #expect(try run.pretraining("run").run().outcome == .finished)
    let rows = try run.rows("run")
    #expect(rows.compactMap { $0["step"] as? Int } == Array(1...9))
    let keys: Set = [
      "type", "schema", "step", "total_steps", "epoch", "loss", "ln_k", "lr", "images_per_second", "data_wait", "gradient_norm",
      "code_entropy", "prediction_entropy",
      "score_spread", "epsilon", "similarity", "prototypes_used", "queue_used", "seconds", "seconds_left",
    ]
    for row in rows { #expect(Set(row.keys) == keys) }
    #expect(rows.map { $0["epoch"] as? Int } == [1, 1, 1, 2, 2, 2, 3, 3, 3])
    // The queue of two batches starts in the second epoch and is in use once it is full.
    #expect(rows.map { $0["queue_used"] as? Bool } == [false, false, false, false, false, true, true, true, true])
    let wait = rows.compactMap { $0["data_wait"] as? Double }
    #expect(wait.count == 9 && wait.allSatisfy { (0...100).contains($0) })
  }

  @Test func theFolderHoldsAllFilesByName() throws {
    var run = try TinyRun()
    run.configuration.epochs = 1
    _ = try run.pretraining("run", validates: true).run()
    #expect(
      try run.names("run") == [
        "checkpoint", "config.yaml", "environment.json", "events.out.tfevents.swav", "log.txt", "metrics.jsonl",
        "weights-best.safetensors", "weights.safetensors",
      ])
    let metrics = try String(decoding: run.file("run", "metrics.jsonl"), as: UTF8.self)
    #expect(metrics.contains("\"knn20\":"))
    let given = try PretrainSettings(contentsOf: run.folder.path + "/run/config.yaml")
    #expect(
      try PretrainConfiguration.planned(for: DataFacts(images: 12, shortSide: 40), given: given).configuration
        == run.configuration)
    #expect(try JSONSerialization.jsonObject(with: run.file("run", "environment.json")) is [String: Any])
  }

  @Test func aFinishedRunSaysSo() throws {
    var run = try TinyRun()
    run.configuration.epochs = 1
    _ = try run.pretraining("run").run()
    let before = try run.file("run", "metrics.jsonl")
    let again = try run.pretraining("run").run()
    #expect(again.outcome == .alreadyFinished && again.step == 3)
    #expect(try run.file("run", "metrics.jsonl") == before)
  }

  @Test func refusesWhatIsNotTheSameRun() throws {
    var run = try TinyRun()
    _ = try run.interrupt("run", after: 2)
    func message(resume: Pretraining.Resume = .auto) -> String {
      do {
        _ = try run.pretraining("run", resume: resume).run()
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    #expect(message(resume: .never).contains("not empty, and resume is never"))
    run.configuration.baseLR *= 2
    run.configuration.epochs = 4
    let changed = message()
    #expect(changed.contains("other settings") && changed.contains("base-lr ") && changed.contains("epochs 3 -> 4"))
    #expect(changed.contains("A run cannot be made longer") && changed.contains("begins anew, in a folder of its own"))
    run.configuration.baseLR /= 2
    run.configuration.epochs = 3
    try run.folder.write("images/class0/another.jpg", try picture(kind: 0, number: 50))
    #expect(message().contains("12 images then, 13 now"))
    try FileManager.default.removeItem(atPath: run.folder.path + "/images/class0/another.jpg")
    #expect(message() == "no error")
  }

  @Test func aDamagedCheckpointIsNamedAndLeftAlone() throws {
    let run = try TinyRun()
    _ = try run.interrupt("run", after: 2)
    let whole = try run.file("run", "checkpoint")
    let path = run.folder.path + "/run/checkpoint"
    for length in [0, 7, 100, whole.count / 2, whole.count - 1] {
      try whole.prefix(length).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: PretrainingError.self, "\(length) bytes") { try run.pretraining("run").run() }
      guard case .checkpoint(let named, _) = error else {
        Issue.record("\(length) bytes: \(String(describing: error))")
        continue
      }
      #expect(named == path)
      #expect(try run.file("run", "checkpoint").count == length)
    }
  }
}
