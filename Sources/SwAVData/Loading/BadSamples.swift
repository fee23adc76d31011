import Synchronization

/// A sample that could not be used, and why.
public struct BadSample: Sendable, Equatable, Codable {
  public var sample: Int
  public var name: String
  public var reason: String

  public init(sample: Int, name: String, reason: String) {
    (self.sample, self.name, self.reason) = (sample, name, reason)
  }
}

/// The samples that turned out bad: each is counted and named once.
// Sendable: the state is inside the mutex.
final class BadSamples: Sendable {
  private struct State {
    var known: Set<Int>
    var unreported: [BadSample] = []
    var tried: Int
    /// Set by the sample that was one too many; workers that find another one meanwhile give the same answer.
    var verdict: DataError?
  }

  private let state: Mutex<State>
  private let share: Double
  private let count: Int

  /// A share is not told from fewer samples than these: a large set whose first few images are bad may be good.
  static let least = 1000

  /// `share` (0...1) of the samples that were tried may be bad, and of `least` or of all `count` while fewer were tried;
  /// `tried` of them were in an earlier part of the run.
  init(known: [Int], count: Int, share: Double, tried: Int = 0) {
    state = Mutex(State(known: Set(known), tried: tried))
    (self.count, self.share) = (count, share)
  }

  /// A sample was asked for.
  func countTry() { state.withLock { $0.tried += 1 } }

  func record(_ bad: BadSample) throws(DataError) {
    let verdict = state.withLock { state in
      if state.known.insert(bad.sample).inserted { state.unreported.append(bad) }
      if state.verdict == nil { state.verdict = judge(state, last: bad) }
      return state.verdict
    }
    if let verdict { throw verdict }
  }

  private func judge(_ state: State, last: BadSample) -> DataError? {
    let tried = min(count, max(BadSamples.least, state.tried))
    let limit = Int((share * Double(tried)).rounded(.down))
    guard state.known.count > limit else { return nil }
    return DataError(
      .tooManyBad,
      "\(state.known.count) of \(tried < count ? "the first \(tried) of " : "")\(count) images are bad, more than the "
        + "\(limit) that max-bad \(share) allows; the last: \(last.name): \(last.reason)")
  }

  /// Those found since the last call, in the order of their numbers.
  func takeUnreported() -> [BadSample] {
    state.withLock { state in
      defer { state.unreported = [] }
      return state.unreported.sorted { $0.sample < $1.sample }
    }
  }

  var known: [Int] { state.withLock { $0.known.sorted() } }
}
