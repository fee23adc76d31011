import Foundation
import SwAVData
import SwAVTestSupport
import Testing

@Suite struct ImageFolderTests {
  let folder: TemporaryFolder
  let jpeg: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    jpeg = try picture(kind: 0, number: 0)
  }

  private func names(_ images: ImageFolder) -> [String] { (0..<images.count).map { images.name(of: $0) } }

  @Test func sortsByBytesAndFindsClasses() throws {
    // In bytes: "-" < "/" < upper case < lower case < anything beyond ASCII.
    for name in ["b/2.jpg", "b/10.jpg", "a/x/y.PNG", "a-b/1.jpeg", "Z/ü.webp", "é/1.bmp"] { try folder.write(name, jpeg) }
    let images = try ImageFolder(folder.path)
    #expect(names(images) == ["Z/ü.webp", "a-b/1.jpeg", "a/x/y.PNG", "b/10.jpg", "b/2.jpg", "é/1.bmp"])
    #expect(images.classNames == ["Z", "a", "a-b", "b", "é"])
    #expect((0..<images.count).map { images.label(of: $0) } == [0, 2, 1, 3, 3, 4])
    #expect(try images.bytes(of: 4) == jpeg)
  }

  @Test func imagesBesideFoldersMeanNoClasses() throws {
    for name in ["1.jpg", "a/1.jpg"] { try folder.write(name, jpeg) }
    let images = try ImageFolder(folder.path)
    #expect(images.count == 2 && images.classNames.isEmpty && images.label(of: 0) == nil)
  }

  @Test func skipsWhatIsHiddenOrNoImage() throws {
    for name in [".hidden.jpg", ".git/a.jpg", "Thumbs.db", "thumbs.DB", "notes.txt", "archive.jpg.gz"] {
      try folder.write(name, Array("just text".utf8))
    }
    try folder.write("good 1.JPG", jpeg)
    try folder.write("no extension", jpeg)
    try folder.write("wrong.txt", jpeg)
    try folder.write("plain.ppm", Array("P6\n1 1\n255\nabc".utf8))
    #expect(names(try ImageFolder(folder.path)) == ["good 1.JPG", "no extension", "plain.ppm", "wrong.txt"])
  }

  @Test func followsLinksOnceAroundALoop() throws {
    try folder.write("a/1.jpg", jpeg)
    let manager = FileManager.default
    try manager.createSymbolicLink(atPath: folder.path + "/a/loop", withDestinationPath: folder.path)
    try manager.createSymbolicLink(atPath: folder.path + "/b", withDestinationPath: folder.path + "/a")
    try manager.createSymbolicLink(atPath: folder.path + "/nowhere.jpg", withDestinationPath: "/nonexistent")
    #expect(names(try ImageFolder(folder.path)) == ["a/1.jpg", "b/1.jpg"])
  }

  @Test func readsNamesThatAreNotUTF8() throws {
    let path = Array((folder.path + "/").utf8) + [0xff, 0xfe] + Array(".jpg".utf8) + [0]
    let descriptor = path.withUnsafeBytes { open($0.bindMemory(to: CChar.self).baseAddress!, O_WRONLY | O_CREAT, 0o644) }
    try #require(descriptor >= 0)
    _ = jpeg.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
    let images = try ImageFolder(folder.path)
    #expect(images.count == 1)
    #expect(try images.bytes(of: 0) == jpeg)
  }

  @Test func namesAPipeWithoutWaitingForIt() throws {
    try folder.write("a.jpg", jpeg)
    #expect(mkfifo(folder.path + "/b.jpg", 0o644) == 0)
    #expect(names(try ImageFolder(folder.path)) == ["a.jpg"])
  }

  @Test func identityChangesWithNamesAndSizes() throws {
    try folder.write("a.jpg", jpeg)
    let first = try ImageFolder(folder.path).identity()
    #expect(try ImageFolder(folder.path).identity() == first)
    try folder.write("a.jpg", jpeg + [0])
    let longer = try ImageFolder(folder.path).identity()
    #expect(longer != first && longer.count == 1)
    try folder.write("b.jpg", jpeg)
    #expect(try ImageFolder(folder.path).identity().count == 2)
  }

  @Test func missingAndEmptyFoldersAreNamed() throws {
    func failure(_ path: String) -> DataError? {
      do { _ = try ImageFolder(path) } catch { return error }
      return nil
    }
    let missing = try #require(failure(folder.path + "/nowhere"))
    #expect(missing.kind == .missing && missing.description.contains("/nowhere"))
    let empty = try #require(failure(folder.path))
    #expect(empty.kind == .unusable && empty.description.contains("no images"))
    let file = try folder.write("file.txt", [1])
    #expect(try #require(failure(file)).description.contains("not a folder"))
  }

  @Test func aListReadsItsLines() throws {
    let image = try folder.write("a b.jpg", jpeg)
    let list = try ImageList(contentsOf: try folder.write("list.txt", Array("\(image)\r\n\n\(image)".utf8)))
    #expect(list.count == 2)
    #expect(try list.bytes(of: 1) == jpeg)
    #expect(throws: DataError.self) { try ImageList(contentsOf: folder.path + "/nowhere.txt") }
  }
}
