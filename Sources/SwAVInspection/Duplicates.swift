import SwAVEngine

/// Finding equal and similar pictures among many, without comparing all pairs.
enum Duplicates {
  /// Pictures of equal bytes: groups of two or more indices into `pictures`, each in order, the groups by their first index.
  static func exact(_ pictures: [PictureRecord]) -> [[Int]] {
    let order = pictures.indices.sorted {
      (pictures[$0].contentHash, pictures[$0].bytes, $0) < (pictures[$1].contentHash, pictures[$1].bytes, $1)
    }
    var (groups, start) = ([[Int]](), 0)
    for end in 1..<(order.count + 1) where !order.isEmpty {
      let (first, next) = (pictures[order[start]], end < order.count ? pictures[order[end]] : nil)
      if let next, next.contentHash == first.contentHash, next.bytes == first.bytes { continue }
      if end - start > 1 { groups.append(Array(order[start..<end])) }
      start = end
    }
    return groups.sorted { $0[0] < $1[0] }
  }

  /// Bits of the hash that a table is sorted by first.
  private static let bandBits = 16
  /// Pictures behind each one in a table that it is compared with.
  private static let neighbours = 64

  /// Pictures that look alike, of those that are numbered: groups as in ``exact(_:)``. What the calling thread watches
  /// (``Cancellation``) calls it off.
  ///
  /// Eight tables are sorted by the hash rotated by 0, 16, ... 112 bits, and in each a picture is compared with those that
  /// follow it and agree in the first 16 bits, 64 at most (Manku, Jain, Das Sarma: Detecting near-duplicates for web crawling,
  /// WWW 2007).
  /// Two hashes that differ in up to 7 bits agree in one of eight bands, those that differ in 10 do nearly always.
  static func similar(_ numbers: [Int], look: (Int) -> PictureLook) throws(EngineError) -> [[Int]] {
    var sets = DisjointSets(count: (numbers.max() ?? -1) + 1)
    for band in 0..<UInt128.bitWidth / bandBits {
      try Cancellation.check()
      let table = numbers.map { (key: rotated(look($0).hash, by: band * bandBits), index: $0) }
        .sorted { ($0.key, $0.index) < ($1.key, $1.index) }
      for position in table.indices {
        let (key, index) = table[position]
        for other in table[(position + 1)...].prefix(neighbours) {
          guard (key ^ other.key) >> UInt128(UInt128.bitWidth - bandBits) == 0 else { break }
          if sets.root(of: index) != sets.root(of: other.index), look(index).resembles(look(other.index)) {
            sets.join(index, other.index)
          }
        }
      }
    }
    return Dictionary(grouping: numbers) { sets.root(of: $0) }.values.filter { $0.count > 1 }.map { $0.sorted() }
      .sorted { $0[0] < $1[0] }
  }

  private static func rotated(_ hash: UInt128, by bits: Int) -> UInt128 {
    bits == 0 ? hash : hash << UInt128(bits) | hash >> UInt128(UInt128.bitWidth - bits)
  }
}

/// Sets that only grow together.
private struct DisjointSets {
  private var parents: [Int]

  init(count: Int) { parents = Array(0..<count) }

  mutating func root(of element: Int) -> Int {
    var element = element
    while parents[element] != element {
      parents[element] = parents[parents[element]]
      element = parents[element]
    }
    return element
  }

  mutating func join(_ a: Int, _ b: Int) {
    let (a, b) = (root(of: a), root(of: b))
    parents[max(a, b)] = min(a, b)
  }
}
