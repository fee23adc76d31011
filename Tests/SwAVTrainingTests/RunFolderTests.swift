import Foundation
import Glibc
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct RunFolderTests {
  @Test func foreignFoldersAreNotTouched() throws {
    let run = try TinyRun()
    try run.folder.write("letters/mother.txt", [1])
    let error = #expect(throws: PretrainingError.self) { try run.pretraining("letters").run() }
    #expect(error?.description.contains("not the folder of a run") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: run.folder.path + "/letters") == ["mother.txt"])
  }

  @Test func hiddenAndEmptyFilesDoNotMakeAFolderUsed() throws {
    var run = try TinyRun()
    run.configuration.epochs = 1
    try run.folder.write("run/.gitkeep", [])
    try run.folder.write("run/.cache/index", [1])
    try run.folder.write("run/nohup.out", [])
    #expect(try run.pretraining("run", resume: .never).run().outcome == .finished)
    // Now it is used.
    #expect(throws: PretrainingError.self) { try run.pretraining("run", resume: .never).run() }
  }

  @Test func ofTwoRunsInOneFolderOneTrainsAndTheOtherIsRefused() throws {
    let run = try TinyRun()
    var refusals: [String] = []
    let result = try run.pretraining("run").run { event in
      // At the start there is no config.yaml yet to tell the folder by, and later there is a checkpoint.
      guard case .step(let step) = event, [1, 5].contains(step.step) else { return }
      do {
        _ = try run.pretraining("run").run()
      } catch {
        refusals.append("\(error)")
      }
    }
    #expect(result.outcome == .finished)
    #expect(
      refusals.count == 2
        && refusals.allSatisfy { $0.hasSuffix("another run is training here; wait for it, or use another folder") })
    #expect(try run.rows("run").count == 9)
  }

  @Test func onlyALockThatIsTakenMeansAnotherRun() throws {
    let meaning: [(Int32, RunLock.Outcome)] = [
      (0, .held), (EWOULDBLOCK, .inUse), (ENOLCK, .impossible), (EOPNOTSUPP, .impossible), (ENOSYS, .impossible),
      (EIO, .failed),
    ]
    for (code, outcome) in meaning { #expect(RunLock.outcome(of: code) == outcome, "errno \(code)") }

    let folder = try TemporaryFolder()
    let files = RunFolder(path: folder.path)
    let without = try RunLock(files) { _ in ENOLCK }
    #expect(
      without.remark
        == "\(folder.path): this file system has no locks (No locks available); do not start a second run in this folder")
    let broken = #expect(throws: PretrainingError.self) { _ = try RunLock(files) { _ in EIO } }
    #expect(broken == .file(path: files.lock, reason: "Input/output error"))
    var interruptions = 2
    let held = try RunLock(files) { _ in
      interruptions -= 1
      return interruptions < 0 ? 0 : EINTR
    }
    #expect(held.remark == nil && interruptions < 0)
  }

  @Test func theLockIsFreeAgainAfterTheRun() throws {
    let folder = try TemporaryFolder()
    let files = RunFolder(path: folder.path)
    do {
      let first = try RunLock(files)
      #expect(first.remark == nil)
      #expect(throws: PretrainingError.self) { _ = try RunLock(files) }
    }
    let second = try RunLock(files)
    #expect(second.remark == nil)
  }

  @Test func slashesAtTheEndOfAFolderDoNotShowInTheNamesOfItsFiles() {
    #expect(RunFolder(path: "run//").weights == "run/weights.safetensors")
    #expect(RunFolder(path: "/").log == "//log.txt")
  }
}
