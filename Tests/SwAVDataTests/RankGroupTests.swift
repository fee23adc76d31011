import SwAVEngine
import Testing

@Suite struct RankGroupTests {
  private struct Trouble: Error {}
  private static let calledOff = EngineError(code: .cancelled, message: "called off")

  /// Between two parts of one piece of work one rank fails, and the other is in the next part, or through with all.
  @Test(.timeLimit(.minutes(1)), arguments: [true, false]) func whatFailsBetweenPartsEndsAll(othersHaveParts: Bool) throws {
    let outcomes = PairOfRanks.run { ranks in
      let result = Result {
        try ranks.agree {
          try ranks.agree {}
          if !ranks.isRoot { throw Self.calledOff }
          if othersHaveParts { try ranks.agree {} }
        }
      }
      return (result.isFailure, ranks.isOver, ranks.stoppedBy?.rank)
    }
    for outcome in outcomes { #expect(try outcome.get() == (true, true, 1)) }
  }

  /// What is thrown after a failure that both have caught is a new one.
  @Test(.timeLimit(.minutes(1))) func whatFailsAfterAFailureWasCaughtEndsAll() throws {
    let outcomes = PairOfRanks.run { ranks in
      let result = Result {
        try ranks.agree {
          do { try ranks.agree { throw Trouble() } } catch { ranks.goOn() }
          if ranks.isRoot { throw Trouble() }
        }
      }
      return result.isFailure
    }
    for outcome in outcomes { #expect(try outcome.get()) }
  }
}

extension Result {
  fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
