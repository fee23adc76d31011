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
  }

  private let state: Mutex<State>
  /// More than so many end the loading.
  private let limit: Int
  private let count: Int

  /// `share` (0...1) of `count` samples may be bad.
  init(known: [Int], count: Int, share: Double) {
    state = Mutex(State(known: Set(known)))
    self.count = count
    limit = Int((share * Double(count)).rounded(.down))
  }

  func record(_ bad: BadSample) throws(DataError) {
    let total = state.withLock { state in
      if state.known.insert(bad.sample).inserted { state.unreported.append(bad) }
      return state.known.count
    }
    guard total <= limit else {
      throw DataError(
        .tooManyBad,
        "\(total) of \(count) images are bad, more than the \(limit) that max-bad allows; the last: \(bad.name): \(bad.reason)")
    }
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
