import Foundation
import SwAVEngine

/// Parallel bands.
struct Stripes: Pattern {
  static let repetitions: ClosedRange<Float> = 5.3...7.6
  let duty: Float
  let lattice: Lattice

  init(using generator: inout SplitMix64) {
    duty = generator.uniform(0.42...0.58)
    lattice = Lattice(using: &generator)
  }

  func ink(at p: Point) -> Ink {
    Ink(amount: fraction(p.x) < duty ? 1 : 0, shade: lattice.value(SIMD2(Int32(p.x.rounded(.down)), 0)))
  }
}

/// Bands that swing like a sine.
struct Waves: Pattern {
  static let repetitions: ClosedRange<Float> = 5.0...7.2
  let duty, amplitude, pitch: Float
  let lattice: Lattice

  init(using generator: inout SplitMix64) {
    duty = generator.uniform(0.42...0.58)
    amplitude = generator.uniform(0.4...0.55)
    pitch = generator.uniform(0.3...0.5)
    lattice = Lattice(using: &generator)
  }

  func ink(at p: Point) -> Ink {
    let y = p.y + amplitude * sin(2 * .pi * pitch * p.x)
    return Ink(amount: fraction(y) < duty ? 1 : 0, shade: lattice.value(SIMD2(Int32(y.rounded(.down)), 0)))
  }
}

/// Bands around a centre.
struct Rings: Pattern {
  static let repetitions: ClosedRange<Float> = 6.2...8.9
  let duty: Float
  let lattice: Lattice

  init(using generator: inout SplitMix64) {
    duty = generator.uniform(0.42...0.58)
    lattice = Lattice(using: &generator)
  }

  func ink(at p: Point) -> Ink {
    let r = p.length
    return Ink(amount: fraction(r) < duty ? 1 : 0, shade: lattice.value(SIMD2(Int32(r), 0)))
  }
}

/// Sectors that spread from a centre.
struct Rays: Pattern {
  static let repetitions: ClosedRange<Float> = 3.2...4.6
  let duty: Float
  let count: Float
  let lattice: Lattice

  init(using generator: inout SplitMix64) {
    duty = generator.uniform(0.42...0.58)
    count = Float(12 + generator.below(12))
    lattice = Lattice(using: &generator)
  }

  func ink(at p: Point) -> Ink {
    let turn = (atan2(p.y, p.x) / (2 * .pi) + 1) * count
    return Ink(amount: fraction(turn) < duty ? 1 : 0, shade: lattice.value(SIMD2(Int32(turn) % Int32(count), 0)))
  }
}

/// Arms that wind about a centre.
struct Spirals: Pattern {
  static let repetitions: ClosedRange<Float> = 3.5...5.1
  let duty, arms, hand: Float

  init(using generator: inout SplitMix64) {
    duty = generator.uniform(0.42...0.58)
    arms = Float(3 + generator.below(4))
    hand = generator.chance(0.5) ? 1 : -1
  }

  func ink(at p: Point) -> Ink {
    // A logarithmic spiral meets all circles at the same angle, so any part of it looks alike.
    let turn = atan2(p.y, p.x) / (2 * .pi) * arms + hand * 1.1 * arms / 4 * log2(max(p.length, 0.02))
    return Ink(amount: fraction(turn) < duty ? 1 : 0, shade: 0.5)
  }
}

/// Quarter circles on tiles, turned at random: paths that meander and close (Truchet, 1704; Smith, 1987).
struct Mazes: Pattern {
  static let repetitions: ClosedRange<Float> = 4.7...6.8
  let width: Float
  let lattice: Lattice

  init(using generator: inout SplitMix64) {
    width = generator.uniform(0.1...0.2)
    lattice = Lattice(using: &generator)
  }

  func ink(at p: Point) -> Ink {
    let base = p.rounded(.down)
    var q = p - base
    if lattice.value(SIMD2(base)) < 0.5 { q.x = 1 - q.x }
    let distance = min(abs(q.length - 0.5), abs((Point(1, 1) - q).length - 0.5))
    return Ink(amount: distance < width ? 1 : 0, shade: 0.5)
  }
}
