import Foundation
import SwAVEngine
import SwAVTestSupport
import Synchronization
import Testing

@testable import SwAVData

/// What hangs is left to itself, and what goes on for long is called off.
@Suite struct SideThreadTests {
  private struct Failure: Error {}

  /// Opens when it is told to.
  // Sendable: `isOpen` is read and written with `condition` held only.
  private final class Gate: @unchecked Sendable {
    private let condition = NSCondition()
    private var isOpen = false
    func wait() { condition.withLock { while !isOpen { condition.wait() } } }
    func open() {
      condition.withLock {
        isOpen = true
        condition.broadcast()
      }
    }
  }

  /// Cancels once `body` runs.
  private func cancelling<R>(_ body: (Cancellation) throws -> R) rethrows -> R {
    let cancellation = Cancellation()
    DispatchQueue.global().asyncAfter(deadline: .now() + 0.1) { cancellation.cancel() }
    return try cancellation.watching { try body(cancellation) }
  }

  @Test func resultsAndErrorsComeBack() throws {
    #expect(try onSideThread("x") { _ in 7 } == 7)
    #expect(throws: Failure.self) { try onSideThread("x") { _ -> Int in throw Failure() } }
  }

  @Test func whatHangsIsLeftToItself() throws {
    let gate = Gate()
    defer { gate.open() }
    let error = #expect(throws: DataError.self) { try cancelling { _ in try onSideThread("disk") { _ in gate.wait() } } }
    #expect(error == DataError(.cancelled, "disk: called off"))
  }

  @Test func theBodyLearnsOfTheCancellation() throws {
    let rounds = try cancelling { _ in
      try onSideThread("x") { isCancelled in
        var rounds = 0
        while !isCancelled() { rounds += 1 }
        return rounds
      }
    }
    #expect(rounds > 0)
  }

  @Test func openingIsCalledOff() throws {
    let folder = try TemporaryFolder()
    for index in 0..<600 { try folder.write("\(index).jpg", [1]) }
    try folder.write("x.tar", tar((0..<600).map { ("\($0).jpg", [1]) }))
    let cancellation = Cancellation()
    cancellation.cancel()
    for path in [folder.path, folder.path + "/x.tar"] {
      let error = #expect(throws: DataError.self) { try cancellation.watching { try openImages(path) } }
      #expect(error?.kind == .cancelled, "\(path)")
      #expect(try openImages(path).count == 600)
    }
    let images = try ImageFolder(folder.path)
    let error = #expect(throws: DataError.self) { try cancellation.watching { try images.identity() } }
    #expect(error?.kind == .cancelled)
    var scan = FolderScan(root: folder.path) { true }
    #expect(throws: DataError.calledOff(folder.path)) { try scan.run() }
    var index = TarIndex { true }
    let path = Array((folder.path + "/x.tar").utf8CString)
    #expect(throws: DataError.calledOff("archive")) { try index.append(path, name: "x.tar") }
  }

  @Test func waitingForABatchIsCalledOff() throws {
    let gate = Gate()
    let pipeline = try SlotPipeline(batches: 0..<2, items: { _ in 1 }, slots: 1, workers: 1, fill: { _, _, _ in gate.wait() })
    let error = #expect(throws: EngineError.self) { try cancelling { _ in try pipeline.withNext { batch, _ in batch } } }
    #expect(error?.code == .cancelled)
    gate.open()
    // The batch is still the next one.
    #expect(try pipeline.withNext { batch, _ in batch } == 0)
    #expect(try pipeline.withNext { batch, _ in batch } == 1)
    #expect(try pipeline.withNext { batch, _ in batch } == nil)
  }
}
