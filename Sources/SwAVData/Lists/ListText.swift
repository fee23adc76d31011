import Glibc

/// The text of a list or a table, as UTF-8 whose lines end in a line feed, whatever it came as.
enum ListText {
  /// UTF-8 with or without a mark, or UTF-16 with one, as PowerShell writes it; lines may end in carriage returns alone, as in old
  /// files of the Mac. Throws `.unusable` where it is no text. `spare` bytes of capacity are left.
  static func read(_ file: String) throws(DataError) -> [UInt8] {
    var bytes = try FileBytes.read(file, maximum: .max, spare: 1)
    if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) {
      guard let text = decodeUTF16(bytes) else {
        throw DataError(.unusable, "\(file): begins as UTF-16 but is none; a text is needed")
      }
      bytes = text
    }
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
    guard !bytes.contains(0) else {
      throw DataError(.unusable, "\(file): holds zero bytes; a text is needed, with one image a line")
    }
    if !bytes.contains(0x0a) {
      for index in bytes.indices where bytes[index] == 0x0d { bytes[index] = 0x0a }
    }
    return bytes
  }

  private static func decodeUTF16(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.count % 2 == 0 else { return nil }
    let (low, high) = bytes[0] == 0xff ? (0, 1) : (1, 0)
    let words = stride(from: 2, to: bytes.count, by: 2).map { UInt16(bytes[$0 + low]) | UInt16(bytes[$0 + high]) << 8 }
    return String(validating: words, as: UTF16.self).map { Array($0.utf8) }
  }
}
