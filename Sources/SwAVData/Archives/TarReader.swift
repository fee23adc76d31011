/// The members of a tar archive, one after the other: ustar, GNU long names and base-256 sizes, pax `path`, `linkpath` and
/// `size`. Archives that were joined end to end are read one after the other.
///
/// Reads headers only, through a window over the file, so that an archive of many gigabytes costs one small read a member.
/// Every header's checksum is compared. Sparse members are not supported.
struct TarReader {
  /// Fills the buffer from an offset of the archive; returns the bytes that were there.
  typealias Read = (_ offset: Int, _ buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int

  /// A regular file of the archive, or a link to one.
  struct Member: Equatable {
    var name: [UInt8]
    /// Where its data begin, and how many bytes they have; they lie inside the archive. A link has none.
    var offset: Int
    var size: Int
    var link: Link?
    /// Archives that were joined are numbered from 0 on.
    var section = 0
  }

  enum Link: Equatable {
    /// Another name of the member of this name.
    case hard([UInt8])
    /// The path as it stands, from the link's own folder on.
    case symbolic([UInt8])
  }

  private let archive: String
  private let size: Int
  private let read: Read
  private var position = 0
  private var window: [UInt8] = []
  private var windowStart = 0
  private var section = 0
  /// Bytes behind the mark of an archive's end that are no archive.
  private(set) var trailing = 0
  /// Whether the archive ends without that mark: it may have been cut off between two members.
  private(set) var hasNoEndMark = false

  private static let block = 512
  /// Several small members a read, and little more than needed where members are large.
  private static let windowSize = 1 << 14
  /// The longest name or pax header that is read.
  private static let longestHeader = 1 << 20

  /// `archive` is named in errors; `size` is its length in bytes.
  init(archive: String, size: Int, read: @escaping Read) {
    (self.archive, self.size, self.read) = (archive, size, read)
  }

  /// What the headers before a member say about it.
  private struct Extras {
    var name: [UInt8]?
    var target: [UInt8]?
    /// pax beats GNU.
    var paxName: [UInt8]?
    var paxTarget: [UInt8]?
    var paxSize: Int?
  }

  /// The next regular file or link; nil at the end. Throws `.unusable` where the archive is damaged.
  mutating func next() throws(DataError) -> Member? {
    var extras = Extras()
    while let start = try skipEndMarks() {
      let block = try bytes(at: start, count: TarReader.block)
      let field = TarHeader(block)
      // The pax size is that of the member that follows, not of other headers.
      let given = TarHeader.describesNext(field.type) ? field.size : extras.paxSize ?? field.size
      guard let given else { throw unusable(start, "the size of a member is no number") }
      position += TarReader.block
      let length = try hasData(field.type, given) ? given : 0
      guard length <= size - position else {
        let name = printable(extras.paxName ?? extras.name ?? field.name)
        throw unusable(start, "ends in the middle of '\(name.prefix(200))'; \(length - (size - position)) bytes are missing")
      }
      let dataStart = position
      // The last member's padding may be missing.
      position = min(size, position + (length + TarReader.block - 1) / TarReader.block * TarReader.block)
      if TarHeader.describesNext(field.type) {
        try take(field.type, start, dataStart, length, &extras)
      } else if let member = try member(field, extras, start, dataStart, length) {
        return member
      } else {
        extras = Extras()
      }
    }
    return nil
  }

  /// The place of the next header; nil at the end. Skips blocks of zeros: they end an archive, and another may follow.
  private mutating func skipEndMarks() throws(DataError) -> Int? {
    let start = position
    while position < size {
      let block = try bytes(at: position, count: min(TarReader.block, size - position))
      if block.first == 0, block.allSatisfy({ $0 == 0 }) {
        position += block.count
        continue
      }
      if block.count == TarReader.block, TarHeader(block).hasRightChecksum {
        if position > start { section += 1 }
        return position
      }
      guard position > start else {
        throw block.count < TarReader.block
          ? unusable(position, "ends in the middle of a header") : damaged(at: position, block)
      }
      trailing = size - position
      position = size
    }
    hasNoEndMark = position == start
    return nil
  }

  /// Whether data follow the header. Those of a hard link do in few archives, whatever its size says: not where another header
  /// follows at once.
  private mutating func hasData(_ type: UInt8, _ length: Int) throws(DataError) -> Bool {
    guard type == UInt8(ascii: "1"), length > 0, length <= size - position else {
      return !TarHeader.hasNoData(type)
    }
    guard size - position >= TarReader.block else { return true }
    let following = try bytes(at: position, count: TarReader.block)
    return following.first != 0 && !TarHeader(following).hasRightChecksum
  }

  private mutating func take(
    _ type: UInt8, _ start: Int, _ dataStart: Int, _ length: Int, _ extras: inout Extras
  ) throws(DataError) {
    switch type {
    case UInt8(ascii: "L"): extras.name = Array(try header(start, dataStart, length).prefix { $0 != 0 })
    case UInt8(ascii: "K"): extras.target = Array(try header(start, dataStart, length).prefix { $0 != 0 })
    case UInt8(ascii: "x"), UInt8(ascii: "X"): try pax(try header(start, dataStart, length), start, &extras)
    default: break
    }
  }

  /// nil for what is neither a file nor a link: folders, devices, labels.
  private func member(
    _ field: TarHeader, _ extras: Extras, _ start: Int, _ dataStart: Int, _ length: Int
  ) throws(DataError) -> Member? {
    let name = extras.paxName ?? extras.name ?? field.name
    var target: [UInt8] { extras.paxTarget ?? extras.target ?? field.target }
    switch field.type {
    case UInt8(ascii: "S"):
      throw unusable(start, "a sparse member, which is not supported; pack the archive without --sparse")
    case UInt8(ascii: "0"), UInt8(ascii: "7"), 0:
      // Before ustar a folder was a file whose name ends in a slash.
      if name.last == UInt8(ascii: "/") { return nil }
      return Member(name: name, offset: dataStart, size: length, section: section)
    case UInt8(ascii: "1"):
      // With data of its own it needs no other member.
      return Member(name: name, offset: dataStart, size: length, link: length > 0 ? nil : .hard(target), section: section)
    case UInt8(ascii: "2"):
      return Member(name: name, offset: dataStart, size: 0, link: .symbolic(target), section: section)
    default: return nil
    }
  }

  /// Bytes of the archive, through the window. Throws where it ends before.
  mutating func bytes(at offset: Int, count: Int) throws(DataError) -> ArraySlice<UInt8> {
    if offset < windowStart || offset + count > windowStart + window.count {
      let wanted = min(max(count, TarReader.windowSize), size - offset)
      var buffer = [UInt8](repeating: 0, count: max(0, wanted))
      let got = try buffer.withUnsafeMutableBufferPointer { (bytes) throws(DataError) -> Int in
        try read(offset, UnsafeMutableRawBufferPointer(bytes))
      }
      buffer.removeLast(buffer.count - got)
      (window, windowStart) = (buffer, offset)
      guard got >= count else { throw unusable(offset, "ends in the middle of a header") }
    }
    return window[offset - windowStart..<offset - windowStart + count]
  }

  private mutating func header(_ start: Int, _ offset: Int, _ length: Int) throws(DataError) -> ArraySlice<UInt8> {
    guard length <= TarReader.longestHeader else {
      throw unusable(start, "a header of \(length) bytes; at most \(TarReader.longestHeader) are read")
    }
    return try bytes(at: offset, count: length)
  }

  /// Records "LENGTH KEY=VALUE\n"; LENGTH counts the whole record.
  private func pax(_ records: ArraySlice<UInt8>, _ start: Int, _ extras: inout Extras) throws(DataError) {
    var rest = records
    while let first = rest.first, first != 0 {
      guard let space = rest.firstIndex(of: UInt8(ascii: " ")), let length = decimal(rest[..<space]),
        length > space - rest.startIndex + 1, length <= rest.count, rest[rest.startIndex + length - 1] == 0x0a,
        let equals = rest[space..<rest.startIndex + length].firstIndex(of: UInt8(ascii: "="))
      else { throw unusable(start, "a pax header that is not made of 'length key=value' records") }
      let key = rest[(space + 1)..<equals]
      let value = rest[(equals + 1)..<(rest.startIndex + length - 1)]
      if key.elementsEqual("path".utf8) || key.elementsEqual("linkpath".utf8) {
        guard !value.contains(0) else { throw unusable(start, "a pax path with a zero byte") }
        if key.count == 4 { extras.paxName = Array(value) } else { extras.paxTarget = Array(value) }
      } else if key.elementsEqual("size".utf8) {
        guard let given = decimal(value) else { throw unusable(start, "a pax size that is no number") }
        extras.paxSize = given
      } else if key.starts(with: "GNU.sparse".utf8) {
        throw unusable(start, "a sparse member, which is not supported; pack the archive without --sparse")
      }
      rest = rest.dropFirst(length)
    }
  }

  private func damaged(at start: Int, _ header: ArraySlice<UInt8>) -> DataError {
    start == 0 && PackedFiles.isCompressed(header)
      ? DataError(.unusable, "\(archive): compressed; unpack it to a plain .tar first: members are read where they lie")
      : unusable(start, "no tar header (the checksum is wrong); the archive is damaged, or no archive")
  }

  private func unusable(_ offset: Int, _ reason: String) -> DataError {
    DataError(.unusable, "\(archive): at byte \(offset): \(reason)")
  }
}

/// A number in decimal digits, at most 18 of them.
private func decimal(_ digits: ArraySlice<UInt8>) -> Int? {
  guard (1...18).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
  return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
}

/// The fields of one header block of 512 bytes.
struct TarHeader {
  private let block: ArraySlice<UInt8>

  init(_ block: ArraySlice<UInt8>) { self.block = block }

  private subscript(_ range: Range<Int>) -> ArraySlice<UInt8> {
    block[block.startIndex + range.lowerBound..<block.startIndex + range.upperBound]
  }

  /// Links, devices, folders and pipes.
  static func hasNoData(_ type: UInt8) -> Bool { (UInt8(ascii: "1")...UInt8(ascii: "6")).contains(type) }

  /// Long names and links, pax headers: they say something about the member that follows.
  static func describesNext(_ type: UInt8) -> Bool {
    switch type {
    case UInt8(ascii: "L"), UInt8(ascii: "K"), UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "g"): true
    default: false
    }
  }

  /// Where a link leads.
  var target: [UInt8] { Array(self[157..<257].prefix { $0 != 0 }) }

  var type: UInt8 { block[block.startIndex + 156] }

  /// Octal digits, or base 256 where the first bit is set (GNU, for sizes from 8 GiB on).
  var size: Int? { TarHeader.number(self[124..<136]) }

  /// `prefix/name` in ustar; GNU's old format keeps other things where the prefix is.
  var name: [UInt8] {
    let name = Array(self[0..<100].prefix { $0 != 0 })
    let prefix = self[345..<500].prefix { $0 != 0 }
    guard !prefix.isEmpty, self[257..<263].elementsEqual("ustar\0".utf8) else { return name }
    return prefix + [UInt8(ascii: "/")] + name
  }

  /// The sum of all bytes, those of the sum itself taken as spaces. Some old programs added signed bytes.
  var hasRightChecksum: Bool {
    guard let given = TarHeader.number(self[148..<156]) else { return false }
    var (sum, high) = (8 * 32 as UInt32, 0 as UInt32)
    block.withUnsafeBufferPointer { bytes in
      for byte in bytes { sum &+= UInt32(byte) }
    }
    for byte in self[148..<156] { sum -= UInt32(byte) }
    if given == sum { return true }
    // A byte from 128 on is 256 less where bytes are signed.
    for byte in block { high += UInt32(byte >> 7) }
    for byte in self[148..<156] { high -= UInt32(byte >> 7) }
    return given == Int(sum) - 256 * Int(high)
  }

  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    guard let first = field.first else { return nil }
    if first == 0x80 {
      // Eight bytes hold every size that a file can have.
      let (high, low) = (field.dropFirst().dropLast(8), field.suffix(8))
      guard high.allSatisfy({ $0 == 0 }), low.first ?? 0 < 0x80 else { return nil }
      return low.reduce(0) { $0 << 8 | Int($1) }
    }
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
    guard digits.allSatisfy({ (0x30...0x37).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }
  }
}
