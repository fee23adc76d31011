import Foundation
import SwAVTestSupport
import Testing

@testable import SwAVData

/// `Tests/Fixtures/archives`, made by make_archive_fixtures.py with Python's tarfile.
let archiveFixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("Fixtures/archives").path

@Suite struct ArchiveTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func hash(_ bytes: [UInt8]) -> String {
    var hash = FNV1a()
    hash.combine(bytes)
    return hash.hexadecimal
  }

  private func names(_ source: any ImageSource) -> [String] { (0..<source.count).map { source.name(of: $0) } }
  private func labels(_ source: any ImageSource) -> [Int?] { (0..<source.count).map { source.label(of: $0) } }

  /// An archive in memory.
  private func reader(_ bytes: [UInt8], readsAtMost limit: Int = .max) -> TarReader {
    TarReader(archive: "x.tar", size: bytes.count) { offset, buffer in
      let end = min(bytes.count, offset + min(buffer.count, limit))
      buffer.copyBytes(from: bytes[min(offset, end)..<end])
      return max(0, end - offset)
    }
  }

  private func members(_ bytes: [UInt8]) throws -> [TarReader.Member] {
    var (reader, members) = (reader(bytes), [TarReader.Member]())
    while let member = try reader.next() { members.append(member) }
    return members
  }

  private func failure(_ bytes: [UInt8]) -> String? {
    do { _ = try members(bytes) } catch { return "\(error)" }
    return nil
  }

  @Test(arguments: ["ustar.tar", "gnu.tar", "pax.tar", "webdataset.tar"])
  func membersAreThoseThatWerePacked(_ file: String) throws {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: archiveFixtures + "/" + file)))
    let table = try String(contentsOfFile: archiveFixtures + "/contents.tsv", encoding: .utf8)
    let expected = table.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }.filter { $0[0] == file }
    let found = try members(bytes).filter { $0.link == nil }.map { member in
      [
        file, String(decoding: member.name, as: UTF8.self), "\(member.size)",
        hash(Array(bytes[member.offset..<member.offset + member.size])),
      ]
    }
    #expect(found == expected && !found.isEmpty)
  }

  @Test func imagesHaveTheFolderOfTheirNameAsClass() throws {
    let images = try TarShards([archiveFixtures + "/gnu.tar"])
    #expect(images.classNames == ["class0", "class1", "last"])
    #expect(labels(images) == [0, 1, 0, 1, 0, 1, 1, 2])
    #expect(images.name(of: 7) == "last/z.png")
    #expect(try images.bytes(of: 7).count == 3)
    #expect(try images.head(of: 5, limit: 10) == Array(try images.bytes(of: 5).prefix(10)))
  }

  @Test func labelsComeFromClsMembersWhereThereAreSome() throws {
    let images = try TarShards([archiveFixtures + "/webdataset.tar"])
    #expect(names(images) == ["train/000.left.jpg", "train/000.png", "train/001.left.jpg", "train/001.png"])
    // By value: 9 before 10.
    #expect(images.classNames == ["9", "10"])
    #expect(labels(images) == [1, 1, 0, 0])
  }

  @Test func severalArchivesAreOneSourceWithClassesOfAll() throws {
    let images = try TarShards(["gnu.tar", "ustar.tar"].map { archiveFixtures + "/" + $0 })
    #expect(images.count == 8 + 7)
    #expect(images.name(of: 0) == "gnu.tar/class0/0.jpg" && images.name(of: 8) == "ustar.tar/class0/0.jpg")
    #expect(images.classNames == ["b" + String(repeating: "b", count: 89), "class0", "class1", "last"].sorted())
    #expect(try images.bytes(of: 13).count == 1500)
  }

  @Test func aMemberNameIsTextAndNoPath() throws {
    let secret = try folder.write("secret.jpg", Array("secret".utf8))
    let archive = try folder.write("x.tar", tar([("../secret.jpg", [1, 2]), (secret, [3]), ("/etc/passwd.png", [4])]))
    let images = try TarShards([archive])
    #expect(try (0..<3).map { try images.bytes(of: $0) } == [[1, 2], [3], [4]])
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/x"))
  }

  @Test func controlCharactersInNamesDoNotReachMessages() throws {
    let images = try TarShards([try folder.write("x.tar", tar([("a/\u{1b}[2J\n.jpg", [1])]))])
    #expect(images.name(of: 0) == "a/\\x1b[2J\\x0a.jpg")
  }

  @Test func damageIsNamedWithItsPlace() throws {
    let whole = tar([("a/1.jpg", [UInt8](repeating: 7, count: 600)), ("a/2.jpg", [1, 2, 3])])
    for cut in [100, 511, 513, 1100, 1536 + 100] {
      #expect(failure(Array(whole[..<cut]))?.contains("ends in the middle of") == true, "\(cut)")
    }
    // Padding and the closing blocks may be missing.
    for cut in [1536, 1536 + 515, 1536 + 1024] {
      #expect(try members(Array(whole[..<cut])).count == (cut == 1536 ? 1 : 2), "\(cut)")
    }
    var damaged = whole
    damaged[1536 + 3] ^= 1
    #expect(failure(damaged)?.contains("x.tar: at byte 1536: no tar header") == true)
    #expect(failure([0x1f, 0x8b] + [UInt8](repeating: 1, count: 600))?.contains("compressed; unpack it") == true)
    #expect(try members([]).isEmpty && members([UInt8](repeating: 0, count: 1024)).isEmpty)
  }

  @Test func aSizeBeyondTheArchiveIsRefused() throws {
    // Base 256: bit 7 of the first byte, then a big-endian number.
    for low in [[0x7f] + [UInt8](repeating: 0xff, count: 7), [UInt8](repeating: 0, count: 4) + [0xff, 0xff, 0xff, 0xff]] {
      let header = tarHeader("a.jpg", size: 0, type: UInt8(ascii: "0"), sizeField: [0x80, 0, 0, 0] + low)
      #expect(failure(header + header)?.contains("ends in the middle of 'a.jpg'") == true)
    }
    let negative = tarHeader("a.jpg", size: 0, type: UInt8(ascii: "0"), sizeField: [UInt8](repeating: 0xff, count: 12))
    #expect(failure(negative)?.contains("the size of a member is no number") == true)
    let long = tarHeader("././@LongLink", size: 2 << 20, type: UInt8(ascii: "L")) + [UInt8](repeating: 65, count: 2 << 20)
    #expect(failure(long)?.contains("a header of 2097152 bytes") == true)
  }

  @Test func baseTwoFiftySixSizesAreRead() throws {
    let header = tarHeader(
      "a.jpg", size: 0, type: UInt8(ascii: "0"), sizeField: [0x80] + [UInt8](repeating: 0, count: 9) + [2, 1])
    let found = try members(header + [UInt8](repeating: 0, count: 1024))
    #expect(found == [TarReader.Member(name: Array("a.jpg".utf8), offset: 512, size: 513)])
  }

  @Test func sumsOfSignedBytesAreAccepted() throws {
    // "ü" in a name: bytes above 127, which some old programs added as negative numbers.
    var header = tarHeader("ü.jpg", size: 0, type: UInt8(ascii: "0"))
    #expect(try members(header).count == 1)
    let octal = String(decoding: header[148..<154], as: UTF8.self)
    let signed = try #require(Int(octal, radix: 8)) - 2 * 256
    header.replaceSubrange(148..<154, with: ("00" + String(signed, radix: 8)).utf8.suffix(6))
    #expect(try members(header).count == 1)
    header.replaceSubrange(148..<154, with: ("00" + String(signed + 256, radix: 8)).utf8.suffix(6))
    #expect(throws: DataError.self) { try members(header) }
  }

  @Test func damagedPaxRecordsAreRefused() throws {
    for records in [
      "5 a=b\n", "99 path=x\n", "path=x\n", "0 path=x\n", "12 path=abcde", "10 size=x1\n", "999999999999999999999 path=x\n",
    ] {
      let bytes = tarMember("pax", Array(records.utf8), type: UInt8(ascii: "x")) + tarMember("a.jpg", [1])
      #expect(failure(bytes) != nil, "\(records)")
    }
    let good = tarMember("pax", Array("14 path=b.jpg\n10 size=2\n".utf8), type: UInt8(ascii: "x")) + tarMember("a.jpg", [1, 2])
    #expect(try members(good).map { String(decoding: $0.name, as: UTF8.self) } == ["b.jpg"])
  }

  @Test func anArchiveThatChangesIsNoLongerRead() throws {
    let path = try folder.write("x.tar", tar([("1.jpg", [1, 2, 3])]))
    let images = try TarShards([path])
    #expect(try images.bytes(of: 0) == [1, 2, 3])
    try folder.write("x.tar", tar([("1.jpg", [9, 9, 9, 9])]))
    let error = #expect(throws: DataError.self) { try images.bytes(of: 0) }
    #expect(error?.description.contains("x.tar: changed since it was read first") == true)
  }

  @Test func everyRankGetsItsShareOfTheArchives() throws {
    let archives = (0..<10).map { "\($0).tar" }
    for ranks in 1...10 {
      let shares = try (0..<ranks).map { try TarShards.share(of: archives, rank: $0, ranks: ranks) }
      #expect(shares.flatMap { $0 }.sorted() == archives.sorted(), "\(ranks) ranks")
      let counts = shares.map(\.count)
      #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
    }
    #expect(try TarShards.share(of: archives, rank: 1, ranks: 4) == ["1.tar", "5.tar", "9.tar"])
    for (rank, ranks) in [(0, 11), (2, 2), (-1, 2), (0, 0)] {
      #expect(throws: DataError.self, "\(rank) of \(ranks)") { try TarShards.share(of: archives, rank: rank, ranks: ranks) }
    }
  }
}

/// An archive of regular files in the ustar format.
func tar(_ members: [(name: String, bytes: [UInt8])]) -> [UInt8] {
  members.flatMap { tarMember($0.name, $0.bytes) } + [UInt8](repeating: 0, count: 1024)
}

func tarMember(_ name: String, _ bytes: [UInt8], type: UInt8 = UInt8(ascii: "0")) -> [UInt8] {
  tarHeader(name, size: bytes.count, type: type) + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
}

func tarHeader(_ name: String, size: Int, type: UInt8, sizeField: [UInt8]? = nil, target: String = "") -> [UInt8] {
  var block = [UInt8](repeating: 0, count: 512)
  func put(_ bytes: some Collection<UInt8>, at offset: Int) {
    block.replaceSubrange(offset..<offset + bytes.count, with: bytes)
  }
  func octal(_ value: Int, _ digits: Int) -> [UInt8] {
    let text = String(value, radix: 8)
    return Array((String(repeating: "0", count: digits - text.count) + text).utf8)
  }
  put(Array(name.utf8.prefix(100)), at: 0)
  put(sizeField ?? octal(size, 11), at: 124)
  put(Array(target.utf8.prefix(100)), at: 157)
  put("ustar".utf8, at: 257)
  block[156] = type
  let sum = block.reduce(0) { $0 + Int($1) } + 8 * 32
  put(octal(sum, 6), at: 148)
  return block
}
