import CSwAV
import SwAVEngine
public import SwAVEvaluation
import SwAVModel

/// Images in clusters: those of the prototypes that a network has learned, or those that k-means finds in its features.
public struct Clustering: Sendable, Equatable {
  public enum Method: String, Sendable, Codable, CaseIterable {
    case prototypes
    case kmeans
  }

  /// One cluster. Similarities are cosines of an image's row with the cluster's centre.
  public struct Cluster: Sendable, Equatable {
    /// 0..., of the prototypes or centres.
    public var number: Int
    /// Its rows, the most similar to the centre first.
    public var rows: [Int]
    /// 1 - the mean similarity of its rows: 0 is all alike.
    public var spread: Double
    /// How much more similar its rows are to it than to the next cluster, on average.
    public var sharpness: Double
    /// The cluster before it that it is a copy of: its centre is nearly the same.
    public var duplicateOf: Int?

    public var size: Int { rows.count }
    /// No image belongs to it.
    public var isDead: Bool { rows.isEmpty }
    /// The row that stands for it: the one most like the centre.
    public var medoid: Int? { rows.first }
  }

  public var method: Method
  /// By number.
  public var clusters: [Cluster]
  /// The cluster of each row.
  public var assignment: [Int]
  /// The similarity of each row with its cluster's centre, and how much less it is with the next one's. Negative where the balance
  /// of the sizes, or a distance by Euclid, put it elsewhere than into the most similar.
  public var similarities: [Float]
  public var margins: [Float]

  public var dead: [Cluster] { clusters.filter(\.isDead) }
  public var duplicates: [Cluster] { clusters.filter { $0.duplicateOf != nil } }
  public var living: [Cluster] { clusters.filter { !$0.isDead } }

  /// Cosine from which two prototypes count as the same one, as in the health of a run.
  static let duplicateCosine: Float = 0.95
}

/// How images are clustered.
public struct ClusteringOptions: Sendable {
  /// Clusters of about equal sizes: codes by Sinkhorn (paper eq. 3 to 5) over all images decide.
  public var isBalanced = false
  /// Copies become one cluster, the first of them.
  public var mergesDuplicates = false
  /// Of k-means.
  public var seed: UInt64 = 0
  public var iterations = 100

  public init() {}

  /// Numbers that codes over all images may take: 2 GiB.
  static let mostBalanced = 1 << 29
}

extension Clustering {
  /// Rows of embeddings to the prototypes [K][dim] of a network.
  public static func byPrototypes(
    _ embeddings: Features, prototypes: Features, _ options: ClusteringOptions = .init(),
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> Clustering {
    try Clustering(.prototypes, rows: embeddings, centres: prototypes, assigned: nil, options, progress)
  }

  /// k-means of rows scaled to unit norm, with k-means++ from a seed. Where there are fewer rows than clusters, as many clusters as
  /// rows.
  public static func byKMeans(
    _ features: Features, clusters: Int, _ options: ClusteringOptions = .init(),
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> Clustering {
    let rows = features.unit()
    let count = min(clusters, rows.count)
    var (centres, assigned) = ([Float](repeating: 0, count: count * rows.dim), [Int32](repeating: 0, count: rows.count))
    let status = withEngineProgress(progress) { report, context in
      var config = swav_kmeans_config(
        clusters: Int32(clamping: count), seed: options.seed, iterations: Int32(clamping: options.iterations),
        unit_centres: false, progress: report, context: context)
      return swav_kmeans(rows.values, Int64(rows.count), Int64(rows.dim), &config, &centres, &assigned, nil)
    }
    try check(status)
    return try Clustering(
      .kmeans, rows: rows, centres: Features(dim: rows.dim, values: centres), assigned: assigned.map(Int.init), options,
      progress)
  }

  private init(
    _ method: Method, rows: Features, centres: Features, assigned: [Int]?, _ options: ClusteringOptions,
    _ progress: (Int, Int) -> Void
  ) throws {
    let nearest = try centres.nearest(to: rows, count: 2, progress: progress)
    var assignment = assigned ?? (0..<rows.count).map { nearest.rows[$0 * nearest.neighbours] }
    if options.isBalanced { assignment = try Clustering.balanced(rows, centres) }
    let copies = try method == .prototypes ? Clustering.copies(centres) : Clustering.copies(centres, of: rows, assignment)
    if options.mergesDuplicates { assignment = assignment.map { copies[$0] ?? $0 } }
    // Where copies are merged the next cluster is one of those that are left.
    let left = options.mergesDuplicates ? (0..<centres.count).filter { copies[$0] == nil } : Array(0..<centres.count)
    let found =
      copies.isEmpty || !options.mergesDuplicates
      ? nearest : try centres.selecting(left).nearest(to: rows, count: 2, progress: progress)
    let unitCentres = centres.unit()
    var (similarities, margins) = ([Float](), [Float]())
    for row in 0..<rows.count {
      let (own, best) = (assignment[row], found.of(row))
      let similarity = best.first { left[$0.row] == own }?.cosine ?? rows.cosine(row, unitCentres, own)
      similarities.append(similarity)
      margins.append(similarity - (best.first { left[$0.row] != own }?.cosine ?? 0))
    }
    (self.method, self.assignment, self.similarities, self.margins) = (method, assignment, similarities, margins)
    clusters = Clustering.summary(centres.count, assignment, similarities, margins)
    for (number, first) in copies { clusters[number].duplicateOf = first }
  }

  private static func summary(
    _ count: Int, _ assignment: [Int], _ similarities: [Float], _ margins: [Float]
  ) -> [Cluster] {
    var members = [[Int]](repeating: [], count: count)
    for (row, cluster) in assignment.enumerated() { members[cluster].append(row) }
    func mean(_ rows: [Int], of values: [Float]) -> Double {
      rows.reduce(0.0) { $0 + Double(values[$1]) } / Double(max(1, rows.count))
    }
    return members.enumerated().map { number, rows in
      Cluster(
        number: number, rows: rows.sorted { (similarities[$0], $1) > (similarities[$1], $0) },
        spread: rows.isEmpty ? 0 : 1 - mean(rows, of: similarities), sharpness: mean(rows, of: margins), duplicateOf: nil)
    }
  }

  /// The cluster with the largest code of each row: codes of all rows together fill the clusters alike.
  private static func balanced(_ rows: Features, _ centres: Features) throws -> [Int] {
    let count = centres.count
    guard count > 1 else { return [Int](repeating: 0, count: rows.count) }
    guard rows.count * count <= ClusteringOptions.mostBalanced else {
      throw EngineError(
        code: .limit,
        message: "balanced clusters of \(rows.count) images need \(rows.count) x \(count) numbers, more than "
          + "\(ClusteringOptions.mostBalanced); take fewer clusters or images")
    }
    // All centres of each row, in the order of the centres.
    let found = try centres.nearest(to: rows, count: count)
    var scores = [Float](repeating: 0, count: rows.count * count)
    for (index, centre) in found.rows.enumerated() { scores[index / count * count + centre] = found.cosines[index] }
    var codes = Codes.published
    // As sharp as the scores allow, and enough steps for the sizes to come out even.
    (codes.epsilon, codes.iterations) = (.relative(0.25), 100)
    let shares = try codes.codes(for: scores, prototypes: count)
    return (0..<rows.count).map { row in
      let own = row * count..<(row + 1) * count
      return (own.max { shares[$0] < shares[$1] } ?? row * count) - row * count
    }
  }

  /// Prototypes that are copies of one before them.
  private static func copies(_ centres: Features) throws -> [Int: Int] {
    firsts(centres.count, pairs: try pairs(centres).filter { $0.cosine >= duplicateCosine }.map { ($0.row, $0.other) })
  }

  /// Centres of k-means that lie nearer to each other than half of the mean distance of their rows to them.
  private static func copies(_ centres: Features, of rows: Features, _ assignment: [Int]) throws -> [Int: Int] {
    var (sums, sizes) = ([Double](repeating: 0, count: centres.count), [Int](repeating: 0, count: centres.count))
    for (row, cluster) in assignment.enumerated() {
      sums[cluster] += distance(rows.row(row), centres.row(cluster))
      sizes[cluster] += 1
    }
    let radius = zip(sums, sizes).map { $0 / Double(max(1, $1)) }
    return firsts(
      centres.count,
      pairs: try pairs(centres).filter { pair in
        distance(centres.row(pair.row), centres.row(pair.other)) < 0.5 * min(radius[pair.row], radius[pair.other])
      }.map { ($0.row, $0.other) })
  }

  /// Each centre with its nearest others.
  private static func pairs(_ centres: Features) throws -> [(row: Int, other: Int, cosine: Float)] {
    let nearest = try centres.nearest(count: 8)
    return (0..<centres.count).flatMap { row in
      nearest.of(row).map { (row, $0.row, $0.cosine) }
    }
  }

  /// The first member of the group of each that has one before it.
  private static func firsts(_ count: Int, pairs: [(Int, Int)]) -> [Int: Int] {
    var first = Array(0..<count)
    func root(_ place: Int) -> Int {
      var place = place
      while first[place] != place { place = first[place] }
      return place
    }
    for (a, b) in pairs {
      let (x, y) = (root(a), root(b))
      first[max(x, y)] = min(x, y)
    }
    return Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, root($0)) }.filter { $0.0 != $0.1 })
  }
}

private func distance(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
  zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }.squareRoot()
}

extension Features {
  /// Of row `row` with row `other` of rows that have unit norm.
  func cosine(_ row: Int, _ unit: Features, _ other: Int) -> Float {
    let own = self.row(row)
    let norm = own.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let dot = zip(own, unit.row(other)).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    return norm > 0 ? Float(dot / norm) : 0
  }
}
