import Glibc

/// Many relative paths in one block of bytes: no object a path. Ten million paths of 40 bytes take 0.5 GB.
struct PathTable: Sendable {
  /// Zero-terminated paths, one after the other.
  private(set) var bytes: [UInt8] = []
  /// Where path i begins.
  private(set) var offsets: [Int] = []

  var count: Int { offsets.count }

  init() {}

  /// Takes over the bytes of a text: one path a line, ended by a line feed with or without a carriage return; empty lines are
  /// skipped. The text becomes the table, so there is no moment with two copies of it. A zero byte ends a path.
  init(lines: consuming [UInt8]) {
    // Moved, not shared: appending to shared storage would copy all of it.
    bytes = consume lines
    bytes.append(0)
    bytes.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      let end = buffer.count - 1
      func lineEnd(from start: Int) -> Int {
        memchr(base + start, 0x0a, end - start).map { UnsafeRawPointer($0) - UnsafeRawPointer(base) } ?? end
      }
      // Counted first: growing the offsets would hold two copies of them.
      var (lines, start) = (0, 0)
      while start < end { (lines, start) = (lines + 1, lineEnd(from: start) + 1) }
      offsets.reserveCapacity(lines)
      start = 0
      while start < end {
        let stop = lineEnd(from: start)
        base[stop] = 0
        if stop > start, base[stop - 1] == 0x0d { base[stop - 1] = 0 }
        if base[start] != 0 { offsets.append(start) }
        start = stop + 1
      }
    }
  }

  mutating func append(_ path: some Collection<UInt8>) {
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

  /// Of all paths in order, as ``DataIdentity`` has it.
  var hash: String {
    var hash = FNV1a()
    for index in 0..<count {
      withPath(index) { hash.combine($0) }
      hash.combine([0])
    }
    return hash.hexadecimal
  }

  /// For people: bytes that are not UTF-8 are replaced.
  /// So are control characters: a name from an archive or a list must not break a line of a log, nor steer a terminal.
  func text(_ index: Int) -> String { withPath(index) { printable($0) } }
}

/// Bytes of a file as text for people: what is not UTF-8 and control characters are replaced.
func printable(_ bytes: some Collection<UInt8>) -> String {
  if bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
    return String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
  }
  return String(decoding: bytes, as: UTF8.self)
}
