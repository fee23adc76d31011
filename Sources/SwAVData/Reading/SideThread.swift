import Foundation

/// Carries `body` out on a thread of its own and waits for it, so that the caller can be let go although a system call hangs: a
/// file system that does not answer cannot be interrupted. `isCancelled` is asked every few milliseconds; when it says true this
/// throws `.cancelled` within ``grace`` seconds, and the thread ends when its call comes back. `body` should look at
/// `isCancelled` itself where it goes on for long.
package func onSideThread<R: Sendable>(
  _ what: String, isCancelled: @escaping @Sendable () -> Bool, _ body: @escaping @Sendable () throws -> R
) throws -> R {
  let outcome = SideOutcome<R>()
  let thread = Thread { outcome.set(Result { try body() }) }
  thread.name = "swav-open"
  // Folders are searched depth first.
  thread.stackSize = 8 << 20
  thread.start()
  var cancelledAt: Date?
  while true {
    if let result = outcome.wait(seconds: 0.02) { return try result.get() }
    if cancelledAt == nil, isCancelled() { cancelledAt = Date() }
    if let cancelledAt, cancelledAt.timeIntervalSinceNow < -sideThreadGrace { throw DataError.calledOff(what) }
  }
}

/// Seconds that the body gets to end by itself.
private let sideThreadGrace = 0.5

// Sendable: the result is written and read with `condition` held only.
private final class SideOutcome<R: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private var result: Result<R, any Error>?

  func set(_ result: Result<R, any Error>) {
    condition.withLock {
      self.result = result
      condition.broadcast()
    }
  }

  func wait(seconds: Double) -> Result<R, any Error>? {
    condition.withLock {
      let end = Date(timeIntervalSinceNow: seconds)
      while result == nil, end.timeIntervalSinceNow > 0 { _ = condition.wait(until: end) }
      return result
    }
  }
}
