import Foundation

/// Many relative paths in one block of bytes: no object a path. Ten million paths of 40 bytes take 0.5 GB.
struct PathTable: Sendable {
  /// Zero-terminated paths, one after the other.
  private(set) var bytes: [UInt8] = []
  /// Where path i begins.
  private(set) var offsets: [Int] = []

  var count: Int { offsets.count }

  init() {}

  /// Takes over bytes that hold a zero-terminated path at each of the offsets.
  init(bytes: consuming [UInt8], offsets: consuming [Int]) { (self.bytes, self.offsets) = (bytes, offsets) }

  mutating func append(_ path: some Collection<UInt8>) {
    offsets.append(bytes.count)
    bytes.append(contentsOf: path)
    bytes.append(0)
  }

  /// Puts one byte in the place of another everywhere.
  mutating func replace(_ byte: UInt8, by other: UInt8) {
    bytes.withUnsafeMutableBufferPointer { buffer in
      for index in buffer.indices where buffer[index] == byte { buffer[index] = other }
    }
  }

  /// Path `index` below a folder, zero-terminated, as the system takes it; an absolute one by itself where there is no folder.
  func fullPath(_ index: Int, below folder: String) -> [CChar] {
    withPath(index) { path in
      var full = Array(folder.utf8)
      if !full.isEmpty, full.last != UInt8(ascii: "/") { full.append(UInt8(ascii: "/")) }
      return (full + path + [0]).map { CChar(bitPattern: $0) }
    }
  }

  /// Forgets the paths at the places, which are in ascending order; those behind move up.
  mutating func remove(_ places: [Int]) { offsets.removeElements(at: places) }

  /// Sorts by the bytes of the paths, so that the order depends on neither locale nor file system.
  mutating func sort() {
    let sorted = bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return [Int]() }
      // strcmp compares as unsigned char and ends at the zero of the shorter.
      return offsets.sorted { a, b in
        base.withMemoryRebound(to: CChar.self, capacity: buffer.count) { strcmp($0 + a, $0 + b) < 0 }
      }
    }
    offsets = sorted
  }

  /// Calls `body` with the bytes of path `index`, without the zero.
  func withPath<R>(_ index: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
    try bytes.withUnsafeBufferPointer { buffer in
      let start = offsets[index]
      var end = start
      while buffer[end] != 0 { end += 1 }
      return try body(UnsafeBufferPointer(rebasing: buffer[start..<end]))
    }
  }

  /// Whether the path at `index` comes behind the one before it, in the order of bytes.
  func isAscending(at index: Int) -> Bool {
    bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else { return true }
      return strcmp(base + offsets[index - 1], base + offsets[index]) < 0
    }
  }

  /// Paths of a range that come again later in it, each with the last place of the same path; in ascending order.
  ///
  /// Two bit sets find the few whose hashes meet, and only those are compared: 4 bytes a path for the time of the search.
  func repeated(in range: Range<Int>) -> [(place: Int, last: Int)] {
    // A power of two, so that the last bits of a hash are a place.
    let bits = 64 << max(0, Int.bitWidth - (range.count / 4).leadingZeroBitCount)
    let place = { (index: Int) in Int(truncatingIfNeeded: hash(index)) & (bits - 1) }
    var (seen, meeting) = ([UInt64](repeating: 0, count: bits / 64), [UInt64](repeating: 0, count: bits / 64))
    for index in range {
      let (word, bit) = place(index).quotientAndRemainder(dividingBy: 64)
      meeting[word] |= seen[word] & 1 << UInt64(bit)
      seen[word] |= 1 << UInt64(bit)
    }
    let candidates = range.filter { index in
      let (word, bit) = place(index).quotientAndRemainder(dividingBy: 64)
      return meeting[word] >> UInt64(bit) & 1 == 1
    }
    var last: [[UInt8]: Int] = [:]
    for index in candidates { last[withPath(index) { Array($0) }] = index }
    return candidates.compactMap { index in
      let final = last[withPath(index) { Array($0) }] ?? index
      return final > index ? (index, final) : nil
    }
  }

  /// Of path `index`, eight bytes at a time: multiplied and folded, as there are many.
  private func hash(_ index: Int) -> UInt64 {
    bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else { return 0 }
      var (position, hash) = (offsets[index], 0x9e37_79b9_7f4a_7c15 as UInt64)
      let end = position + strlen(base + position)
      func fold(_ word: UInt64) {
        let product = (hash ^ word).multipliedFullWidth(by: 0xbf58_476d_1ce4_e5b9)
        hash = product.high ^ product.low
      }
      while position + 8 <= end {
        fold(buffer.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        position += 8
      }
      var rest: UInt64 = 0
      while position < end {
        rest = rest << 8 | UInt64(buffer[position])
        position += 1
      }
      fold(rest)
      return hash
    }
  }

  /// Of all paths in order, as ``DataIdentity`` has it.
  var hash: String {
    var hash = FNV1a()
    for index in 0..<count {
      withPath(index) { hash.combine($0) }
      hash.combine([0])
    }
    return hash.hexadecimal
  }

  /// For people; see ``printable(_:)``.
  func text(_ index: Int) -> String { withPath(index) { printable($0) } }
}

/// As its bytes, in one piece: a path after the other.
extension PathTable: Codable {
  init(from decoder: any Decoder) throws {
    let bytes = Array(try decoder.singleValueContainer().decode(Data.self))
    var offsets: [Int] = []
    var begin = 0
    for (index, byte) in bytes.enumerated() where byte == 0 {
      offsets.append(begin)
      begin = index + 1
    }
    self.init(bytes: bytes, offsets: offsets)
  }

  func encode(to encoder: any Encoder) throws {
    var all = Data(capacity: bytes.count)
    for index in 0..<count {
      withPath(index) { all.append(contentsOf: $0) }
      all.append(0)
    }
    var container = encoder.singleValueContainer()
    try container.encode(all)
  }
}

/// A zero-terminated path with the current folder before it, where it is relative.
func absolutePath(_ path: [CChar]) -> [CChar] {
  guard path.first != CChar(bitPattern: UInt8(ascii: "/")), let here = getcwd(nil, 0) else { return path }
  defer { free(here) }
  return Array(UnsafeBufferPointer(start: here, count: strlen(here))) + [CChar(bitPattern: UInt8(ascii: "/"))] + path
}
