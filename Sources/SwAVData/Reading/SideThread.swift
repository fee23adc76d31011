import Foundation
import SwAVEngine
import Synchronization

/// Carries `body` out on a thread of its own and waits for it, so that the caller is let go although a system call hangs: a file
/// system that does not answer cannot be interrupted. What the caller watches (``Cancellation``) calls it off: then `body` is told
/// so by its argument, and when it has not ended within ``sideThreadGrace`` seconds, it is left to itself. Throws what `body`
/// throws, or `.cancelled`.
package func onSideThread<R: Sendable>(
  _ what: String, _ body: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) throws -> R
) throws -> R {
  if Cancellation.isCurrentCancelled { throw DataError.calledOff(what) }
  let work = SideWork<R>()
  // Folders are searched depth first.
  try startThread("swav-aside", stackSize: 8 << 20) { work.run(body) }
  while !Cancellation.isCurrentCancelled {
    if let result = work.wait(seconds: 0.02) { return try result.get() }
  }
  work.cancel()
  if let result = work.wait(seconds: sideThreadGrace) { return try result.get() }
  throw DataError.calledOff(what)
}

private let sideThreadGrace = 0.5

// Sendable: the result is written and read with `condition` held only.
private final class SideWork<R: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private let isCancelled = Atomic(false)
  private var result: Result<R, any Error>?

  func run(_ body: (@escaping @Sendable () -> Bool) throws -> R) {
    let result = Result { try body { [self] in isCancelled.load(ordering: .relaxed) } }
    condition.withLock {
      self.result = result
      condition.broadcast()
    }
  }

  func cancel() { isCancelled.store(true, ordering: .relaxed) }

  func wait(seconds: Double) -> Result<R, any Error>? {
    condition.withLock {
      let end = Deadline(inSeconds: seconds)
      while result == nil, !end.hasPassed { condition.wait(until: end) }
      return result
    }
  }
}
