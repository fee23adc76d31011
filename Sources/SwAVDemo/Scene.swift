import Foundation
import SwAVEngine

/// Everything about a picture that does not depend on its class: pose, bending, colours, light, clutter, grain.
///
/// All of it is random and drawn alike for every class, so that neither colour nor place nor brightness tells the class; the
/// picture spans -1...1 in both directions.
struct Scene: Sendable {
  let cosine, sine, scale: Float
  let centre, tilt: Point
  let bend, bendPitch: Float
  let region: Region
  let palette: Palette
  let light: Point
  let exposure, vignette, grain: Float
  let clutter: [Clutter]
  let lattice: Lattice

  /// `centred`: the pattern has a middle, which then lies in or near the picture.
  init(repetitions: ClosedRange<Float>, centred: Bool, using generator: inout SplitMix64) {
    let angle = generator.uniform(-0.35...0.35)
    (cosine, sine) = (cos(angle), sin(angle))
    let low = log(repetitions.lowerBound)
    scale = 0.5 * exp(generator.uniform(low...log(repetitions.upperBound)))
    let reach: Float = centred ? 0.6 : 40
    centre = Point(generator.uniform(-reach...reach), generator.uniform(-reach...reach))
    tilt = Point(generator.uniform(-0.15...0.15), generator.uniform(-0.15...0.15))
    bend = generator.chance(0.6) ? generator.uniform(0...0.3) : 0
    bendPitch = generator.uniform(0.6...1.4)
    region = Region(using: &generator)
    palette = Palette(using: &generator)
    let towards = generator.uniform(0...(2 * .pi))
    light = generator.uniform(0...0.35) * Point(cos(towards), sin(towards))
    exposure = generator.uniform(0.8...1.15)
    vignette = generator.uniform(0...0.25)
    grain = generator.uniform(0...0.02)
    clutter = (0..<generator.below(3)).map { _ in Clutter(using: &generator) }
    lattice = Lattice(using: &generator)
  }

  /// What varies so slowly that it is computed once a pixel.
  struct Surroundings {
    let bend: Point
    let colors: (ground: Color, figure: Color, second: Color)
    let shading: Float
  }

  @inline(__always)
  func surroundings(at position: Point) -> Surroundings {
    var shift = Point.zero
    if bend > 0 {
      let q = position * bendPitch + 7
      shift = bend * 2 * (Point(lattice.noise(q, 1), lattice.noise(q, 2)) - 0.5)
    }
    return Surroundings(
      bend: shift,
      colors: palette.colors(at: position),
      // Light that falls from one side, and darker corners.
      shading: exposure * (1 + (light * position).sum()) * (1 - vignette * (position * position).sum() * 0.5))
  }

  /// The colour at a place, before light and lens.
  @inline(__always)
  func color(at position: Point, in surroundings: Surroundings, of pattern: some Pattern) -> Color {
    var color = surroundings.colors.ground
    if region.contains(position) {
      let depth = 1 / (1 + (tilt * position).sum())  // a plane seen at a slant
      let ink = pattern.ink(at: (depth * position - centre).turned(cosine, sine) * scale + surroundings.bend)
      let (_, first, second) = surroundings.colors
      let figure = first + ink.shade * (second - first)
      color += ink.amount * (figure - color)
    }
    for index in 0..<clutter.count { color = clutter[index].over(color, at: position) }
    return color
  }
}

/// The part of a picture that the pattern covers.
enum Region: Sendable {
  case all
  case disc(centre: Point, radius: Float)
  case side(normal: Point, offset: Float)
  case frame(half: Point, cosine: Float, sine: Float)

  init(using generator: inout SplitMix64) {
    let angle = generator.uniform(0...(2 * .pi))
    switch generator.below(12) {
    case 0, 1:
      let centre = Point(generator.uniform(-0.25...0.25), generator.uniform(-0.25...0.25))
      self = .disc(centre: centre, radius: generator.uniform(0.75...1.0))
    case 2:
      self = .side(normal: Point(cos(angle), sin(angle)), offset: generator.uniform(0...0.5))
    case 3:
      let half = Point(generator.uniform(0.65...0.95), generator.uniform(0.65...0.95))
      self = .frame(half: half, cosine: cos(angle), sine: sin(angle))
    default:
      self = .all
    }
  }

  @inline(__always)
  func contains(_ position: Point) -> Bool {
    switch self {
    case .all: return true
    case .disc(let centre, let radius): return (position - centre).length < radius
    case .side(let normal, let offset): return (normal * position).sum() < offset
    case .frame(let half, let cosine, let sine):
      let q = position.turned(cosine, sine)
      return abs(q.x) < half.x && abs(q.y) < half.y
    }
  }
}

/// A translucent disc or bar in front of the pattern.
struct Clutter: Sendable {
  let centre: Point
  let cosine, sine: Float
  let half: Point
  let round: Bool
  let color: Color
  let opacity: Float

  init(using generator: inout SplitMix64) {
    centre = Point(generator.uniform(-1...1), generator.uniform(-1...1))
    let angle = generator.uniform(0...(2 * .pi))
    (cosine, sine) = (cos(angle), sin(angle))
    round = generator.chance(0.5)
    let size = generator.uniform(0.1...0.3)
    half = round ? Point(size, size) : Point(generator.uniform(0.5...1.5), 0.25 * size)
    color = Palette.color(
      lightness: generator.uniform(0.2...0.9), chroma: generator.uniform(0...0.15), hue: generator.uniform(0...1))
    opacity = generator.uniform(0.4...0.9)
  }

  @inline(__always)
  func over(_ below: Color, at position: Point) -> Color {
    let q = (position - centre).turned(cosine, sine)
    let inside = round ? q.length < half.x : abs(q.x) < half.x && abs(q.y) < half.y
    return inside ? below + opacity * (color - below) : below
  }
}
