import Glibc
import SwAVEngine
import SwAVEvaluation

/// How much two rows belong together: p of t-SNE (eq. 1 and its symmetric form), of all pairs.
struct Affinities {
  let count: Int
  /// [count][count], symmetric, their sum 1.
  private(set) var values: [Float]

  /// Rows have unit norm. Each row's Gaussian is as wide as the perplexity asks; found by halving.
  init(_ rows: Features, perplexity: Double) throws {
    count = rows.count
    let nearest = try rows.nearest(count: rows.count - 1)
    var single = [Float](repeating: 0, count: count * count)
    for row in 0..<count {
      let others = nearest.of(row)
      // Squared distances of unit rows, relative to the nearest: a common factor of the weights is taken out.
      let distances = others.map { 2 * Double(others[0].cosine - $0.cosine) }
      let weights = Affinities.weights(distances, entropy: log(perplexity))
      for (other, weight) in zip(others, weights) { single[row * count + other.row] = Float(weight) }
    }
    values = single
    for row in 0..<count {
      for other in 0..<count {
        let both = single[row * count + other] + single[other * count + row]
        // The smallest value of the reference implementations: far points still push nobody apart for nothing.
        values[row * count + other] = row == other ? 0 : max(both / Float(2 * count), 1e-12)
      }
    }
  }

  /// exp(-beta d), its sum 1, with the beta that gives the entropy.
  private static func weights(_ distances: [Double], entropy: Double) -> [Double] {
    var (low, high, beta) = (0.0, Double.infinity, 1.0)
    var weights: [Double] = []
    for _ in 0..<60 {
      weights = distances.map { exp(-beta * $0) }
      let sum = weights.reduce(0, +)
      let mean = zip(weights, distances).reduce(0) { $0 + $1.0 * $1.1 } / sum
      weights = weights.map { $0 / sum }
      let difference = log(sum) + beta * mean - entropy
      if abs(difference) < 1e-5 { break }
      if difference > 0 { low = beta } else { high = beta }
      beta = high.isFinite ? (low + high) / 2 : beta * 2
      // All distances equal: any beta gives the same.
      if beta > 1e12 { break }
    }
    return weights
  }
}

/// Gradient descent of t-SNE with momentum and gains, as published; early exaggeration for a quarter of the rounds.
struct Embedding {
  private let affinities: Affinities
  private let count: Int

  init(_ affinities: Affinities) { (self.affinities, count) = (affinities, affinities.count) }

  /// `plane` [count][2] is the start and gets the result.
  func run(_ plane: inout [Float], rounds: Int, _ progress: (Int, Int) throws -> Void) throws {
    var (x, y) = (Embedding.split(plane, 0), Embedding.split(plane, 1))
    var (speedX, speedY) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count))
    var (gainX, gainY) = ([Float](repeating: 1, count: count), [Float](repeating: 1, count: count))
    var (slopeX, slopeY) = (speedX, speedY)
    // A step in proportion to the number of points (Belkina et al., 2019).
    let rate = max(10, Float(count) / 12)
    for round in 0..<rounds {
      let isEarly = round < rounds / 4
      slopes(x, y, exaggeration: isEarly ? 12 : 1, &slopeX, &slopeY)
      let momentum: Float = isEarly ? 0.5 : 0.8
      Embedding.move(&x, &speedX, &gainX, slopeX, rate, momentum)
      Embedding.move(&y, &speedY, &gainY, slopeY, rate, momentum)
      try progress(round + 1, rounds)
    }
    for point in 0..<count { (plane[2 * point], plane[2 * point + 1]) = (x[point], y[point]) }
  }

  private static func split(_ plane: [Float], _ offset: Int) -> [Float] {
    stride(from: offset, to: plane.count, by: 2).map { plane[$0] }
  }

  private static func move(
    _ x: inout [Float], _ speed: inout [Float], _ gain: inout [Float], _ slope: [Float], _ rate: Float, _ momentum: Float
  ) {
    for i in x.indices {
      gain[i] = (slope[i] > 0) != (speed[i] > 0) ? gain[i] + 0.2 : max(0.01, gain[i] * 0.8)
      speed[i] = momentum * speed[i] - rate * gain[i] * slope[i]
      x[i] += speed[i]
    }
  }

  /// 4 sum over j of (p e - q) w (y_i - y_j), with w = 1 / (1 + |y_i - y_j|^2) and q = w / sum of w. The sum of w is known only at
  /// the end, so attraction and repulsion are summed apart.
  private func slopes(_ x: [Float], _ y: [Float], exaggeration: Float, _ slopeX: inout [Float], _ slopeY: inout [Float]) {
    typealias Lanes = SIMD8<Float>
    let width = Lanes.scalarCount
    let whole = count / width * width
    var total = 0.0
    var (pushX, pushY) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count))
    x.withUnsafeBytes { xs in
      y.withUnsafeBytes { ys in
        affinities.values.withUnsafeBytes { ps in
          for i in 0..<count {
            var (pullX, pullY, pX, pY, sum) = (Lanes(), Lanes(), Lanes(), Lanes(), Lanes())
            func add(_ dx: Lanes, _ dy: Lanes, _ p: Lanes, _ w: Lanes) {
              let attraction = p * w
              pullX += attraction * dx
              pullY += attraction * dy
              let repulsion = w * w
              pX += repulsion * dx
              pY += repulsion * dy
              sum += w
            }
            for j in stride(from: 0, to: whole, by: width) {
              let dx = x[i] - xs.loadUnaligned(fromByteOffset: 4 * j, as: Lanes.self)
              let dy = y[i] - ys.loadUnaligned(fromByteOffset: 4 * j, as: Lanes.self)
              let p = ps.loadUnaligned(fromByteOffset: 4 * (i * count + j), as: Lanes.self)
              add(dx, dy, p, 1 / (1 + dx * dx + dy * dy))
            }
            for j in whole..<count {
              var (dx, dy, p, w) = (Lanes(), Lanes(), Lanes(), Lanes())
              (dx[0], dy[0], p[0]) = (x[i] - x[j], y[i] - y[j], affinities.values[i * count + j])
              w[0] = 1 / (1 + dx[0] * dx[0] + dy[0] * dy[0])
              add(dx, dy, p, w)
            }
            (slopeX[i], slopeY[i]) = (4 * exaggeration * pullX.sum(), 4 * exaggeration * pullY.sum())
            (pushX[i], pushY[i]) = (4 * pX.sum(), 4 * pY.sum())
            // Without the point itself, whose w is 1.
            total += Double(sum.sum()) - 1
          }
        }
      }
    }
    let factor = Float(1 / max(total, 1e-12))
    for i in 0..<count {
      slopeX[i] -= pushX[i] * factor
      slopeY[i] -= pushY[i] * factor
    }
  }
}
