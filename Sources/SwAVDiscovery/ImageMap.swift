import SwAVEngine
public import SwAVEvaluation

/// Images as points of a plane, like ones near each other: t-SNE (van der Maaten and Hinton, 2008), exactly, from a start on the two
/// main axes of the features. For some thousand images; time grows with the square of their number.
public struct ImageMap: Sendable, Equatable {
  public struct Point: Sendable, Equatable {
    /// 0...1, from the left and from above.
    public var x: Double
    public var y: Double
  }

  /// One a row.
  public let points: [Point]

  /// A larger number of rows is refused: some minutes.
  public static let mostRows = 5000

  /// - Parameters:
  ///   - perplexity: of how many neighbours the map is about; fewer where there are few rows.
  ///   - progress: is called after each round with how many of how many are done; throw to stop.
  public init(
    _ features: Features, perplexity: Double = 30, rounds: Int = 500, progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    guard features.count <= ImageMap.mostRows else {
      throw EngineError(
        code: .limit, message: "a map of \(features.count) images; at most \(ImageMap.mostRows) are allowed")
    }
    let rows = features.unit()
    var plane = PrincipalAxes(rows).plane()
    // With fewer rows there are no neighbourhoods to keep.
    if rows.count >= 5 {
      let affinities = try Affinities(rows, perplexity: min(perplexity, Double(rows.count - 1) / 3))
      try Embedding(affinities).run(&plane, rounds: rounds, progress)
    }
    points = ImageMap.scaled(plane)
  }

  private static func scaled(_ plane: [Float]) -> [Point] {
    func unit(_ offset: Int) -> [Double] {
      let values = stride(from: offset, to: plane.count, by: 2).map { Double(plane[$0]) }
      guard let low = values.min(), let high = values.max(), high > low else { return values.map { _ in 0.5 } }
      return values.map { ($0 - low) / (high - low) }
    }
    return zip(unit(0), unit(1)).map { Point(x: $0, y: $1) }
  }
}

/// The two directions in which rows differ most, by subspace iteration.
struct PrincipalAxes {
  private let centred: [Float]
  private let (count, dim): (Int, Int)

  init(_ rows: Features) {
    (count, dim) = (rows.count, rows.dim)
    var mean = [Double](repeating: 0, count: dim)
    for row in 0..<count { for (d, value) in rows.row(row).enumerated() { mean[d] += Double(value) / Double(count) } }
    centred = rows.values.enumerated().map { index, value in value - Float(mean[index % rows.dim]) }
  }

  /// [count][2], with a standard deviation of 1e-4 along the first axis, as t-SNE wants its start.
  func plane() -> [Float] {
    guard count > 1 else { return [Float](repeating: 0, count: 2 * count) }
    // Any start that is not square to the axes will do; this one is the same each time.
    func start(_ d: Int, _ axis: Int) -> Float { Float((d + 1) * (axis + 3) * 7919 % 1009) / 1009 - 0.5 }
    var axes: [[Float]] = (0..<2).map { axis in (0..<dim).map { d in start(d, axis) } }
    for _ in 0..<30 {
      axes = axes.map { times(transposed: project($0)) }
      PrincipalAxes.orthonormalize(&axes)
    }
    let places = axes.map(project)
    let squares: Float = places[0].reduce(0) { $0 + $1 * $1 }
    let deviation = (squares / Float(count)).squareRoot()
    let scale: Float = deviation > 0 ? 1e-4 / deviation : 0
    return (0..<count).flatMap { [places[0][$0] * scale, places[1][$0] * scale] }
  }

  private func project(_ axis: [Float]) -> [Float] {
    (0..<count).map { row in
      var sum: Float = 0
      for d in 0..<dim { sum += centred[row * dim + d] * axis[d] }
      return sum
    }
  }

  private func times(transposed weights: [Float]) -> [Float] {
    var sum = [Float](repeating: 0, count: dim)
    for row in 0..<count { for d in 0..<dim { sum[d] += weights[row] * centred[row * dim + d] } }
    return sum
  }

  private static func orthonormalize(_ axes: inout [[Float]]) {
    for index in axes.indices {
      for before in 0..<index {
        let dot: Float = zip(axes[index], axes[before]).reduce(0) { $0 + $1.0 * $1.1 }
        for d in axes[index].indices { axes[index][d] -= dot * axes[before][d] }
      }
      let square: Float = axes[index].reduce(0) { $0 + $1 * $1 }
      let norm = square.squareRoot()
      // Rows on one line have no second axis.
      let factor: Float = norm > 1e-20 ? 1 / norm : 0
      for d in axes[index].indices { axes[index][d] *= factor }
    }
  }
}
