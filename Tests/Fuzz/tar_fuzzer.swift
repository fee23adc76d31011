// libFuzzer target over the reader of tar archives and the index made of them. Whatever the bytes, the outcome is members that
// lie inside the archive, or a DataError in one line; AddressSanitizer and Swift's own checks watch the rest.
//   make fuzz

/// A promise is broken: libFuzzer saves the input.
private func require(_ condition: Bool) {
  if !condition { fatalError("a promise is broken") }
}

/// Headers get the checksum that they should have where the last byte of the input says so: chance would hardly find one.
private func withChecksums(_ bytes: [UInt8]) -> [UInt8] {
  var bytes = bytes
  guard let choice = bytes.last, choice & 1 == 1 else { return bytes }
  for start in stride(from: 0, through: bytes.count - 512, by: 512) {
    guard bytes[start + 257..<start + 262].elementsEqual("ustar".utf8) else { continue }
    for index in start + 148..<start + 156 { bytes[index] = 0x20 }
    let sum = bytes[start..<start + 512].reduce(0) { $0 + Int($1) }
    for digit in 0..<6 { bytes[start + 148 + digit] = UInt8(0x30 + (sum >> (3 * (5 - digit))) & 7) }
    bytes[start + 154] = 0
  }
  return bytes
}

private func reader(_ bytes: [UInt8]) -> TarReader {
  TarReader(archive: "x.tar", size: bytes.count) { (offset, buffer) throws(DataError) in
    let end = min(bytes.count, offset + buffer.count)
    buffer.copyBytes(from: bytes[min(offset, end)..<end])
    return max(0, end - offset)
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
  let bytes = withChecksums(Array(UnsafeBufferPointer(start: data, count: size)))
  var (tar, members, images) = (reader(bytes), 0, TarIndex())
  do {
    var end = 0
    while let member = try tar.next() {
      require(member.offset >= end + 512 && member.size >= 0 && member.offset + member.size <= bytes.count)
      require(member.link == nil || member.size == 0)
      require(!member.name.contains(0))
      end = member.offset + member.size
      members += 1
    }
  } catch {
    require(!error.description.isEmpty && !error.description.contains("\n"))
  }
  require(members <= bytes.count / 512 && tar.trailing >= 0 && tar.trailing < max(1, bytes.count))
  tar = reader(bytes)
  // Where the archive is damaged nothing of the index is used.
  guard (try? images.append(&tar)) != nil else { return 0 }
  let count = images.names.count
  require(images.membersSeen == members && count <= members && images.offsets.count == count && images.sizes.count == count)
  for image in 0..<count {
    require(images.offsets[image] + Int(images.sizes[image]) <= bytes.count && !images.names.text(image).contains("\n"))
  }
  require(images.remarks.allSatisfy { !$0.text.contains("\n") })
  let classes = images.takeClasses()
  require(classes.labels.isEmpty || classes.labels.count == count)
  require(classes.labels.allSatisfy { classes.names.indices.contains(Int($0)) })
  return 0
}
