/// Bytes of a file, an archive or a list as text for people, such that different bytes give different texts: they must not break
/// a line of a log, nor steer a terminal, and two classes must not become one.
///
/// Bytes that are not UTF-8 and control characters become "\x" and two hexadecimal digits. A backslash is written twice where
/// it would read as the beginning of such an escape.
func printable(_ bytes: some Collection<UInt8>) -> String {
  if !bytes.contains(where: { $0 < 0x20 || $0 >= 0x7f || $0 == backslash }) { return String(decoding: bytes, as: UTF8.self) }
  // The pieces that decode, and the bytes of those that do not.
  var (pieces, rest) = ([[UInt8]](), Array(bytes)[...])
  var isEscaped: [Bool] = []
  while let first = rest.first {
    let length = lengthOfScalar(rest)
    let piece = Array(rest.prefix(max(1, length)))
    pieces.append(piece)
    isEscaped.append(length == 0 || first < 0x20 || first == 0x7f || steersOrBreaks(piece))
    rest = rest.dropFirst(piece.count)
  }
  var text: [UInt8] = []
  for (index, piece) in pieces.enumerated() {
    if isEscaped[index] {
      for byte in piece { text += [backslash, UInt8(ascii: "x"), digit(byte >> 4), digit(byte & 15)] }
    } else {
      text += piece
      guard piece == [backslash], index + 1 < pieces.count else { continue }
      let next = pieces[index + 1]
      if isEscaped[index + 1] || next == [backslash] || next == [UInt8(ascii: "x")] { text.append(backslash) }
    }
  }
  return String(decoding: text, as: UTF8.self)
}

private let backslash = UInt8(ascii: "\\")

private func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x61 + value - 10 }

/// Bytes of the UTF-8 sequence at the beginning; 0 where there is none.
private func lengthOfScalar(_ bytes: ArraySlice<UInt8>) -> Int {
  let first = bytes[bytes.startIndex]
  let length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  guard bytes.count >= length else { return 0 }
  return String(validating: bytes.prefix(length), as: UTF8.self) == nil ? 0 : length
}

/// The control characters U+0080 to U+009F, and the separators of lines and paragraphs, U+2028 and U+2029.
private func steersOrBreaks(_ scalar: [UInt8]) -> Bool {
  scalar.count == 2 && scalar[0] == 0xc2 && scalar[1] < 0xa0 || scalar == [0xe2, 0x80, 0xa8] || scalar == [0xe2, 0x80, 0xa9]
}
