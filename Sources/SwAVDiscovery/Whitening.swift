import CSwAV
import SwAVEngine
import SwAVEvaluation

/// Features in which every direction counts alike, however much the images of a set differ along it.
///
/// A network that has learned what groups a set has puts whole groups at nearly one place: cosines above 0.95 are common there, and
/// say that two pictures are of one kind. What tells two pictures of a kind apart lies in directions of little variance. Rows are
/// multiplied by the inverse of a square root of their covariance (a Cholesky factor: only products of rows matter, and those are
/// the same for all roots), so that two pictures are alike where nothing tells them apart.
struct Whitening {
  /// [dim][dim + 1]: the rows of the inverse factor, and behind each the layer's bias, 0, as the rows that it gets are centred.
  private let layer: [Float]
  private let dim: Int

  /// Rows that the covariance is taken of: a multiple of the directions, evenly spread over the set.
  private static let rowsEach = 16

  /// Of a set of rows; nil where they do not differ.
  init?(_ rows: Features) throws(EngineError) {
    let dim = rows.dim
    let used = min(rows.count, max(4096, Whitening.rowsEach * dim))
    let centred = try rows.selecting((0..<used).map { $0 * rows.count / used }).centred()
    var covariance = try Whitening.products(ofColumns: centred).map { Double($0) / Double(used) }
    let mean = (0..<dim).reduce(0) { $0 + covariance[$1 * dim + $1] } / Double(dim)
    guard mean > 1e-12 else { return nil }
    // What few rows say of many directions is chance: two that are alike would seem to differ in their only difference.
    let ridge = mean * (0.01 + 0.2 * Double(dim) / Double(rows.count))
    for d in 0..<dim { covariance[d * dim + d] += ridge }
    let root = Whitening.inverseFactor(covariance, dim)
    self.dim = dim
    layer = (0..<dim).flatMap { d in root[d * dim..<(d + 1) * dim].map { Float($0) } + [0] }
  }

  /// The rows in the new directions. Those of `rows` are centred already.
  func applied(to rows: Features) throws(EngineError) -> Features {
    let values = try Whitening.layer(layer, of: dim, rows.values, count: rows.count, dim: dim)
    return try Features(dim: dim, values: values, samples: rows.samples, contents: rows.contents, bad: rows.bad)
  }

  /// Products of columns with columns: [dim][dim].
  private static func products(ofColumns rows: Features) throws(EngineError) -> [Float] {
    var columns = [Float](repeating: 0, count: rows.values.count)
    for row in 0..<rows.count { for d in 0..<rows.dim { columns[d * rows.count + row] = rows.values[row * rows.dim + d] } }
    let weights = (0..<rows.dim).flatMap { columns[$0 * rows.count..<($0 + 1) * rows.count] + [0] }
    return try layer(weights, of: rows.dim, columns, count: rows.dim, dim: rows.count)
  }

  /// A linear layer [outputs][dim + 1] of rows [count][dim], by the engine: [count][outputs].
  private static func layer(_ weights: [Float], of outputs: Int, _ rows: [Float], count: Int, dim: Int) throws(EngineError)
    -> [Float]
  {
    var result = [Float](repeating: 0, count: count * outputs)
    try check(swav_linear_scores(weights, Int64(dim), Int32(outputs), rows, Int64(count), &result))
    return result
  }

  /// The inverse of the lower triangular L with L Lᵀ = `matrix`, symmetric and positive definite.
  private static func inverseFactor(_ matrix: [Double], _ dim: Int) -> [Double] {
    var factor = matrix
    for row in 0..<dim {
      for column in 0...row {
        var sum = factor[row * dim + column]
        for k in 0..<column { sum -= factor[row * dim + k] * factor[column * dim + k] }
        factor[row * dim + column] = row == column ? sum.squareRoot() : sum / factor[column * dim + column]
      }
    }
    // Rows of the inverse, one after the other: L X = 1.
    var inverse = [Double](repeating: 0, count: dim * dim)
    for row in 0..<dim {
      for k in 0..<row {
        let weight = factor[row * dim + k]
        for column in 0...k { inverse[row * dim + column] -= weight * inverse[k * dim + column] }
      }
      inverse[row * dim + row] = 1
      for column in 0...row { inverse[row * dim + column] /= factor[row * dim + row] }
    }
    return inverse
  }
}
