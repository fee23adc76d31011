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

  /// A network that has learned puts a kind at nearly one place: all of a kind have cosines above 0.95, copies among them too.
  @Test func copiesAreFoundAmongPicturesOfAKindThatAreAllNearlyAtOnePlace() throws {
    let kinds = try grouped(300, groups: 3, dim: 24, noise: 0.1, seed: 11)
    // Another picture of the kind is off by 0.1 in every direction, a copy by a twentieth of that.
    let copies = try grouped(8, groups: 8, dim: 24, noise: 1, seed: 12)
    let near = (0..<8).map { copy in zip(kinds.row(copy), copies.row(copy)).map { $0 + 0.005 * $1 } }
    let all = try Features(dim: 24, values: kinds.values + near.flatMap { $0 })
    let centred = try all.unit().centred().unit()
    #expect(try centred.nearest(count: 20, areUnit: true).cosines.allSatisfy { $0 > 0.95 })
    let found = try Lookalikes(all)
    #expect(Set(found.groups.map(\.rows)) == Set((0..<8).map { [$0, 300 + $0] }))
  }

  /// Products of whitened rows are those by the inverse of the covariance with the ridge, solved in double.
  @Test func whitenedProductsAreThoseOfTheInverseCovariance() throws {
    let dim = 9
    let count = 50
    let rows = try grouped(count, groups: 2, dim: dim, noise: 0.3, seed: 5).unit().centred()
    let white = try #require(try Whitening(rows)).applied(to: rows)
    var matrix = [[Double]](repeating: [Double](repeating: 0, count: dim + count), count: dim)
    for i in 0..<dim {
      for j in 0..<dim {
        matrix[i][j] = (0..<count).reduce(0) { $0 + Double(rows.values[$1 * dim + i]) * Double(rows.values[$1 * dim + j]) }
        matrix[i][j] /= Double(count)
      }
    }
    let mean = (0..<dim).reduce(0) { $0 + matrix[$1][$1] } / Double(dim)
    for i in 0..<dim {
      matrix[i][i] += mean * (0.01 + 0.2 * Double(dim) / Double(count))
      for row in 0..<count { matrix[i][dim + row] = Double(rows.values[row * dim + i]) }
    }
    for pivot in 0..<dim {
      let scale = matrix[pivot][pivot]
      for j in 0..<dim + count { matrix[pivot][j] /= scale }
      for i in 0..<dim where i != pivot {
        let factor = matrix[i][pivot]
        for j in 0..<dim + count { matrix[i][j] -= factor * matrix[pivot][j] }
      }
    }
    // Roundings of float32 in the covariance and the layer, times the condition of the matrix: at most the sum of the variances by the
    // ridge.
    let room = Double(dim) * 0x1p-23 * Double(dim) / (0.01 + 0.2 * Double(dim) / Double(count))
    for a in 0..<count {
      let norm = (0..<dim).reduce(0) { $0 + Double(rows.values[a * dim + $1]) * matrix[$1][dim + a] }
      for b in 0..<count {
        let expected = (0..<dim).reduce(0) { $0 + Double(rows.values[a * dim + $1]) * matrix[$1][dim + b] }
        let found = zip(white.row(a), white.row(b)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let other = zip(white.row(b), white.row(b)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        #expect(abs(found - expected) <= room * (norm * other).squareRoot(), "\(a) \(b): \(found) \(expected)")
      }
    }
  }

  @Test func rowsThatDoNotDifferHaveNoDirections() throws {
    #expect(try Whitening(Features(dim: 3, values: [Float](repeating: 0, count: 30))) == nil)
    let alike = try Lookalikes(Features(dim: 3, values: [Float](repeating: 0.5, count: 30)))
    #expect(alike.groups.isEmpty && alike.outliers.isEmpty)
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
