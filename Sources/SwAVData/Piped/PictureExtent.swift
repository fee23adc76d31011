/// Where a picture ends among the bytes that follow it, by the lengths that its format writes down; nothing is decoded.
///
/// JPEG, PNG, WebP, GIF, BMP, binary PNM, HEIC and AVIF say it. A TIFF does not: it goes on to the end.
struct PictureExtent {
  private let bytes: UnsafeRawBufferPointer
  private let start: Int

  /// The offset behind the picture that begins at `start`; nil where it does not say, is damaged, or is cut off.
  static func end(of bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    let picture = PictureExtent(bytes: bytes, start: start)
    let found: Int? =
      switch (picture.byte(start), picture.byte(start + 1)) {
      case (0xff, 0xd8): picture.endOfJPEG()
      case (0x89, _): picture.endOfPNG()
      case (0x52, _): picture.little(start + 4, 4).map { start + 8 + $0 + $0 % 2 }
      case (0x47, _): picture.endOfGIF()
      case (0x42, 0x4d): picture.little(start + 2, 4).map { start + $0 }
      case (0x50, _): picture.endOfPNM()
      default: picture.text(start + 4, is: "ftyp") ? picture.endOfBoxes() : nil
      }
    guard let found, found > start, found <= bytes.count else { return nil }
    return found
  }

  private func byte(_ at: Int) -> UInt8? { bytes.indices.contains(at) ? bytes[at] : nil }

  private func text(_ at: Int, is text: String) -> Bool {
    at + text.utf8.count <= bytes.count && bytes[at..<at + text.utf8.count].elementsEqual(text.utf8)
  }

  private func number(_ at: Int, _ count: Int, _ places: (Int) -> Int) -> Int? {
    guard at >= 0, at + count <= bytes.count else { return nil }
    return (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * places($1)) }
  }

  private func big(_ at: Int, _ count: Int) -> Int? { number(at, count) { count - 1 - $0 } }
  private func little(_ at: Int, _ count: Int) -> Int? { number(at, count) { $0 } }

  /// Segments, then entropy-coded data between markers. Phones write further pictures behind the first, as gain maps or depth, and say
  /// where in a segment "MPF" (CIPA DC-007): they are parts of it.
  private func endOfJPEG() -> Int? {
    var (at, parts) = (start + 2, start)
    while byte(at) == 0xff, let marker = byte(at + 1) {
      switch marker {
      case 0xff: at += 1
      case 0xd9: return max(at + 2, parts)
      // The next picture: this one is cut off.
      case 0xd8: return nil
      case 0x01, 0xd0...0xd7: at += 2
      default:
        guard let length = big(at + 2, 2), length >= 2 else { return nil }
        if marker == 0xe2, text(at + 4, is: "MPF\0") { parts = max(parts, endOfParts(at + 8)) }
        at += 2 + length
        if marker == 0xda { at = endOfScan(at) }
      }
    }
    return nil
  }

  /// The next marker that is neither a stuffed byte nor a restart.
  private func endOfScan(_ from: Int) -> Int {
    var at = from
    while at + 1 < bytes.count {
      if bytes[at] == 0xff, bytes[at + 1] != 0, !(0xd0...0xd7).contains(bytes[at + 1]) { return at }
      at += 1
    }
    return bytes.count
  }

  /// `header` is where the index begins, a TIFF of one directory; offsets are from there.
  private func endOfParts(_ header: Int) -> Int {
    let isLittle = text(header, is: "II")
    func word(_ at: Int, _ count: Int) -> Int? { isLittle ? little(at, count) : big(at, count) }
    guard let directory = word(header + 4, 4).map({ header + $0 }), let entries = word(directory, 2) else { return start }
    var end = start
    for entry in 0..<entries {
      let at = directory + 2 + 12 * entry
      guard word(at, 2) == 0xb002, let size = word(at + 4, 4), let place = word(at + 8, 4) else { continue }
      for part in 0..<min(size / 16, 64) {
        let item = header + place + 16 * part
        guard let length = word(item + 4, 4), let offset = word(item + 8, 4), offset > 0 else { continue }
        if header + offset + length <= bytes.count { end = max(end, header + offset + length) }
      }
    }
    return end
  }

  private func endOfPNG() -> Int? {
    var at = start + 8
    while let length = big(at, 4) {
      if text(at + 4, is: "IEND") { return at + 12 + length }
      at += 12 + length
    }
    return nil
  }

  private func endOfGIF() -> Int? {
    guard let flags = byte(start + 10) else { return nil }
    var at = start + 13 + GIF.colours(flags)
    while let kind = byte(at) {
      switch kind {
      case 0x3b: return at + 1
      case 0x21: at += 2
      case 0x2c:
        guard let flags = byte(at + 9) else { return nil }
        at += 11 + GIF.colours(flags)
      default: return nil
      }
      while let length = byte(at), length > 0 { at += 1 + Int(length) }
      at += 1
    }
    return nil
  }

  private enum GIF {
    /// Bytes of a table of colours, by the flags before it.
    static func colours(_ flags: UInt8) -> Int { flags & 0x80 == 0 ? 0 : 3 << (Int(flags & 7) + 1) }
  }

  /// P4 to P6: width, height and, but for P4, the largest value, as text; one white space; the pixels.
  private func endOfPNM() -> Int? {
    guard let kind = byte(start + 1), (0x34...0x36).contains(kind) else { return nil }
    var (at, values) = (start + 2, [Int]())
    while values.count < (kind == 0x34 ? 2 : 3), let next = byte(at) {
      if next == UInt8(ascii: "#") {
        while let letter = byte(at), letter != 0x0a { at += 1 }
      } else if (0x30...0x39).contains(next) {
        var value = 0
        while let digit = byte(at), (0x30...0x39).contains(digit), value < 1 << 24 {
          value = value * 10 + Int(digit - 0x30)
          at += 1
        }
        values.append(value)
      } else if [0x20, 0x09, 0x0a, 0x0d].contains(next) {
        at += 1
      } else {
        return nil
      }
    }
    guard values.count >= 2, values.allSatisfy({ $0 > 0 && $0 < 1 << 24 }) else { return nil }
    if kind == 0x34 { return at + 1 + (values[0] + 7) / 8 * values[1] }
    guard values.count == 3 else { return nil }
    return at + 1 + values[0] * values[1] * (kind == 0x36 ? 3 : 1) * (values[2] > 255 ? 2 : 1)
  }

  /// Boxes of an ISO media file, up to the next file's first.
  private func endOfBoxes() -> Int? {
    var at = start
    while let length = big(at, 4), at == start || !text(at + 4, is: "ftyp") {
      let size = length == 1 ? big(at + 8, 8) : length
      // What begins as no box is another picture, or nothing.
      guard let size, size >= 8, size <= bytes.count - at, isName(at + 4) else { break }
      at += size
    }
    return at
  }

  private func isName(_ at: Int) -> Bool {
    at + 4 <= bytes.count && bytes[at..<at + 4].allSatisfy { (0x20...0x7e).contains($0) }
  }
}
