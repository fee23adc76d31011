import SwAVEngine
import Synchronization

/// A pretraining on a thread of its own: what happens, a way to stop it, and what came of it.
///
///     let run = PretrainingRun(pretraining)
///     for try await event in run.events {
///       if case .step(let step) = event { print(step.step, step.loss) }
///     }
///     let result = try await run.value
///
/// It starts when it is asked for something: by ``start()``, by the first iteration of ``events``, or by waiting for ``value``.
/// It goes on when nobody listens any more; ``cancel()`` ends it, and so does cancelling a task that waits for it.
public final class PretrainingRun: Sendable {
  public let pretraining: Pretraining
  private let control = RunControl()
  private let state = Mutex(State())

  private struct State {
    var hasStarted = false
    var outcome: Result<PretrainingResult, any Error>?
    var listeners: [Int: AsyncThrowingStream<PretrainingEvent, any Error>.Continuation] = [:]
    var nextListener = 0
    var waiters: [CheckedContinuation<PretrainingResult, any Error>] = []
  }

  /// Does nothing yet.
  public init(_ pretraining: Pretraining) { self.pretraining = pretraining }

  /// Begins to train. Once is enough.
  public func start() {
    let isFirst = state.withLock { state in
      defer { state.hasStarted = true }
      return !state.hasStarted
    }
    guard isFirst else { return }
    do {
      try startThread("swav-pretrain", stackSize: 8 << 20) { [self] in
        end(with: Result { try pretraining.run(control: control, report: tell) })
      }
    } catch {
      end(with: .failure(error))
    }
  }

  /// Ends the run soon; ``value`` comes after the last checkpoint.
  public func cancel() { control.cancel() }

  /// Asks for a checkpoint after the step under way; the run goes on.
  public func saveCheckpoint() { control.requestCheckpoint() }

  /// How the run ended, once all that it leaves is on the disk. Throws what ended it early; a cancelled run ends with the outcome
  /// `.interrupted`, and with ``PretrainingError/cancelled`` where it had not begun.
  public var value: PretrainingResult {
    get async throws {
      start()
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { waiter in
          let outcome = state.withLock { state in
            if state.outcome == nil { state.waiters.append(waiter) }
            return state.outcome
          }
          if let outcome { waiter.resume(with: outcome) }
        }
      } onCancel: {
        cancel()
      }
    }
  }

  /// What happens from the first iteration on, until the run has ended; throws what ended it early. Each iteration gets everything
  /// from its own start on; leaving one does not end the run.
  public var events: Events { Events(run: self) }

  public struct Events: AsyncSequence, Sendable {
    public typealias Element = PretrainingEvent
    let run: PretrainingRun

    public func makeAsyncIterator() -> Iterator { Iterator(run: run, base: run.listen().makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
      let run: PretrainingRun
      var base: AsyncThrowingStream<PretrainingEvent, any Error>.Iterator

      public mutating func next() async throws -> PretrainingEvent? {
        if Task.isCancelled { run.cancel() }
        let event = try await base.next()
        // A cancelled task gets nil at once.
        if event == nil, Task.isCancelled { run.cancel() }
        return event
      }
    }
  }

  private func listen() -> AsyncThrowingStream<PretrainingEvent, any Error> {
    let (stream, continuation) = AsyncThrowingStream<PretrainingEvent, any Error>.makeStream()
    let (number, outcome) = state.withLock { state in
      let number = state.nextListener
      state.nextListener += 1
      if state.outcome == nil { state.listeners[number] = continuation }
      return (number, state.outcome)
    }
    continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.listeners[number] = nil } }
    if let outcome { PretrainingRun.finish(continuation, outcome) }
    start()
    return stream
  }

  private func tell(_ event: PretrainingEvent) {
    for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield(event) }
  }

  private func end(with outcome: Result<PretrainingResult, any Error>) {
    let (listeners, waiters) = state.withLock { state in
      state.outcome = outcome
      defer { (state.listeners, state.waiters) = ([:], []) }
      return (Array(state.listeners.values), state.waiters)
    }
    for listener in listeners { PretrainingRun.finish(listener, outcome) }
    for waiter in waiters { waiter.resume(with: outcome) }
  }

  private static func finish(
    _ listener: AsyncThrowingStream<PretrainingEvent, any Error>.Continuation, _ outcome: Result<PretrainingResult, any Error>
  ) {
    switch outcome {
    case .success: listener.finish()
    case .failure(let error): listener.finish(throwing: error)
    }
  }
}
