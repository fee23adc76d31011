/// One line in the text of a list, changed where it lies.
struct ListLine {
  private let base: UnsafeMutablePointer<UInt8>
  var start: Int
  /// Behind the last byte that counts.
  var stop: Int

  init(_ base: UnsafeMutablePointer<UInt8>, _ start: Int, _ stop: Int) {
    (self.base, self.start, self.stop) = (base, start, stop)
  }

  /// What is wrong with a path.
  struct Failure: Error {
    var reason: String
  }

  /// One path by itself: what ``decodeAddress()`` makes of it.
  static func path(_ bytes: [UInt8]) throws(Failure) -> [UInt8] {
    // A colon is rare.
    guard bytes.prefix(9).contains(UInt8(ascii: ":")) else { return bytes }
    var (bytes, wrong) = (bytes, String?.none)
    let range = bytes.withUnsafeMutableBufferPointer { buffer -> Range<Int> in
      guard let base = buffer.baseAddress else { return 0..<0 }
      var line = ListLine(base, 0, buffer.count)
      wrong = line.decodeAddress()
      return line.start..<line.stop
    }
    if let wrong { throw Failure(reason: wrong) }
    return Array(bytes[range])
  }

  /// Takes blanks off both ends; false where nothing is left.
  mutating func trim() -> Bool {
    while start < stop, base[start] <= 0x20 { start += 1 }
    while start < stop, base[stop - 1] <= 0x20 { stop -= 1 }
    return start < stop
  }

  /// "a b.jpg" or 'a b.jpg' as programs write names with blanks.
  mutating func unquote() {
    guard stop - start >= 2, base[start] == base[stop - 1], base[start] == 0x22 || base[start] == 0x27 else { return }
    (start, stop) = (start + 1, stop - 1)
  }

  /// The word behind a path that ends as an image's: "a/1.jpg 3".
  var label: (pathEnd: Int, range: Range<Int>)? {
    var word = stop
    while word > start, base[word - 1] > 0x20 { word -= 1 }
    var end = word
    while end > start, base[end - 1] <= 0x20 { end -= 1 }
    guard end > start, !endsAsImage(at: stop), endsAsImage(at: end) else { return nil }
    return (end, word..<stop)
  }

  private func endsAsImage(at end: Int) -> Bool {
    var end = end
    if end > start, base[end - 1] == 0x22 || base[end - 1] == 0x27 { end -= 1 }
    let length = min(ImageFiles.longestEnding + 2, end - start)
    let tail = UnsafeBufferPointer(start: base + (end - length), count: length)
    return ImageFiles.hasEnding(String(decoding: tail, as: UTF8.self))
  }

  /// Makes a path of a file:// address. Says what is wrong with addresses of other kinds, and with paths of Windows.
  mutating func decodeAddress() -> String? {
    var end = start
    while end < stop, end - start < 8, isLetterOrDigit(base[end]) { end += 1 }
    guard end > start, end + 1 < stop, base[end] == UInt8(ascii: ":") else { return nil }
    let text = { [self] in printable(UnsafeBufferPointer(start: base + start, count: min(stop - start, 100))) }
    let slashes = (base[end + 1] == 0x2f, end + 2 < stop && base[end + 2] == 0x2f)
    if end - start == 1, slashes.0 || base[end + 1] == UInt8(ascii: "\\") {
      return "'\(text())' is a path of Windows; paths of this machine are needed"
    }
    guard slashes == (true, true) else { return nil }
    guard String(decoding: UnsafeBufferPointer(start: base + start, count: end - start), as: UTF8.self).lowercased() == "file"
    else { return "'\(text())' is no file; images are read from files: download them first" }
    // Behind the name of a host, which is this one.
    start = end + 3
    while start < stop, base[start] != UInt8(ascii: "/") { start += 1 }
    decodePercents()
    return nil
  }

  private mutating func decodePercents() {
    var (source, target) = (start, start)
    while source < stop {
      if base[source] == UInt8(ascii: "%"), source + 2 < stop, let high = hexadecimal(base[source + 1]),
        let low = hexadecimal(base[source + 2]), high + low > 0
      {
        base[target] = high << 4 | low
        source += 3
      } else {
        base[target] = base[source]
        source += 1
      }
      target += 1
    }
    stop = target
  }

  private func hexadecimal(_ digit: UInt8) -> UInt8? {
    Character(UnicodeScalar(digit)).hexDigitValue.map(UInt8.init)
  }

  private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte)
  }
}
