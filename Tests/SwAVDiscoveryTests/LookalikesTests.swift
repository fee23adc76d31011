import SwAVEngine
import SwAVEvaluation
import Testing

@testable import SwAVDiscovery

@Suite struct LookalikesTests {
  /// Directions all around, so that nothing is like anything else, then what is added.
  private func crowd(_ count: Int, adding rows: [[Float]], dim: Int = 16) throws -> Features {
    let some = try grouped(count, groups: 1, dim: dim, noise: 1, seed: 7)
    return try Features(dim: dim, values: some.values + rows.flatMap { $0 })
  }

  @Test func nearlyEqualRowsAreAGroupAndTheRestIsNot() throws {
    let base = try grouped(40, groups: 1, dim: 16, noise: 1, seed: 7)
    let near = base.row(3).map { $0 * 1.001 }
    let found = try Lookalikes(try crowd(40, adding: [near, Array(base.row(3))]))
    #expect(found.groups.map(\.rows) == [[3, 40, 41]])
    #expect(found.groups[0].similarities.allSatisfy { $0 > 0.999 } && !found.groups[0].areIdentical)
  }

  @Test func theSameBytesAreIdenticalWhateverTheFeatures() throws {
    let features = try Features(dim: 2, values: [0, 0, 1, 0, 0, 0], contents: [5, 6, 5])
    let found = try Lookalikes(features)
    #expect(found.groups.map(\.rows) == [[0, 2]] && found.groups[0].areIdentical)
  }

  @Test func aRowFarFromAllOthersIsAnOutlier() throws {
    // A dense crowd in one direction, and one row that is like none of it.
    let crowd = try grouped(200, groups: 2, dim: 16, noise: 0.2, seed: 3)
    let stranger = (0..<16).map { Float($0 % 2 == 0 ? -0.4 : 0.9) }
    let found = try Lookalikes(try Features(dim: 16, values: crowd.values + stranger))
    #expect(found.outliers.first?.row == 200)
  }

  @Test(arguments: [0, 1, 2, 3]) func fewRowsAreNoSpecialCase(_ count: Int) throws {
    let features = count == 0 ? try Features(dim: 4, values: []) : try grouped(count, groups: 4, dim: 4)
    let found = try Lookalikes(features)
    #expect(found.outliers.isEmpty && found.groups.isEmpty)
  }
}

@Suite struct LabelSpreadingTests {
  @Test func oneLabelAGroupNamesTheWholeGroup() throws {
    let features = try grouped(90, groups: 3)
    var labels = [Int?](repeating: nil, count: 90)
    for group in 0..<3 { labels[group + 30] = (group + 30) % 3 }
    let found = try LabelSpreading(features, labels: labels, classes: 3)
    for row in 0..<90 {
      #expect(found.best(of: row).label == row % 3 && found.best(of: row).probability > 0.9, "\(row)")
      let sum = found.probabilities[row * 3..<row * 3 + 3].reduce(0, +)
      #expect(abs(sum - 1) < 1e-5)
    }
    #expect(found.next.count <= 20 && found.next.allSatisfy { labels[$0] == nil } && Set(found.next).count == found.next.count)
  }

  @Test func whereNoLabelComesNothingIsKnownAndThatIsAskedFirst() throws {
    // Two groups that share no neighbours, one of them without a label.
    let features = try grouped(60, groups: 2)
    var labels = [Int?](repeating: nil, count: 60)
    (labels[0], labels[2]) = (0, 0)
    let found = try LabelSpreading(features, labels: labels, classes: 2)
    #expect(found.best(of: 31).probability == 0.5)
    #expect(found.next.first.map { $0 % 2 } == 1)
  }

  @Test func oneClassAndOneRowAreNoSpecialCaseAndNoLabelIsAnError() throws {
    let one = try LabelSpreading(try grouped(1, groups: 1), labels: [0], classes: 1)
    #expect(one.best(of: 0).probability == 1 && one.next.isEmpty)
    #expect(throws: EngineError.self) { try LabelSpreading(try grouped(3, groups: 1), labels: [nil, nil, nil], classes: 1) }
  }
}
