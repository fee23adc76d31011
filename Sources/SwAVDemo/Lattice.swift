import Foundation
import SwAVEngine

/// A point of the plane; `x` to the right, `y` down.
typealias Point = SIMD2<Float>

extension Point {
  var length: Float { (x * x + y * y).squareRoot() }

  /// The point turned about the origin by an angle whose cosine and sine are given.
  func turned(_ cosine: Float, _ sine: Float) -> Point { Point(cosine * x - sine * y, sine * x + cosine * y) }

  func turned(by angle: Float) -> Point { turned(cos(angle), sin(angle)) }
}

/// The part after the point, in [0, 1), also below zero.
@inline(__always)
func fraction(_ x: Float) -> Float { x - x.rounded(.down) }

/// Cubic step from 0 at `low` to 1 at `high`.
@inline(__always)
func smoothstep(_ low: Float, _ high: Float, _ x: Float) -> Float {
  let t = min(max((x - low) / (high - low), 0), 1)
  return t * t * (3 - 2 * t)
}

/// Random numbers at the integer points of the plane: a pure function of the point, so that a pattern can ask about any cell.
struct Lattice: Sendable {
  let salt: UInt32

  init(using generator: inout SplitMix64) { salt = UInt32(truncatingIfNeeded: generator.next()) }

  /// Number `channel` of the cell, in [0, 1).
  @inline(__always)
  func value(_ cell: SIMD2<Int32>, _ channel: UInt32 = 0) -> Float {
    // Three odd constants spread the coordinates; the finaliser is that of MurmurHash3 (public domain).
    var h =
      UInt32(bitPattern: cell.x) &* 0x9E37_79B1 ^ UInt32(bitPattern: cell.y) &* 0x85EB_CA77 ^ channel &* 0xC2B2_AE3D ^ salt
    h = (h ^ (h >> 16)) &* 0x85EB_CA6B
    h = (h ^ (h >> 13)) &* 0xC2B2_AE35
    return Float((h ^ (h >> 16)) >> 8) * 0x1p-24
  }

  /// Value noise in [0, 1]: the cells' numbers, blended smoothly between their corners.
  @inline(__always)
  func noise(_ p: Point, _ channel: UInt32 = 0) -> Float {
    let base = p.rounded(.down)
    let cell = SIMD2<Int32>(base)
    let t = p - base
    let s = t * t * (3 - 2 * t)
    let top = value(cell, channel) * (1 - s.x) + value(cell &+ SIMD2(1, 0), channel) * s.x
    let bottom = value(cell &+ SIMD2(0, 1), channel) * (1 - s.x) + value(cell &+ SIMD2(1, 1), channel) * s.x
    return top * (1 - s.y) + bottom * s.y
  }
}
