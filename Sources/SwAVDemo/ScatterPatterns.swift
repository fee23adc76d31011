import Foundation
import SwAVEngine

/// One figure a cell, at a random place in it, of a random size and shade.
struct Scatter: Sendable {
  let lattice: Lattice
  /// Share of the cells that have a figure.
  let density: Float

  init(density: Float, using generator: inout SplitMix64) {
    lattice = Lattice(using: &generator)
    self.density = density
  }

  /// Where `p` lies seen from the figure of its cell, in units of that figure's radius, turned by up to `tumble` radians; nil
  /// where the cell is empty. The figure's radius is `radius` at most, and it stays inside its cell.
  @inline(__always)
  func place(_ p: Point, radius: ClosedRange<Float>, tumble: Float) -> (local: Point, shade: Float)? {
    let base = p.rounded(.down)
    let cell = SIMD2<Int32>(base)
    guard lattice.value(cell, 4) < density else { return nil }
    let size = radius.lowerBound + (radius.upperBound - radius.lowerBound) * lattice.value(cell, 3)
    let room = max(0, 0.5 - size)
    let centre = Point(0.5, 0.5) + 2 * room * (Point(lattice.value(cell, 1), lattice.value(cell, 2)) - 0.5)
    let local = (p - base - centre) / size
    return (local.turned(by: tumble * (2 * lattice.value(cell, 5) - 1)), lattice.value(cell))
  }
}

/// Discs.
struct Dots: Pattern {
  static let repetitions: ClosedRange<Float> = 5.0...7.2
  let radius: Float
  let scatter: Scatter

  init(using generator: inout SplitMix64) {
    radius = generator.uniform(0.28...0.45)
    scatter = Scatter(density: 0.95, using: &generator)
  }

  func ink(at p: Point) -> Ink {
    guard let (local, shade) = scatter.place(p, radius: 0.75 * radius...radius, tumble: 0) else { return Ink(amount: 0) }
    return Ink(amount: local.length < 1 ? 1 : 0, shade: shade)
  }
}

/// Triangles, each turned its own way.
struct Triangles: Pattern {
  static let repetitions: ClosedRange<Float> = 4.3...6.1
  let scatter: Scatter

  init(using generator: inout SplitMix64) { scatter = Scatter(density: 0.95, using: &generator) }

  func ink(at p: Point) -> Ink {
    guard let (local, shade) = scatter.place(p, radius: 0.38...0.5, tumble: .pi) else { return Ink(amount: 0) }
    // Inside the three half planes at distance 1/2 from the centre of a triangle of circumradius 1.
    let third = Float(0.8660254)
    let out = max(local.y, max(third * local.x - 0.5 * local.y, -third * local.x - 0.5 * local.y))
    return Ink(amount: out < 0.5 ? 1 : 0, shade: shade)
  }
}

/// Plus signs, nearly aligned.
struct Crosses: Pattern {
  static let repetitions: ClosedRange<Float> = 4.7...6.8
  let thickness: Float
  let scatter: Scatter

  init(using generator: inout SplitMix64) {
    thickness = generator.uniform(0.2...0.32)
    scatter = Scatter(density: 0.95, using: &generator)
  }

  func ink(at p: Point) -> Ink {
    guard let (local, shade) = scatter.place(p, radius: 0.36...0.48, tumble: 0.35) else { return Ink(amount: 0) }
    let (x, y) = (abs(local.x), abs(local.y))
    return Ink(amount: max(x, y) < 1 && min(x, y) < thickness ? 1 : 0, shade: shade)
  }
}
