/// A text as a field of a table, in quotes where it needs them: where it holds a separator, a quote or the end of a line, or
/// begins or ends with a blank.
package func csvField(_ text: String) -> String {
  // By bytes: as characters a comma with an accent behind it, and a carriage return with a line feed, are neither.
  let bytes = Array(text.utf8)
  let isBlank = { (byte: UInt8?) in byte == 0x20 || byte == 0x09 }
  guard bytes.contains(where: { ",\"\n\r".utf8.contains($0) }) || isBlank(bytes.first) || isBlank(bytes.last) else {
    return text
  }
  let quote = UInt8(ascii: "\"")
  return String(decoding: [quote] + bytes.flatMap { $0 == quote ? [quote, quote] : [$0] } + [quote], as: UTF8.self)
}
