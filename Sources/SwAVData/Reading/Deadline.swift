import Foundation

/// By the clock that stands still while the machine sleeps and that nobody sets: a read is not late because a laptop was shut or the time
/// of day was put right.
typealias Deadline = SuspendingClock.Instant

extension SuspendingClock.Instant {
  init(inSeconds seconds: Double) { self = SuspendingClock.now.advanced(by: .seconds(seconds)) }
  var hasPassed: Bool { self <= SuspendingClock.now }
}

extension NSCondition {
  /// Waits, with the lock held, for a signal until `deadline`; may come back earlier without one.
  func wait(until deadline: Deadline) {
    // A condition waits by the time of day: a second at a time, so that a clock that is put forward ends nothing early.
    let left = min(SuspendingClock.now.duration(to: deadline) / .seconds(1), 1)
    if left > 0 { _ = wait(until: Date(timeIntervalSinceNow: left)) }
  }
}
