import SwAVEngine

/// At most `limit` of 0..<count, in order: one of each of `limit` stretches of equal length, drawn by a fixed seed. With a constant step
/// a list whose classes take turns would give a part of them.
package func spread(_ limit: Int, over count: Int) -> [Int] {
  guard count > limit else { return Array(0..<count) }
  return (0..<limit).map { number in
    let (begin, end) = (number * count / limit, (number + 1) * count / limit)
    var generator = SplitMix64(state: UInt64(number))
    return begin + generator.below(end - begin)
  }
}
