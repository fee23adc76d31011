import SwAVEngine
public import SwAVEvaluation

/// Pictures that are nearly the same, and pictures that are like no other, by features.
///
/// Similarity of two pictures is a cosine in which all directions count alike (``Whitening``): a network puts whole groups at nearly one
/// place, and what tells two of a group apart is little. What is like no other is found by plain cosines without the mean of all rows.
public struct Lookalikes: Sendable, Equatable {
  /// Rows that are alike, each with its greatest similarity to another row of the group; the first in the order of the rows comes
  /// first. Larger groups first.
  public struct Group: Sendable, Equatable {
    public var rows: [Int]
    public var similarities: [Float]
    /// Whether all rows have the same encoded bytes.
    public var areIdentical: Bool
  }

  public struct Outlier: Sendable, Equatable {
    public var row: Int
    /// Mean similarity with its nearest rows.
    public var similarity: Float
    /// How far that is below the middle of all rows, in robust standard deviations (1.4826 times the median of the distances).
    public var deviations: Double
  }

  public let groups: [Group]
  /// The strangest first.
  public let outliers: [Outlier]

  public struct Options: Sendable {
    /// From which pictures count as nearly the same.
    public var similarity: Float = 0.8
    /// Robust standard deviations below the middle, from which a picture is an outlier.
    public var deviations = 4.0
    public var neighbours = 10

    public init() {}
  }

  public init(_ features: Features, _ options: Options = .init(), progress: (Int, Int) -> Void = { _, _ in }) throws {
    guard features.count > 1 else {
      (groups, outliers) = ([], [])
      return
    }
    let rows = try features.unit().centred()
    func nearest(_ rows: Features, _ part: Int) throws -> NearestRows {
      let unit = rows.unit()
      return try unit.nearest(count: options.neighbours, areUnit: unit.hasNoZeroRow) {
        progress($0 + part * $1, 2 * $1)
      }
    }
    groups = Lookalikes.groups(try nearest(Lookalikes.whitened(rows), 0), features, options)
    outliers = Lookalikes.outliers(try nearest(rows, 1), count: features.count, options)
  }

  /// Centred rows, whitened where there are enough for that to mean something.
  private static func whitened(_ rows: Features) throws -> Features {
    guard rows.count > 2, let whitening = try Whitening(rows) else { return rows }
    return try whitening.applied(to: rows)
  }

  private static func groups(_ nearest: NearestRows, _ features: Features, _ options: Options) -> [Group] {
    var first = Array(0..<features.count)
    func root(_ row: Int) -> Int {
      var row = row
      while first[row] != row {
        first[row] = first[first[row]]
        row = first[row]
      }
      return row
    }
    var best = [Float](repeating: -1, count: features.count)
    // The same bytes are the same picture, whatever their features: those of a picture of one colour are all zeros.
    var seen: [UInt64: Int] = [:]
    func join(_ a: Int, _ b: Int, _ similarity: Float) {
      (best[a], best[b]) = (max(best[a], similarity), max(best[b], similarity))
      let (x, y) = (root(a), root(b))
      first[max(x, y)] = min(x, y)
    }
    for (row, content) in features.contents.enumerated() {
      if let other = seen[content] { join(other, row, 1) } else { seen[content] = row }
    }
    for row in 0..<features.count {
      for other in nearest.of(row) where other.cosine >= options.similarity { join(row, other.row, other.cosine) }
    }
    let members = Dictionary(grouping: (0..<features.count).filter { best[$0] >= 0 }, by: root)
    return members.values.filter { $0.count > 1 }.map { rows in
      Group(
        rows: rows, similarities: rows.map { best[$0] },
        areIdentical: !features.contents.isEmpty && Set(rows.map { features.contents[$0] }).count == 1)
    }.sorted { ($0.rows.count, $1.rows[0]) > ($1.rows.count, $0.rows[0]) }
  }

  private static func outliers(_ nearest: NearestRows, count: Int, _ options: Options) -> [Outlier] {
    // With fewer there is no crowd to stand out of.
    guard count > 2 * options.neighbours else { return [] }
    let means = (0..<count).map { row in
      nearest.of(row).reduce(0) { $0 + Double($1.cosine) } / Double(nearest.neighbours)
    }
    let middle = median(means)
    let deviation = 1.4826 * median(means.map { abs($0 - middle) })
    guard deviation > 0 else { return [] }
    return means.enumerated().map { Outlier(row: $0, similarity: Float($1), deviations: (middle - $1) / deviation) }
      .filter { $0.deviations >= options.deviations }.sorted { ($0.deviations, $1.row) > ($1.deviations, $0.row) }
  }
}

extension Features {
  /// The rows without their mean. With two rows there would be nothing left but their difference: they stay.
  func centred() throws(EngineError) -> Features {
    guard count > 2 else { return self }
    var mean = [Double](repeating: 0, count: dim)
    for (index, value) in values.enumerated() { mean[index % dim] += Double(value) }
    let centre = mean.map { Float($0 / Double(count)) }
    var moved = values
    for index in moved.indices { moved[index] -= centre[index % dim] }
    return try Features(dim: dim, values: moved, samples: samples, contents: contents, bad: bad)
  }

  var hasNoZeroRow: Bool { !(0..<count).contains { row($0).allSatisfy { $0 == 0 } } }
}
