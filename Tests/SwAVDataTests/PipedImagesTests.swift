import Foundation
import SwAVTestSupport
import Testing

@testable import SwAVData

/// What comes through a pipe.
@Suite struct PipedImagesTests {
  private let folder: TemporaryFolder
  /// A picture of one pixel, as PNM.
  private let pixel = Array("P6\n# one\n1 1\n255\n".utf8) + [1, 2, 3]

  init() throws { folder = try TemporaryFolder() }

  private func piped(_ bytes: [UInt8]) throws -> PipedImages.Content {
    let pipe = try PipedImages(folder: folder.path)
    // In pieces, as they come.
    for start in stride(from: 0, to: bytes.count, by: 700) {
      try bytes[start..<min(bytes.count, start + 700)].withUnsafeBytes { try pipe.append($0) }
    }
    return try pipe.content()
  }

  private func source(_ bytes: [UInt8]) throws -> (any ImageSource)? {
    guard case .images(let source) = try piped(bytes) else { return nil }
    return source
  }

  /// Every fixture of a format that says where it ends, which TIFF and PNM as text do not, cut at that place again.
  @Test func picturesOneBehindTheOtherAreToldApart() throws {
    let names = try FormatFixtures.names().filter { !$0.hasSuffix(".tif") && !$0.hasPrefix("text.") }
    #expect(names.count > 60)
    for name in names {
      let picture = try FormatFixtures.bytes(name)
      let found = try #require(try source(picture + pixel + picture), "\(name)")
      try #require(found.count == 3, "\(name)")
      #expect((0..<3).map { found.name(of: $0) } == ["-/1", "-/2", "-/3"])
      #expect(try found.bytes(of: 0) == picture && found.bytes(of: 1) == pixel && found.bytes(of: 2) == picture, "\(name)")
      #expect(try found.head(of: 2, limit: 5) == Array(picture[..<5]))
    }
  }

  @Test func whatFollowsAPictureAndIsNoneBelongsToIt() throws {
    let photo = try FormatFixtures.bytes("orientation_2.jpg")
    for rest in [[UInt8](repeating: 0, count: 30), Array("SEFH\u{1}trailer".utf8), Array(photo[..<40])] {
      let found = try #require(try source(photo + rest))
      // The last is a picture that is cut off.
      #expect(try found.count == (rest.count == 40 ? 2 : 1) && found.bytes(of: found.count - 1).suffix(rest.count) == rest[...])
      #expect(found.remarks.isEmpty == (rest.count != 40))
    }
    let alone = try #require(try source(photo))
    #expect(alone.count == 1 && alone.name(of: 0) == "-" && alone.filePath(of: 0) == nil && alone.remarks.isEmpty)
    let other = try #require(try source(Array(photo.dropLast())))
    #expect(try alone.identity() != other.identity())
  }

  /// Nobody knows where the next one begins, and so it is lost.
  @Test func aPictureThatHidesTheNextOnesIsSaid() throws {
    let (photo, tiff) = (try FormatFixtures.bytes("orientation_2.jpg"), try FormatFixtures.bytes("big_endian.tif"))
    for hiding in [Array(photo.dropLast(20)), Array(photo[..<100]), tiff] {
      let found = try #require(try source(pixel + hiding + photo))
      let rest = hiding.count + photo.count
      #expect(try found.count == 2 && found.bytes(of: 1).count == rest)
      #expect(
        found.remarks == [
          SourceRemark(
            .unreadable,
            "picture 2 does not say where it ends, or is cut off; the last \(rest) bytes are taken for one picture")
        ])
    }
  }

  /// Phones put a gain map or a second view behind the photo, and say so in a segment of its own.
  @Test func partsOfAPhotoAreNoPicturesOfTheirOwn() throws {
    let photo = try FormatFixtures.bytes("orientation_2.jpg")
    func big(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * (count - 1 - $0)) & 255) } }
    // Index of two pictures, big-endian: one entry of 32 bytes at offset 26 of the header.
    let entry = { (size: Int, offset: Int) in big(0, 4) + big(size, 4) + big(offset, 4) + big(0, 4) }
    let length = 2 + 4 + 8 + 2 + 12 + 4 + 32
    let whole = photo.count + 2 + length
    let header = Array("MM\0*".utf8) + big(8, 4) + big(1, 2) + big(0xb002, 2) + big(7, 2) + big(32, 4) + big(26, 4) + big(0, 4)
    // Offsets count from the header, which begins 10 bytes behind the first picture's start.
    let segment =
      [0xff, 0xe2] + big(length, 2) + Array("MPF\0".utf8) + header + entry(whole, 0) + entry(photo.count, whole - 10)
    let first = Array(photo[..<2]) + segment + Array(photo[2...])
    #expect(first.count == whole)
    #expect(try source(first + photo)?.count == 1)
    let found = try #require(try source(first + photo + photo))
    #expect(try found.count == 2 && found.bytes(of: 0) == first + photo && found.bytes(of: 1) == photo)
  }

  @Test func anArchiveIsReadWhereItLies() throws {
    let found = try #require(try source(tar([("a/1.ppm", pixel), ("b/2.ppm", pixel + [0]), ("b/note.txt", [1])])))
    #expect((0..<found.count).map { found.name(of: $0) } == ["a/1.ppm", "b/2.ppm"] && found.classNames == ["a", "b"])
    #expect(try found.bytes(of: 1) == pixel + [0] && found.label(of: 1) == 1 && found.remarks.count == 1)
    let error = #expect(throws: DataError.self) { try source(tar([("note.txt", [1])])) }
    #expect(error?.description.hasPrefix("standard input: no images among 1 members") == true, "\(error as Any)")
    let packed = #expect(throws: DataError.self) { try source([0x1f, 0x8b] + [UInt8](repeating: 1, count: 600)) }
    #expect(packed?.description.hasPrefix("standard input: compressed") == true, "\(packed as Any)")
  }

  @Test func anythingElseIsText() throws {
    for text in ["", "a.jpg\nb.jpg\n", "RIFF.jpg"] {
      guard case .text(let bytes) = try piped(Array(text.utf8)) else {
        Issue.record("\(text)")
        continue
      }
      #expect(bytes == Array(text.utf8))
    }
  }

  /// Damage moves ends, or hides them; it is never read beyond.
  @Test func damagedPicturesEndSomewhere() throws {
    var state: UInt64 = 5
    func below(_ n: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % n
    }
    for name in try FormatFixtures.names().prefix(80) {
      let picture = try FormatFixtures.bytes(name)
      for _ in 0..<20 {
        var bytes = picture + picture
        for _ in 0..<4 { bytes[below(min(bytes.count, 4000))] = UInt8(below(256)) }
        bytes.removeLast(below(bytes.count))
        guard case .images(let found) = try piped(bytes) else { continue }
        #expect(try (0..<found.count).reduce(0) { try $0 + found.bytes(of: $1).count } == bytes.count)
      }
    }
  }
}
