import Foundation
import SwAVData
import SwAVEngine
import Synchronization

/// Work on numbered things, shared by threads: runs of them are handed out, and what the threads find is kept in the order of the
/// numbers. Runs have a constant length, so that sums are made of the same parts with any number of threads.
package final class OrderedRuns<Part: Sendable>: Sendable {
  static var runLength: Int { 16 }

  private let count: Int
  private let body: @Sendable (Int, inout Part) throws -> Void
  private let empty: Part
  private let next = Atomic(0)
  private let finished = Atomic(0)
  private let stopped = Atomic(false)
  private let results: Mutex<[Part?]>
  private let failure = Mutex<(any Error)?>(nil)

  /// Seconds that threads get to end after the work was called off.
  private static var grace: Double { 1 }

  /// `body` adds what it finds for a number to a part, which is `empty` before the first of a run. What it throws ends all.
  package init(count: Int, empty: Part, body: @escaping @Sendable (Int, inout Part) throws -> Void) {
    (self.count, self.empty, self.body) = (count, empty, body)
    results = Mutex(Array(repeating: nil, count: (count + Self.runLength - 1) / Self.runLength))
  }

  /// Does the work on `workers` threads; gives the parts in order. `progress` is called some times a second on this thread with
  /// how many are done; it may throw to stop. What this thread watches (``Cancellation``) calls it off. `onStop` lets go what
  /// `body` may wait for.
  package func run(workers: Int, onStop: () -> Void = {}, progress: (Int) throws -> Void = { _ in }) throws -> [Part] {
    let group = DispatchGroup()
    for index in 0..<max(1, workers) {
      group.enter()
      do {
        try startThread("swav-look-\(index)", stackSize: 1 << 20) { [self] in
          work()
          group.leave()
        }
      } catch {
        group.leave()
        // Fewer do as well.
        guard index > 0 else { throw error }
        break
      }
    }
    do {
      while group.wait(timeout: .now() + .milliseconds(100)) == .timedOut {
        try Cancellation.check()
        try progress(done)
      }
      if let error = failure.withLock({ $0 }) { throw error }
      try progress(done)
    } catch {
      stopped.store(true, ordering: .relaxed)
      onStop()
      _ = group.wait(timeout: .now() + Self.grace)
      throw error
    }
    return results.withLock { $0.compactMap { $0 } }
  }

  private var done: Int { finished.load(ordering: .relaxed) }

  private func work() {
    while !stopped.load(ordering: .relaxed) {
      let index = next.add(1, ordering: .relaxed).oldValue
      let first = index * Self.runLength
      guard first < count else { return }
      var part = empty
      do {
        for number in first..<min(first + Self.runLength, count) where !stopped.load(ordering: .relaxed) {
          try body(number, &part)
          finished.add(1, ordering: .relaxed)
        }
      } catch {
        failure.withLock { $0 = $0 ?? error }
        stopped.store(true, ordering: .relaxed)
      }
      let found = part
      results.withLock { $0[index] = found }
    }
  }
}
