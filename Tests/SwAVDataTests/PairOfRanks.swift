import Foundation
import SwAVEngine

/// Two ranks in one process, a thread each: what one gives the other waits for.
final class PairOfRanks: Communicator, @unchecked Sendable {  // Sendable: `shared` has a lock
  private final class Shared: @unchecked Sendable {
    let condition = NSCondition()
    var given: [Data?] = [nil, nil]
    var taken = 0
  }

  let rank: Int
  let size = 2
  private let shared: Shared

  private init(_ rank: Int, _ shared: Shared) { (self.rank, self.shared) = (rank, shared) }

  /// Calls `body` on both ranks; what it gave on rank 0 and on rank 1.
  static func run<R: Sendable>(_ body: @escaping @Sendable (RankGroup) throws -> R) -> [Result<R, any Error>] {
    let shared = Shared()
    let results = Results<R>()
    let threads = (0..<2).map { rank in
      Thread {
        let result = Result { try body(RankGroup(PairOfRanks(rank, shared))) }
        results.set(rank, result)
      }
    }
    for thread in threads { thread.start() }
    return results.both()
  }

  func gather(_ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer) throws {
    let parts = exchange(Data(mine))
    for (part, begin) in zip(parts, [0, mine.count]) {
      part.copyBytes(to: UnsafeMutableRawBufferPointer(rebasing: all[begin...]))
    }
  }

  func broadcast(_ values: UnsafeMutableRawBufferPointer, from root: Int) throws {
    exchange(Data(UnsafeRawBufferPointer(values)))[root].copyBytes(to: values)
  }

  func barrier() throws { _ = exchange(Data()) }

  private func exchange(_ mine: Data) -> [Data] {
    shared.condition.lock()
    defer { shared.condition.unlock() }
    // The exchange before this one may not be over.
    while shared.given[rank] != nil { shared.condition.wait() }
    shared.given[rank] = mine
    shared.condition.broadcast()
    while shared.given.contains(nil) { shared.condition.wait() }
    let all = shared.given.map { $0 ?? Data() }
    shared.taken += 1
    if shared.taken == 2 {
      (shared.given, shared.taken) = ([nil, nil], 0)
      shared.condition.broadcast()
    } else {
      while shared.taken != 0 { shared.condition.wait() }
    }
    return all
  }

  private final class Results<R: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var results: [Int: Result<R, any Error>] = [:]

    func set(_ rank: Int, _ result: Result<R, any Error>) {
      condition.withLock {
        results[rank] = result
        condition.broadcast()
      }
    }

    func both() -> [Result<R, any Error>] {
      condition.withLock {
        while results.count < 2 { condition.wait() }
        return [results[0], results[1]].compactMap(\.self)
      }
    }
  }
}
