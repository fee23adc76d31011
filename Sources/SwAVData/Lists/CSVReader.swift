/// Records of comma-separated values (RFC 4180): fields may be quoted, and then hold separators, line ends and doubled quotes.
/// Lines end in a line feed, with or without a carriage return. Empty lines are skipped, and blanks around a field that are not
/// inside quotes do not count.
struct CSVReader {
  var separator = UInt8(ascii: ",")
  private let bytes: [UInt8]
  private var position: Int
  /// The line, counted from 1, that the last record began on.
  private(set) var line = 0
  private var nextLine = 1

  init(_ bytes: consuming [UInt8]) {
    position = 0
    self.bytes = bytes
  }

  /// What is wrong with a record.
  enum Failure: Error, Equatable {
    case openQuote
    case textAfterQuote

    var reason: String {
      switch self {
      case .openQuote: "a quoted field is not closed"
      case .textAfterQuote: "a closing quote is followed by text; a quote inside a quoted field is written twice"
      }
    }
  }

  /// The fields of the next record into `fields`, whose storage is used again. False at the end.
  mutating func next(_ fields: inout [[UInt8]]) throws(Failure) -> Bool {
    skipEmptyLines()
    guard position < bytes.count else { return false }
    line = nextLine
    var count = 0
    while true {
      if count == fields.count { fields.append([]) }
      fields[count].removeAll(keepingCapacity: true)
      skipBlanks()
      if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
        try readQuoted(into: &fields[count])
      } else {
        readPlain(into: &fields[count])
      }
      count += 1
      guard position < bytes.count, bytes[position] == separator else { break }
      position += 1
    }
    skipLineEnd()
    fields.removeLast(fields.count - count)
    return true
  }

  /// Excel's first line "sep=;": the separator that it names.
  mutating func skipSeparatorLine() -> UInt8? {
    guard position == 0, bytes.starts(with: "sep=".utf8), bytes.count > 5, isLineEnd(5) else { return nil }
    position = 5
    skipLineEnd()
    return bytes[4]
  }

  private mutating func skipBlanks() {
    while position < bytes.count, isBlank(bytes[position]) { position += 1 }
  }

  /// A space or a tab, unless it separates.
  private func isBlank(_ byte: UInt8) -> Bool { (byte == 0x20 || byte == 0x09) && byte != separator }

  private mutating func skipEmptyLines() {
    while position < bytes.count, isLineEnd(position) { skipLineEnd() }
  }

  /// Whether a line ends here: at a line feed, or at a carriage return before one.
  private func isLineEnd(_ index: Int) -> Bool {
    bytes[index] == 0x0a || bytes[index] == 0x0d && (index + 1 == bytes.count || bytes[index + 1] == 0x0a)
  }

  private mutating func skipLineEnd() {
    guard position < bytes.count else { return }
    if bytes[position] == 0x0d { position += 1 }
    if position < bytes.count, bytes[position] == 0x0a { position += 1 }
    nextLine += 1
  }

  private mutating func readPlain(into field: inout [UInt8]) {
    var end = position
    while end < bytes.count, bytes[end] != separator, !isLineEnd(end) { end += 1 }
    var last = end
    while last > position, isBlank(bytes[last - 1]) { last -= 1 }
    field.append(contentsOf: bytes[position..<last])
    position = end
  }

  private mutating func readQuoted(into field: inout [UInt8]) throws(Failure) {
    position += 1
    while true {
      let start = position
      while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
        if bytes[position] == 0x0a { nextLine += 1 }
        position += 1
      }
      guard position < bytes.count else { throw .openQuote }
      field.append(contentsOf: bytes[start..<position])
      position += 1
      if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
        field.append(UInt8(ascii: "\""))
        position += 1
        continue
      }
      skipBlanks()
      guard position == bytes.count || bytes[position] == separator || isLineEnd(position) else { throw .textAfterQuote }
      return
    }
  }
}
