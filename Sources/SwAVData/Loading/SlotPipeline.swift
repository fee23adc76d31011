import Foundation
package import SwAVEngine

/// Workers that fill slots ahead of one consumer, who gets them in order.
///
/// Batch b goes through slot b % slots and consists of numbered items; a worker takes the next item of the earliest batch
/// whose slot is free, so at most `slots` batches are in memory and which worker does what never matters. Workers are
/// threads of their own: filling blocks on files and computes for long, which Swift's cooperative pool is not made for.
package final class SlotPipeline {
  /// Fills item `item` of batch `batch` in slot `slot`. Called on the workers, each (batch, item) once.
  package typealias Fill = @Sendable (_ batch: Int, _ item: Int, _ slot: Int) throws -> Void

  private let work: Work

  /// Starts the workers. `items` is the number of items of a batch. Throws where the system starts no thread; fewer than asked for do.
  package init(
    batches: Range<Int>, items: @escaping @Sendable (Int) -> Int, slots: Int, workers: Int, fill: @escaping Fill
  ) throws(EngineError) {
    work = Work(batches: batches, items: items, slots: max(1, slots), fill: fill)
    for index in 0..<max(1, workers) {
      work.willStart()
      do {
        // Decoding keeps rows of a picture and filter tables on the heap; half a megabyte is plenty, and 8 the default.
        try startThread("swav-load-\(index)", stackSize: 1 << 20) { [work] in work.run() }
      } catch {
        work.hasNotStarted()
        guard index > 0 else { throw error }
        break
      }
    }
  }

  deinit { work.stop() }

  /// Ends the workers and returns when the last is gone. A consumer that waits gets nil.
  package func stop() { work.stop() }

  /// Waits for the next batch and lends its slot; the slot is free again when `body` returns. Nil after the last batch. What the
  /// calling thread watches (``Cancellation``) calls the waiting off; the batch can be waited for once more then.
  package func withNext<R>(_ body: (_ batch: Int, _ slot: Int) throws -> R) throws -> R? {
    guard let batch = try work.awaitNext() else { return nil }
    defer { work.release() }
    return try body(batch, batch % work.slots)
  }

  /// Seconds that the consumer has waited so far.
  package var waited: Double { work.waited }
}

extension SlotPipeline {
  // Sendable: every stored variable is read and written with `condition` held only.
  private final class Work: @unchecked Sendable {
    let batches: Range<Int>
    let items: @Sendable (Int) -> Int
    let slots: Int
    private let fill: Fill
    private let condition = NSCondition()
    /// The batch that the consumer has or gets next.
    private var front: Int
    /// The next item to hand to a worker.
    private var next: (batch: Int, item: Int)
    /// Items not yet filled, a slot.
    private var missing: [Int]
    private var failure: (any Error)?
    private var stopped = false
    private var workers = 0
    private var waitedSeconds = 0.0

    init(batches: Range<Int>, items: @escaping @Sendable (Int) -> Int, slots: Int, fill: @escaping Fill) {
      (self.batches, self.items, self.slots, self.fill) = (batches, items, slots, fill)
      front = batches.lowerBound
      next = (batches.lowerBound, 0)
      missing = Array(repeating: 0, count: slots)
      for batch in batches.prefix(slots) { missing[batch % slots] = items(batch) }
    }

    func willStart() { condition.withLock { workers += 1 } }
    func hasNotStarted() { condition.withLock { workers -= 1 } }

    var waited: Double { condition.withLock { waitedSeconds } }

    func run() {
      while let (batch, item) = claim() {
        let slot = batch % slots
        let result = Result { try fill(batch, item, slot) }
        condition.withLock {
          missing[slot] -= 1
          if case .failure(let error) = result, failure == nil { failure = error }
          if missing[slot] == 0 || failure != nil { condition.broadcast() }
        }
      }
      condition.withLock {
        workers -= 1
        condition.broadcast()
      }
    }

    /// The next item whose slot is free; nil when there is nothing left to do.
    private func claim() -> (batch: Int, item: Int)? {
      condition.withLock {
        while !stopped, failure == nil, next.batch < batches.upperBound {
          if next.batch < front + slots {
            let claimed = next
            next.item += 1
            if next.item >= items(next.batch) { next = (next.batch + 1, 0) }
            return claimed
          }
          condition.wait()
        }
        return nil
      }
    }

    func awaitNext() throws -> Int? {
      try condition.withLock {
        guard front < batches.upperBound else { return nil }
        let start = ContinuousClock.now
        while !stopped, failure == nil, missing[front % slots] > 0 {
          try Cancellation.check()
          _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
        }
        waitedSeconds += (ContinuousClock.now - start) / .seconds(1)
        // Stopping makes reads fail.
        if stopped { return nil }
        if let failure { throw failure }
        return front
      }
    }

    func release() {
      condition.withLock {
        let following = front + slots
        missing[front % slots] = following < batches.upperBound ? items(following) : 0
        front += 1
        condition.broadcast()
      }
    }

    func stop() {
      condition.withLock {
        stopped = true
        condition.broadcast()
        while workers > 0 { condition.wait() }
      }
    }
  }
}
