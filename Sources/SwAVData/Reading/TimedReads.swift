import Foundation
import SwAVEngine
import Synchronization

/// Reads samples within a time limit: a file system that does not answer must not stop a run.
///
/// A system call that hangs cannot be called off, so a read is carried out on a thread of its own, which is given up when the
/// time is over: it goes on waiting, holds nothing that others need, and ends when the call comes back. The sample is not asked
/// for again until then. A read costs two switches of threads, some ten microseconds.
///
/// Used from several threads at once.
package final class TimedReads: Sendable {
  private let source: any ImageSource
  private let seconds: Double
  private let state = Mutex(State())

  private struct State {
    var idle: [Reader] = []
    var busy: [ObjectIdentifier: Reader] = [:]
    /// Samples whose reads have not come back.
    var hanging: Set<Int> = []
    var isClosed = false
  }

  /// So many threads may hang at a time; one more is an error of its own, as hardly one file alone is to blame then.
  package static let hangingLimit = 32

  /// Seconds that a read under way gets to come back after ``close()``.
  private static let grace = 1.0

  /// Reading was stopped by ``close()``.
  package struct Closed: Error {}

  /// `seconds` a sample; 0: no limit.
  package init(_ source: any ImageSource, seconds: Double) {
    (self.source, self.seconds) = (source, seconds)
  }

  deinit { close() }

  /// The bytes of a sample. Throws what the source throws, `.io` when the time is over, `.stalled` when too many reads hang,
  /// ``Closed`` after ``close()``.
  package func bytes(of sample: Int) throws -> [UInt8] {
    try read(sample) { try $0.bytes(of: sample) }
  }

  /// The same for its first bytes, at most `limit`.
  package func head(of sample: Int, limit: Int) throws -> [UInt8] {
    try read(sample) { try $0.head(of: sample, limit: limit) }
  }

  private func read(_ sample: Int, _ body: @escaping @Sendable (any ImageSource) throws -> [UInt8]) throws -> [UInt8] {
    let reader = try take(for: sample, body)
    switch reader.wait(until: seconds > 0 ? Deadline(inSeconds: min(seconds, 1e9)) : nil) {
    case .done(let result):
      release(reader)
      return try result.get()
    case .late:
      try giveUp(reader, sample)
      throw DataError(.io, "\(source.name(of: sample)): not read within \(seconds) seconds; the file system hangs")
    case .closed: throw Closed()
    }
  }

  /// Ends the waiting of all callers: at once where the read is done, and otherwise within ``grace`` seconds. No read begins
  /// any more.
  package func close() {
    let readers = state.withLock { state in
      state.isClosed = true
      defer { (state.idle, state.busy) = ([], [:]) }
      return state.idle + state.busy.values
    }
    for reader in readers { reader.close(by: Deadline(inSeconds: TimedReads.grace)) }
  }

  private func take(for sample: Int, _ body: @escaping @Sendable (any ImageSource) throws -> [UInt8]) throws -> Reader {
    let source = source
    return try state.withLock { state in
      guard !state.isClosed else { throw Closed() }
      guard !state.hanging.contains(sample) else {
        throw DataError(.io, "\(source.name(of: sample)): an earlier read of it still hangs")
      }
      let reader = state.idle.popLast() ?? Reader()
      state.busy[ObjectIdentifier(reader)] = reader
      reader.start { try body(source) }
      return reader
    }
  }

  private func release(_ reader: Reader) {
    let isClosed = state.withLock { state in
      state.busy[ObjectIdentifier(reader)] = nil
      if !state.isClosed { state.idle.append(reader) }
      return state.isClosed
    }
    if isClosed { reader.close(by: Deadline(inSeconds: 0)) }
  }

  private func giveUp(_ reader: Reader, _ sample: Int) throws {
    let hanging = state.withLock { state in
      state.busy[ObjectIdentifier(reader)] = nil
      state.hanging.insert(sample)
      return state.hanging.count
    }
    reader.abandon { [weak self] in self?.state.withLock { _ = $0.hanging.remove(sample) } }
    guard hanging <= TimedReads.hangingLimit else {
      throw DataError(
        .stalled,
        "\(hanging) reads have not come back within \(seconds) seconds each; the file system hangs; the last: "
          + source.name(of: sample))
    }
  }
}

/// Whether an error of reading or decoding a sample is none of the sample's: no memory, a file system that hangs, an end of all
/// reading. It ends the work; any other makes the sample a bad one.
package func endsReading(_ error: any Error) -> Bool {
  switch error {
  case let error as EngineError: [.memory, .internal, .cancelled].contains(error.code)
  case let error as DataError: error.kind == .stalled
  case is TimedReads.Closed: true
  default: false
  }
}

/// A thread that carries out one read after the other.
// Sendable: every stored variable is read and written with `condition` held only.
private final class Reader: @unchecked Sendable {
  typealias Job = @Sendable () throws -> [UInt8]

  enum Outcome {
    case done(Result<[UInt8], any Error>)
    case late
    case closed
  }

  private let condition = NSCondition()
  private var job: Job?
  private var result: Result<[UInt8], any Error>?
  private var isClosed = false
  /// When a caller stops waiting; nil: never.
  private var deadline: Deadline?
  /// Called when an abandoned read comes back.
  private var onReturn: (@Sendable () -> Void)?
  private var isRunning = false

  func start(_ job: @escaping Job) {
    condition.withLock {
      (self.job, result) = (job, nil)
      if !isRunning {
        do {
          try startThread("swav-read", stackSize: 1 << 20) { [self] in run() }
          isRunning = true
        } catch {
          (self.job, result) = (nil, .failure(error))
        }
      }
      condition.broadcast()
    }
  }

  func wait(until deadline: Deadline?) -> Outcome {
    condition.withLock {
      hasten(to: deadline)
      while result == nil {
        guard let deadline = self.deadline else {
          condition.wait()
          continue
        }
        guard !deadline.hasPassed else { break }
        condition.wait(until: deadline)
      }
      if !isClosed { self.deadline = nil }
      if let found = result {
        result = nil
        return .done(found)
      }
      return isClosed ? .closed : .late
    }
  }

  /// Ends the thread as soon as it has nothing to do, and its caller's waiting by then.
  func close(by time: Deadline) {
    condition.withLock {
      isClosed = true
      hasten(to: time)
      condition.broadcast()
    }
  }

  private func hasten(to time: Deadline?) {
    if let time { deadline = min(deadline ?? time, time) }
  }

  /// The same, for a reader whose caller has gone: `onReturn` is called when its read comes back.
  func abandon(_ onReturn: @escaping @Sendable () -> Void) {
    let hasReturned = condition.withLock {
      isClosed = true
      if result == nil { self.onReturn = onReturn }
      condition.broadcast()
      return result != nil
    }
    if hasReturned { onReturn() }
  }

  private func run() {
    while let job = next() {
      let result = Result { try job() }
      let onReturn = condition.withLock {
        self.result = result
        condition.broadcast()
        return self.onReturn
      }
      onReturn?()
    }
  }

  private func next() -> Job? {
    condition.withLock {
      while job == nil, !isClosed { condition.wait() }
      defer { job = nil }
      return job
    }
  }
}
