import CSwAV
import Synchronization

/// A wish to stop that any thread, and a signal handler, may express.
///
/// What runs inside ``watching(_:)`` ends soon after it, even in the middle of a large training step: it throws an
/// ``EngineError`` of the code ``EngineError/Code/cancelled`` and leaves all state as it was before the call.
// Sendable: the flag is atomic and the pointer to it never changes.
public final class Cancellation: @unchecked Sendable {
  private let flag: UnsafeMutablePointer<Atomic<Int32>>

  public init() {
    flag = .allocate(capacity: 1)
    flag.initialize(to: Atomic(0))
  }

  deinit {
    flag.deinitialize(count: 1)
    flag.deallocate()
  }

  public func cancel() { flag.pointee.store(1, ordering: .relaxed) }

  public var isCancelled: Bool { flag.pointee.load(ordering: .relaxed) != 0 }

  /// Calls of `body` on this thread that take long are called off by this cancellation; another one that is watched already
  /// comes back afterwards.
  public func watching<R>(_ body: () throws -> R) rethrows -> R {
    // An atomic number is laid out as the number.
    let before = swav_watch_cancellation(UnsafeRawPointer(flag).assumingMemoryBound(to: Int32.self))
    defer {
      _ = swav_watch_cancellation(before)
      // The engine looks at the flag as long as it is watched.
      withExtendedLifetime(self) {}
    }
    return try body()
  }

  /// Whether what this thread watches is cancelled.
  package static var isCurrentCancelled: Bool { swav_is_cancelled() }

  /// Throws when what this thread watches is cancelled: for loops that take long between two calls of the engine.
  package static func check() throws(EngineError) {
    if isCurrentCancelled { throw EngineError(code: .cancelled, message: "called off") }
  }
}
