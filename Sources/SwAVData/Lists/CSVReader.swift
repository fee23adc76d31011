/// Records of comma-separated values (RFC 4180): fields may be quoted, and then hold commas, line ends and doubled quotes.
/// Lines end in a line feed, with or without a carriage return. Empty lines are skipped.
struct CSVReader {
  private let bytes: [UInt8]
  private var position: Int
  /// The line, counted from 1, that the last record began on.
  private(set) var line = 0
  private var nextLine = 1

  init(_ bytes: consuming [UInt8]) {
    position = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
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
      if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
        try readQuoted(into: &fields[count])
      } else {
        readPlain(into: &fields[count])
      }
      count += 1
      guard position < bytes.count, bytes[position] == UInt8(ascii: ",") else { break }
      position += 1
    }
    skipLineEnd()
    fields.removeLast(fields.count - count)
    return true
  }

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
    while end < bytes.count, bytes[end] != UInt8(ascii: ","), !isLineEnd(end) { end += 1 }
    field.append(contentsOf: bytes[position..<end])
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
      guard position < bytes.count else { return }
      if bytes[position] == UInt8(ascii: "\"") {
        field.append(UInt8(ascii: "\""))
        position += 1
      } else if bytes[position] == UInt8(ascii: ",") || isLineEnd(position) {
        return
      } else {
        throw .textAfterQuote
      }
    }
  }
}
