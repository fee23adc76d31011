import Glibc

/// How two partitions of the same images agree: clusters and classes.
struct Agreement {
  let clusters: Int
  let classes: Int
  /// [cluster][class], images.
  private(set) var table: [Double]
  private let images: Double

  /// Each image in one cluster and of one class; it counts `weights` times, once unless given.
  init(_ clusterOf: [Int32], clusters: Int, _ classOf: [Int32], classes: Int, weights: [Int32]? = nil) {
    (self.clusters, self.classes) = (clusters, classes)
    table = [Double](repeating: 0, count: clusters * classes)
    for image in clusterOf.indices {
      table[Int(clusterOf[image]) * classes + Int(classOf[image])] += Double(weights?[image] ?? 1)
    }
    images = table.reduce(0, +)
  }

  private var clusterSizes: [Double] { (0..<clusters).map { k in table[k * classes..<(k + 1) * classes].reduce(0, +) } }
  private var classSizes: [Double] {
    (0..<classes).map { c in stride(from: c, to: table.count, by: classes).reduce(0) { $0 + table[$1] } }
  }

  /// Mutual information over the mean of the two entropies (Strehl and Ghosh 2002 with the arithmetic mean): 0...1. 1 where both
  /// have one part only, as then they say the same.
  var normalizedMutualInformation: Double {
    func entropy(_ sizes: [Double]) -> Double {
      sizes.reduce(0) { $1 > 0 ? $0 - $1 / images * log($1 / images) : $0 }
    }
    let (rows, columns) = (clusterSizes, classSizes)
    var information = 0.0
    for k in 0..<clusters {
      for c in 0..<classes where table[k * classes + c] > 0 {
        let count = table[k * classes + c]
        information += count / images * log(count * images / (rows[k] * columns[c]))
      }
    }
    let mean = (entropy(rows) + entropy(columns)) / 2
    return mean > 0 ? max(0, information / mean) : 1
  }

  /// Hubert and Arabie 1985: pairs that both put together or apart, 0 by chance, 1 where they are equal.
  var adjustedRandIndex: Double {
    func pairs(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * ($1 - 1) / 2 } }
    let (together, rows, columns) = (pairs(table), pairs(clusterSizes), pairs(classSizes))
    let all = images * (images - 1) / 2
    let (chance, most) = (rows * columns / max(all, 1), (rows + columns) / 2)
    return most - chance > 1e-12 * max(1, most) ? (together - chance) / (most - chance) : 1
  }

  /// Share of the images that are of their cluster's most frequent class.
  var purity: Double {
    (0..<clusters).reduce(0) { $0 + (table[$1 * classes..<($1 + 1) * classes].max() ?? 0) } / images
  }

  /// The class of each cluster where every class is given to one cluster at most and as many images as can be are right; nil for
  /// clusters that get none.
  var matching: [Int?] {
    guard clusters > classes else { return assignment(rows: clusters, columns: classes) { -table[$0 * classes + $1] } }
    var found = [Int?](repeating: nil, count: clusters)
    let cluster = assignment(rows: classes, columns: clusters) { -table[$1 * classes + $0] }
    for (c, k) in cluster.enumerated() { if let k { found[k] = c } }
    return found
  }

  /// Share of the images that are of the class that `matching` gives their cluster.
  func matched(_ matching: [Int?]) -> Double {
    matching.enumerated().reduce(0.0) { sum, pair in sum + (pair.element.map { table[pair.offset * classes + $0] } ?? 0) }
      / images
  }
}

/// The column of each row, no column twice, with the least sum of costs: the Hungarian method by shortest augmenting paths (Jonker
/// and Volgenant 1987), in O(rows^2 columns). rows <= columns.
private func assignment(rows: Int, columns: Int, cost: (Int, Int) -> Double) -> [Int?] {
  // Row 0 and column 0 stand for none.
  var (u, v) = ([Double](repeating: 0, count: rows + 1), [Double](repeating: 0, count: columns + 1))
  var rowOf = [Int](repeating: 0, count: columns + 1)
  for row in 1..<(rows + 1) {
    rowOf[0] = row
    var column = 0
    var least = [Double](repeating: .infinity, count: columns + 1)
    var (from, used) = ([Int](repeating: 0, count: columns + 1), [Bool](repeating: false, count: columns + 1))
    repeat {
      used[column] = true
      let current = rowOf[column]
      var (delta, next) = (Double.infinity, 0)
      for j in 1..<(columns + 1) where !used[j] {
        let reduced = cost(current - 1, j - 1) - u[current] - v[j]
        if reduced < least[j] { (least[j], from[j]) = (reduced, column) }
        if least[j] < delta { (delta, next) = (least[j], j) }
      }
      for j in 0..<(columns + 1) {
        if used[j] {
          u[rowOf[j]] += delta
          v[j] -= delta
        } else {
          least[j] -= delta
        }
      }
      column = next
    } while rowOf[column] != 0
    while column != 0 {
      rowOf[column] = rowOf[from[column]]
      column = from[column]
    }
  }
  var found = [Int?](repeating: nil, count: rows)
  for j in 1..<(columns + 1) where rowOf[j] > 0 { found[rowOf[j] - 1] = j - 1 }
  return found
}
