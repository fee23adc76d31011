import Foundation
import SwAVData
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite(.serialized) struct PretrainingRunTests {
  @Test func itStartsWhenItIsAskedAndGivesTheResult() async throws {
    let tiny = try TinyRun()
    let run = PretrainingRun(try tiny.pretraining("run"))
    #expect(!FileManager.default.fileExists(atPath: tiny.folder.path + "/run"))
    var steps: [Int] = []
    for try await event in run.events { if case .step(let step) = event { steps.append(step.step) } }
    #expect(steps == Array(1...9))
    let result = try await run.value
    #expect(result.outcome == .finished && result.step == 9)
    // Later listeners get the end at once.
    for try await _ in run.events { Issue.record("an event after the end") }
    _ = try tiny.pretraining("whole").run()
    #expect(try tiny.file("run") == tiny.file("whole"))
  }

  @Test func itEndsWithACheckpointWhenItIsCancelled() async throws {
    var tiny = try TinyRun()
    tiny.configuration.epochs = 4000
    let run = PretrainingRun(try tiny.pretraining("run"))
    var steps = 0
    for try await event in run.events {
      if case .step = event { steps += 1 }
      if steps == 2 { run.cancel() }
    }
    let result = try await run.value
    #expect(result.outcome == .interrupted && result.step >= 2)
    #expect(try RunFolder(path: tiny.folder.path + "/run").checkpointState().step == result.step)
    // The folder is free as soon as the value is there.
    let again = PretrainingRun(try tiny.pretraining("run"))
    for try await event in again.events { if case .step = event { again.cancel() } }
    #expect(try await again.value.step > result.step)
  }

  @Test func aCheckpointIsWrittenWhenItIsAskedFor() async throws {
    var tiny = try TinyRun()
    (tiny.configuration.epochs, tiny.configuration.checkpointSteps) = (4000, 0)
    let run = PretrainingRun(try tiny.pretraining("run"))
    var (steps, saved) = (0, [Int]())
    for try await event in run.events {
      if case .checkpoint(let step) = event {
        saved.append(step)
        run.cancel()
      }
      if case .step = event { steps += 1 }
      if steps == 2, saved.isEmpty { run.saveCheckpoint() }
      if steps > 3000 { run.cancel() }
    }
    // The one that was asked for, and that of the end.
    #expect(saved.first.map { $0 >= 2 && $0 < 3000 } == true, "\(saved)")
    #expect(try await run.value.outcome == .interrupted)
  }

  @Test func cancellingTheTaskThatListensEndsIt() async throws {
    var tiny = try TinyRun()
    (tiny.configuration.epochs, tiny.configuration.checkpointSteps) = (4000, 0)
    let run = PretrainingRun(try tiny.pretraining("run"))
    let (heard, hear) = AsyncStream.makeStream(of: Void.self)
    let listener = Task { for try await event in run.events { if case .step = event { hear.yield() } } }
    for await _ in heard { break }
    listener.cancel()
    let result = try await run.value
    #expect(result.outcome == .interrupted && result.step >= 1)
  }

  @Test func leavingTheEventsDoesNotEndItAndCancellingTheTaskDoes() async throws {
    var tiny = try TinyRun()
    tiny.configuration.epochs = 4000
    tiny.configuration.checkpointSteps = 0
    let pretraining = try tiny.pretraining("run")
    let run = PretrainingRun(pretraining)
    for try await event in run.events { if case .step = event { break } }
    // It goes on: a new listener hears of later steps.
    var later = 0
    for try await event in run.events {
      if case .step(let step) = event { later = step.step }
      if later > 1 { break }
    }
    #expect(later > 1)
    let waiting = Task { try await run.value }
    waiting.cancel()
    let result = try await waiting.value
    #expect(result.outcome == .interrupted && result.step >= later)
  }

  @Test func whatEndsItEarlyIsThrownToAll() async throws {
    var tiny = try TinyRun()
    tiny.configuration.batch = 100
    let run = PretrainingRun(try tiny.pretraining("run"))
    await #expect(throws: PretrainingError.self) { for try await _ in run.events {} }
    await #expect(throws: PretrainingError.self) { _ = try await run.value }
  }

  @Test func aProgramTrainsOnImagesOfItsOwn() async throws {
    /// Pictures that are made when they are asked for; one of them cannot be had.
    struct Stripes: ImageSource {
      var count: Int { 12 }
      func name(of sample: Int) -> String { "stripes \(sample)" }
      func bytes(of sample: Int) throws -> [UInt8] {
        if sample == 5 { throw CocoaError(.fileReadNoSuchFile) }
        return try picture(kind: sample % 2, number: sample)
      }
    }
    let tiny = try TinyRun()
    let run = PretrainingRun(
      Pretraining(images: Stripes(), configuration: tiny.configuration, output: tiny.folder.path + "/own"))
    var (steps, bad) = (0, [String]())
    for try await event in run.events {
      switch event {
      case .step: steps += 1
      case .badSample(let sample): bad.append(sample.name)
      default: break
      }
    }
    #expect(steps == 9 && bad == ["stripes 5"])
    #expect(try tiny.file("own").count > 0)
  }

  @Test func aRunThatIsCancelledBeforeItBeginsSaysSo() throws {
    let tiny = try TinyRun()
    let control = RunControl()
    control.cancel()
    do {
      let result = try tiny.pretraining("run").run(control: control)
      #expect(result.outcome == .interrupted && result.step == 0)
    } catch {
      #expect(PretrainingError(error) == .cancelled)
    }
    #expect(try tiny.pretraining("run").run().outcome == .finished)
  }
}
