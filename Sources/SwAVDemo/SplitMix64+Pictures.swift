import SwAVEngine

/// Each picture has a generator of its own, named by the seed and the picture's place in the set, so that pictures can be
/// rendered in any order, on any number of threads, with equal bytes.
extension SplitMix64 {
  /// The generator named by `words`, in that order.
  init(_ words: UInt64...) {
    self.init(
      state: words.reduce(0) { state, word in
        var generator = SplitMix64(state: state ^ word)
        return generator.next()
      })
  }

  /// A number in `range`, by multiplication of 24 bits: the standard library's `random(in:)` may change with its version.
  mutating func uniform(_ range: ClosedRange<Float>) -> Float {
    range.lowerBound + (range.upperBound - range.lowerBound) * (Float(next() >> 40) * 0x1p-24)
  }

  /// True with the given probability.
  mutating func chance(_ probability: Float) -> Bool { uniform(0...1) < probability }
}
