import SwAVEngine

/// Two colours in turn.
struct Checkers: Pattern {
  static let repetitions: ClosedRange<Float> = 6.2...8.9
  let aspect: Float

  init(using generator: inout SplitMix64) { aspect = generator.uniform(0.75...1.33) }

  func ink(at p: Point) -> Ink {
    let cell = SIMD2<Int32>((p * Point(aspect, 1)).rounded(.down))
    return Ink(amount: Float((cell.x &+ cell.y) & 1), shade: 0.5)
  }
}

/// Rows of bricks, each shifted against the next by a half.
struct Bricks: Pattern {
  static let repetitions: ClosedRange<Float> = 5.9...8.5
  let mortar, aspect: Float
  let lattice: Lattice

  init(using generator: inout SplitMix64) {
    mortar = generator.uniform(0.12...0.22)
    aspect = generator.uniform(1.8...2.6)
    lattice = Lattice(using: &generator)
  }

  func ink(at p: Point) -> Ink {
    let row = p.y.rounded(.down)
    let x = p.x / aspect + 0.5 * row
    let column = x.rounded(.down)
    let inside = p.y - row > mortar && (x - column) * aspect > mortar
    return Ink(amount: inside ? 1 : 0, shade: lattice.value(SIMD2(Int32(column), Int32(row))))
  }
}

/// The regions nearest to scattered points, with seams between them (Worley, SIGGRAPH 1996).
struct Cells: Pattern {
  static let repetitions: ClosedRange<Float> = 4.7...6.8
  let seam: Float
  let lattice: Lattice

  init(using generator: inout SplitMix64) {
    seam = generator.uniform(0.08...0.16)
    lattice = Lattice(using: &generator)
  }

  func ink(at p: Point) -> Ink {
    let base = p.rounded(.down)
    let home = SIMD2<Int32>(base)
    var nearest = Float.infinity
    var second = Float.infinity
    var owner = home
    for dy in Int32(-1)...1 {
      for dx in Int32(-1)...1 {
        let cell = home &+ SIMD2(dx, dy)
        let site = Point(cell) + 0.5 + 0.8 * (Point(lattice.value(cell, 1), lattice.value(cell, 2)) - 0.5)
        let distance = (p - site).length
        if distance < nearest {
          (second, nearest, owner) = (nearest, distance, cell)
        } else if distance < second {
          second = distance
        }
      }
    }
    return Ink(amount: second - nearest > seam ? 1 : 0, shade: lattice.value(owner))
  }
}

/// Soft lumps at several scales at once.
struct Clouds: Pattern {
  static let repetitions: ClosedRange<Float> = 2.6...3.8
  let gain, softness: Float
  let lattice: Lattice

  init(using generator: inout SplitMix64) {
    gain = generator.uniform(0.45...0.65)
    softness = generator.uniform(0.05...0.25)
    lattice = Lattice(using: &generator)
  }

  func ink(at p: Point) -> Ink {
    var (sum, weight, total) = (Float(0), Float(1), Float(0))
    var q = p
    for octave in 0..<4 {
      sum += weight * lattice.noise(q, UInt32(octave))
      total += weight
      weight *= gain
      q = q.turned(0.8, 0.6) * 2  // turned, so that the octaves' grids do not line up
    }
    let level = sum / total
    return Ink(amount: smoothstep(0.5 - softness, 0.5 + softness, level), shade: level)
  }
}
