import Glibc

/// The lines of a list: a path each, perhaps in quotes, perhaps as a file:// address, perhaps followed by a label.
///
/// The text becomes the table of paths, so there is no moment with two copies of it.
struct ListLines {
  private(set) var paths = PathTable()
  private(set) var classes = ClassIndex()
  /// The line, counted from 1, of the first path without a label, where others have one.
  private(set) var firstWithoutLabel = 0

  /// `text` as ``ListText/read(_:)`` gives it; `name` is named in errors. Throws `.unusable` for a line that is no path of this
  /// machine.
  init(_ text: consuming [UInt8], name: String) throws(DataError) {
    var bytes = consume text
    bytes.append(0)
    var (offsets, failure) = ([Int](), DataError?.none)
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
      var (number, hasLabels) = (0, Bool?.none)
      start = 0
      while start < end, failure == nil {
        let stop = lineEnd(from: start)
        number += 1
        var line = ListLine(base, start, stop)
        start = stop + 1
        base[stop] = 0
        guard line.trim() else { continue }
        // What the first line is like, all are.
        if hasLabels == nil { hasLabels = line.label != nil }
        let label = hasLabels == true ? line.label : nil
        if let label { line.stop = label.pathEnd }
        line.unquote()
        if let wrong = line.decodeAddress() {
          failure = DataError(.unusable, "\(name): line \(number): \(wrong)")
        }
        guard line.start < line.stop else { continue }
        offsets.append(line.start)
        classes.append(label.map { UnsafeBufferPointer(rebasing: buffer[$0.range]) })
        if hasLabels == true, label == nil, firstWithoutLabel == 0 { firstWithoutLabel = number }
        base[line.stop] = 0
      }
    }
    if let failure { throw failure }
    paths = PathTable(bytes: bytes, offsets: offsets)
  }

  /// The labels; they are not kept here.
  mutating func takeClasses() -> ClassIndex {
    defer { classes = ClassIndex() }
    return classes
  }
}
