/// A small, fast generator of random bits (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
///
/// Each picture has a generator of its own, named by the seed and the picture's place in the set, so that pictures can be
/// rendered in any order, on any number of threads, with equal bytes.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(state: UInt64) { self.state = state }

  /// The generator named by `words`, in that order.
  init(_ words: UInt64...) {
    state = 0
    for word in words {
      state ^= word
      state = next()
    }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number in `range`, by multiplication of 24 bits: the standard library's `random(in:)` may change with its version.
  mutating func uniform(_ range: ClosedRange<Float>) -> Float {
    range.lowerBound + (range.upperBound - range.lowerBound) * (Float(next() >> 40) * 0x1p-24)
  }

  /// True with the given probability.
  mutating func chance(_ probability: Float) -> Bool { uniform(0...1) < probability }

  /// 0 ..< count.
  mutating func below(_ count: Int) -> Int { Int(((next() >> 32) &* UInt64(count)) >> 32) }
}
