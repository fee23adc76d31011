public import SwAVEngine
import Synchronization

/// What may be asked of a run while it goes on, from any thread and from signal handlers.
public final class RunControl: Sendable {
  public let cancellation: Cancellation
  private let wantsCheckpoint = Atomic<Bool>(false)

  public init(cancellation: Cancellation = Cancellation()) { self.cancellation = cancellation }

  /// Ends the run soon: a step under way is undone, an evaluation given up. Everything is on the disk when it has ended, and the
  /// same run goes on from there.
  public func cancel() { cancellation.cancel() }

  public var isCancelled: Bool { cancellation.isCancelled }

  /// Asks for a checkpoint after the step under way; the run goes on.
  public func requestCheckpoint() { wantsCheckpoint.store(true, ordering: .relaxed) }

  func takeCheckpointRequest() -> Bool { wantsCheckpoint.exchange(false, ordering: .relaxed) }
}
