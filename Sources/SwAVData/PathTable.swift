import Glibc

/// Many relative paths in one block of bytes: no object a path. Ten million paths of 40 bytes take 0.5 GB.
struct PathTable: Sendable {
  /// Zero-terminated paths, one after the other.
  private(set) var bytes: [UInt8] = []
  /// Where path i begins.
  private(set) var offsets: [Int] = []

  var count: Int { offsets.count }

  mutating func append(_ path: [UInt8]) {
    offsets.append(bytes.count)
    bytes.append(contentsOf: path)
    bytes.append(0)
  }

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

  /// For people: bytes that are not UTF-8 are replaced.
  func text(_ index: Int) -> String { withPath(index) { String(decoding: $0, as: UTF8.self) } }
}
