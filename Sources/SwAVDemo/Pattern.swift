import SwAVEngine

/// What a pattern leaves at one point.
struct Ink {
  /// 0 is ground, 1 is figure.
  var amount: Float
  /// 0...1, which of the figure's shades: equal over one stroke, dot or tile, different for the next.
  var shade: Float = 0
}

/// A drawing of unlimited extent, in a plane where one repetition (a stripe, a dot with its surroundings, a tile) has size 1.
///
/// Turning, scaling, placing, bending and colouring is done by `Scene` in the same way for all patterns: what remains to tell
/// them apart is their structure.
protocol Pattern: Sendable {
  /// Repetitions across a picture.
  static var repetitions: ClosedRange<Float> { get }

  /// A random member of the family.
  init(using generator: inout SplitMix64)

  func ink(at p: Point) -> Ink
}
