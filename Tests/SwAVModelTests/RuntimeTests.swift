import Foundation
import SwAVEngine
import Testing

/// What the engine says of a thread's number of threads, asked on another thread.
private func threadsElsewhere() async throws -> Int {
  try await withCheckedThrowingContinuation { continuation in
    Thread { continuation.resume(with: Result { try Runtime.info().threads }) }.start()
  }
}

@Suite struct RuntimeTests {
  @Test func aNumberOfThreadsOfOnesOwnEndsWithItsScopeAndTouchesNobodyElse() async throws {
    let before = try Runtime.info()
    #expect(before.threads >= 1 && before.cores >= 1 && !before.threadsFrom.isEmpty)
    // On a thread of its own: an async function may go on on another one.
    let inside = try await withCheckedThrowingContinuation { continuation in
      Thread {
        continuation.resume(
          with: Result {
            let inside = try Runtime.withThreads(before.threads + 5) {
              (try Runtime.info(), try Runtime.withThreads(1) { try Runtime.info().threads }, try Runtime.info().threads)
            }
            return (inside, try Runtime.info().threads)
          })
      }.start()
    }
    #expect(inside.0.0.threads == before.threads + 5 && inside.0.0.threadsFrom == "set by the program")
    #expect(inside.0.1 == 1 && inside.0.2 == before.threads + 5 && inside.1 == before.threads)
    #expect(try await threadsElsewhere() == before.threads)
  }

  @Test func aNumberOfThreadsOutOfRangeIsRefusedAndNothingRuns() {
    let error = #expect(throws: EngineError.self) { try Runtime.withThreads(-1) { Issue.record("ran") } }
    #expect(error?.message == "threads is -1; 0 (no choice) to 4096 is allowed")
  }
}
