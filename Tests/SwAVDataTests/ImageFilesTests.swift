import SwAVAugmentation
import SwAVEngine
import SwAVTestSupport
import Testing

@testable import SwAVData

@Suite struct ImageFilesTests {
  /// Whether the engine takes bytes for one of its formats, though it may lack a library for it.
  private func isKnownToEngine(_ bytes: [UInt8]) -> Bool {
    do {
      return try Image.probe(bytes).format != "unknown"
    } catch {
      return !error.message.hasPrefix("not an image that can be read")
    }
  }

  @Test func everyFormatOfTheEngineIsToldByItsBeginning() throws {
    let names = try FormatFixtures.names()
    #expect(names.count > 100)
    for name in names {
      let bytes = try FormatFixtures.bytes(name)
      #expect(looksLikeImage(bytes.prefix(ImageFiles.headSize)), "\(name)")
      #expect(isKnownToEngine(bytes), "\(name)")
      #expect(ImageFiles.hasEnding(name), "\(name)")
    }
  }

  @Test func whatIsNoPictureIsToldFromPictures() {
    let others: [[UInt8]] = [
      [], Array("BM".utf8), Array("%PDF-1.4 and so on".utf8), Array("PK\u{3}\u{4}zipped".utf8),
      Array("GIF8 and not a GIF".utf8),
      [0, 0, 0, 0x20] + Array("ftypisom and a video".utf8), [0, 0, 0, 0x18] + Array("ftypcrx a raw picture".utf8),
      Array("RIFF1234WAVEfmt ".utf8), Array("II*".utf8),
    ]
    for bytes in others {
      #expect(!looksLikeImage(bytes.prefix(ImageFiles.headSize)), "\(bytes)")
      #expect(!isKnownToEngine(bytes) || bytes == Array("BM".utf8), "\(bytes)")
    }
  }

  @Test func endingsThatPeopleUseAreTakenInFoldersOfAnyName() throws {
    let folder = try TemporaryFolder()
    let jpeg = try picture(kind: 0, number: 0)
    let endings = [
      "jpg", "JPEG", "jpe", "jfif", "TIF", "tiff", "gif", "heic", "HEIF", "avif", "webp", "dib", "pbm", "data", "",
    ]
    for (number, ending) in endings.enumerated() { try folder.write("\(number)\(ending.isEmpty ? "" : ".")\(ending)", jpeg) }
    try folder.write("notes.txt", Array("no picture".utf8))
    #expect(try ImageFolder(folder.path).count == endings.count)
  }

  @Test func camerasRawFilesAreNoPicturesAndSaidToBe() throws {
    let folder = try TemporaryFolder()
    try folder.write("a.jpg", try picture(kind: 0, number: 0))
    try folder.write("b.NEF", try FormatFixtures.bytes("tiles.tif"))
    try folder.write("c.scan", try FormatFixtures.bytes("tiles.tif"))
    let source = try ImageFolder(folder.path)
    #expect((0..<source.count).map { source.name(of: $0) } == ["a.jpg", "c.scan"])
    let ignored = try source.ignoredFiles()
    #expect(ignored.map(\.path) == ["b.NEF"])
    #expect(ignored[0].reason.contains("raw file"))
  }
}
