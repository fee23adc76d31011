import Foundation
import SwAVTestSupport
import Testing

@testable import SwAVData

/// What is passed over, hidden or merged is said when a source is opened.
@Suite struct RemarksTests {
  let folder: TemporaryFolder
  let jpeg: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    jpeg = try picture(kind: 0, number: 0)
  }

  private func names(_ source: any ImageSource) -> [String] { (0..<source.count).map { source.name(of: $0) } }

  private func failure(_ path: String) -> DataError? {
    do { _ = try openImages(folder.path + "/" + path) } catch { return error }
    return nil
  }

  @Test func filesThatAreNoImagesAreCountedByTheirEndings() throws {
    for index in 0..<3 {
      try folder.write("\(index).jpg", jpeg)
      try folder.write("a/\(index).doc", [1])
    }
    for name in ["x.tar.gz", "y.txt", "noending", "Thumbs.db", ".hidden.doc", "README.this-is-no-ending"] {
      try folder.write(name, [1])
    }
    let source = try openImages(folder.path)
    #expect(source.remarks.map(\.kind) == [.passedOver])
    #expect(
      source.remarks[0].text == "7 of 10 files are passed over (3 .doc, 2 without ending, 1 .tar.gz, 1 .txt)")
    let ignored = try source.ignoredFiles().map(\.path)
    #expect(
      ignored == [
        ".hidden.doc", "README.this-is-no-ending", "Thumbs.db", "a/0.doc", "a/1.doc", "a/2.doc", "noending", "x.tar.gz",
        "y.txt",
      ])
    for ending in ["b", "c", "d", "e"] { try folder.write("z.\(ending)", [1]) }
    #expect(try openImages(folder.path).remarks[0].text.hasSuffix("(3 .doc, 2 without ending, 1 .b, 1 .c, 4 of 4 other kinds)"))
  }

  @Test func aFolderOfArchivesMayHoldOtherFilesBesideThem() throws {
    let shards = [0, 1].map { number in tar((0..<4).map { ("\(number)\($0).jpg", jpeg) }) }
    for name in ["s0.tar", "s0.idx", "README.md", "SHA256SUMS", "index.json"] {
      try folder.write("one/" + name, name.hasSuffix("tar") ? shards[0] : Array("text".utf8))
    }
    let one = try openImages(folder.path + "/one")
    #expect(one.count == 4 && one.name(of: 0) == "00.jpg")
    #expect(one.remarks.map(\.text) == ["4 of 5 files are no archives and passed over"])
    #expect(try one.ignoredFiles().map(\.path) == ["README.md", "SHA256SUMS", "index.json", "s0.idx"])
    try folder.write("split/train/s.tar", shards[0])
    try folder.write("split/val/s.tar", shards[1])
    let split = try openImages(folder.path + "/split")
    #expect(split.count == 8 && split.remarks.isEmpty)
    #expect(split.name(of: 0) == "train/s.tar/00.jpg" && split.name(of: 7) == "val/s.tar/13.jpg")
    // With a picture the folder is one of pictures, and the archives are what is passed over.
    try folder.write("split/cover.jpg", jpeg)
    #expect(try openImages(folder.path + "/split").remarks.map(\.text) == ["2 of 3 files are passed over (2 .tar)"])
  }

  @Test func whatIsPackedSaysWhatToDo() throws {
    for (name, text) in [
      ("a.tgz", "compressed; unpack it to a plain .tar first"), ("a.tar.gz", "compressed; unpack it to a plain .tar first"),
      ("a.tar.zst", "compressed; unpack it to a plain .tar first"), ("list.csv.gz", "compressed; unpack it first"),
      ("a.zip", "a zip archive, which is not read; unpack it to a folder"), ("a.7z", "a 7z archive"),
    ] {
      try folder.write(name, [1])
      #expect(failure(name)?.description.contains("/\(name): \(text)") == true, "\(failure(name)?.description ?? "")")
      try folder.write("in-\(name)/\(name)", [1])
      #expect(failure("in-\(name)")?.description.contains("; \(name): \(text)") == true)
    }
    // By content, where the name says nothing.
    try folder.write("data", Array("PK\u{3}\u{4}....".utf8))
    #expect(failure("data")?.description.contains("a zip archive") == true)
    try folder.write("data", [0x1f, 0x8b, 8, 0])
    #expect(failure("data")?.description.contains("compressed; unpack it first") == true)
  }

  @Test func aPictureIsASourceOfOne() throws {
    let paths = try ["x/1.jpg", "x/2.PNG", "x/noending"].map { try folder.write($0, jpeg) }
    for path in paths {
      let one = try openImages(path)
      #expect(one.count == 1 && names(one) == [path] && one.classNames.isEmpty)
      #expect(try one.bytes(of: 0) == jpeg)
    }
    #expect(names(try openImages(paths)) == paths)
    #expect(
      names(try openImages([paths[0], folder.path + "/x"])) == [paths[0]]
        + ["1.jpg", "2.PNG", "noending"].map { folder.path + "/x/" + $0 })
  }

  @Test func aStrayImageIsNamedAsTheReasonForNoClasses() throws {
    for name in ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"] { try folder.write("a/" + name, jpeg) }
    #expect(try openImages(folder.path + "/a").classObstacle == nil)
    try folder.write("a/contact_sheet.png", jpeg)
    #expect(
      try openImages(folder.path + "/a").classObstacle == "no classes, because of contact_sheet.png, which is in no sub-folder")
    try folder.write("a/x.png", jpeg)
    #expect(
      try openImages(folder.path + "/a").classObstacle
        == "no classes, because of contact_sheet.png and 1 other image that are in no sub-folder")
    // Pictures that are not meant to have classes need no excuse.
    try folder.write("flat/1.jpg", jpeg)
    #expect(try openImages(folder.path + "/flat").remarks.isEmpty)
    try folder.write("good/cat/1.jpg", jpeg)
    let mixed = try openImages([folder.path + "/good", folder.path + "/flat"])
    #expect(mixed.classObstacle == "no classes, because of \(folder.path)/flat, which has none")
    let named = try openImages([folder.path + "/good", folder.path + "/a"])
    let completed = try openImages([folder.path + "/good/", folder.path + "/a//"])
    #expect((0..<named.count).map(named.name) == (0..<completed.count).map(completed.name))
    #expect(named.classObstacle?.hasPrefix("\(folder.path)/a: no classes, because of contact_sheet.png") == true)
  }

  @Test func aMissingLabelIsNamedAsTheReasonForNoClasses() throws {
    let table = "path,label\nx/1.jpg,a\nx/2.jpg,\n\nx/3.jpg,b\n"
    for name in ["1", "2", "3"] { try folder.write("x/\(name).jpg", jpeg) }
    let one = try openImages(folder.write("t.csv", Array(table.utf8)))
    #expect(one.classNames.isEmpty && one.classObstacle == "no classes, because of line 3 (x/2.jpg), which has no label")
    let two = try openImages(folder.write("u.csv", Array((table + "x/1.jpg,\n").utf8)))
    #expect(two.classObstacle == "no classes, because of line 3 (x/2.jpg) and 1 more that have no label")
    let archive = try openImages(
      folder.write("w.tar", tar([("1.jpg", jpeg), ("1.cls", [0x30]), ("2.jpg", jpeg), ("3.jpg", jpeg), ("3.cls", [0x31])])))
    #expect(archive.classObstacle == "no classes, because of 2.jpg without a label in a .cls member")
    let folders = try openImages(folder.write("f.tar", tar([("a/1.jpg", jpeg), ("2.jpg", jpeg)])))
    #expect(folders.classObstacle == "no classes, because of 2.jpg in no folder of the archive")
  }

  @Test func twoSpellingsOfAClassAreOneAndThatIsSaid() throws {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    for (index, name) in [composed, decomposed, "tea"].enumerated() { try folder.write("a/\(name)/\(index).jpg", jpeg) }
    let source = try openImages(folder.path + "/a")
    #expect(source.classNames.map { Array($0.utf8) } == [Array(composed.utf8), Array("tea".utf8)])
    let labels = Dictionary(uniqueKeysWithValues: (0..<3).map { (source.name(of: $0).suffix(5), source.label(of: $0)) })
    #expect(labels == ["0.jpg".suffix(5): 0, "1.jpg".suffix(5): 0, "2.jpg".suffix(5): 1])
    #expect(source.remarks.map(\.kind) == [.joinedClasses])
    #expect(source.remarks[0].text == "class '\(composed)' is spelled in 2 Unicode forms, which are taken as one class")
    // One spelling in one source, the other in another.
    try folder.write("b/\(decomposed)/3.jpg", jpeg)
    try folder.write("b/milk/4.jpg", jpeg)
    let both = try openImages([folder.path + "/a", folder.path + "/b"])
    #expect(both.classNames == [composed, "tea", "milk"] && (0..<5).map { both.label(of: $0) }.count { $0 == 0 } == 3)
  }

  @Test func classesThatAreNotUTF8StayApart() throws {
    for (index, name) in [[0xe9], [0xe8]].enumerated() {
      let path = Array("\(folder.path)/caf".utf8) + name.map { UInt8($0) } + [0]
      #expect(mkdir(path.map { CChar(bitPattern: $0) }, 0o755) == 0)
      let file = open(
        (path.dropLast() + Array("/\(index).jpg".utf8) + [0]).map { CChar(bitPattern: $0) }, O_WRONLY | O_CREAT, 0o644)
      _ = jpeg.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      close(file)
    }
    // A name that is spelled as the escape of another one.
    try folder.write("caf\\xe9/2.jpg", jpeg)
    let source = try openImages(folder.path)
    #expect(source.classNames == ["caf\\\\xe9", "caf\\xe8", "caf\\xe9"])
    #expect((0..<3).map { source.label(of: $0) } == [0, 1, 2] && source.remarks.isEmpty)
    #expect(try (0..<3).map { try source.bytes(of: $0) } == [jpeg, jpeg, jpeg])
  }

  @Test func textForPeopleTellsAllNamesApart() {
    let names: [[UInt8]] = [
      Array("plain/a b.jpg".utf8), Array("é".utf8), Array("e\u{301}".utf8), [0xe9], Array("\\xe9".utf8), Array("\\".utf8),
      Array("\\\\".utf8), Array("\\\\x".utf8), Array("\\x".utf8), [0x5c, 0xe9], Array("\n".utf8), Array("\\n".utf8),
      Array("\u{1b}[2J".utf8), Array("\u{9b}2J".utf8), Array("a\u{2028}b".utf8), [0xc3], [0xf0, 0x9f, 0x98], Array("😀".utf8),
      Array("a\\b".utf8), [0xed, 0xa0, 0x80], [0xc0, 0x80],
    ]
    let texts = names.map { printable($0) }
    #expect(Set(texts.map { Array($0.utf8) }).count == names.count)
    #expect(
      texts.allSatisfy { text in text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) } })
    #expect(texts[0] == "plain/a b.jpg" && texts[3] == "\\xe9" && texts[4] == "\\\\xe9" && texts[10] == "\\x0a")
    #expect(texts[17] == "😀" && texts[18] == "a\\b")
  }

  @Test func whatCannotBeReadIsNamed() throws {
    try folder.write("good/1.jpg", jpeg)
    try folder.write("locked/2.jpg", jpeg)
    let manager = FileManager.default
    try manager.createSymbolicLink(atPath: folder.path + "/gone.jpg", withDestinationPath: "/nonexistent")
    try manager.createSymbolicLink(atPath: folder.path + "/circle.jpg", withDestinationPath: folder.path + "/circle.jpg")
    #expect(chmod(folder.path + "/locked", 0) == 0)
    defer { chmod(folder.path + "/locked", 0o755) }
    let source = try openImages(folder.path)
    let remark = try #require(source.remarks.first { $0.kind == .unreadable })
    // Root may read everything.
    let isRoot = geteuid() == 0
    #expect(remark.text.hasPrefix("\(isRoot ? 2 : 3) entries below it cannot be read: "), "\(remark.text)")
    #expect(remark.text.contains("gone.jpg: No such file or directory"))
    #expect(remark.text.contains("circle.jpg: Too many levels of symbolic links"))
    #expect(isRoot || remark.text.contains("locked: Permission denied"))
    #expect(source.count == (isRoot ? 2 : 1))
    try manager.removeItem(atPath: folder.path + "/good")
    try manager.removeItem(atPath: folder.path + "/locked")
    #expect(failure("")?.description.contains("no images among 0 files; not readable: ") == true)
  }

  @Test func longNamesAndDeepFoldersAreFound() throws {
    let long = String(repeating: "n", count: 251) + ".jpg"
    try folder.write(long, jpeg)
    // Deeper than a path may be long: the scan finds the image, and the read says why it cannot be had.
    let part = String(repeating: "d", count: 200)
    var descriptor = open(folder.path, O_RDONLY | O_DIRECTORY)
    for _ in 0..<25 {
      #expect(mkdirat(descriptor, part, 0o755) == 0)
      let below = openat(descriptor, part, O_RDONLY | O_DIRECTORY)
      close(descriptor)
      descriptor = below
    }
    let file = openat(descriptor, "deep.jpg", O_WRONLY | O_CREAT, 0o644)
    _ = jpeg.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
    close(file)
    close(descriptor)
    let source = try openImages(folder.path)
    #expect(source.count == 2)
    let place = try #require((0..<2).first { source.name(of: $0) == long })
    #expect(try source.bytes(of: place) == jpeg)
    let error = #expect(throws: DataError.self) { try source.bytes(of: 1 - place) }
    #expect(error?.description.contains("File name too long") == true)
    // Foundation removes no paths that are too long.
    let removal = try Process.run(URL(fileURLWithPath: "/bin/rm"), arguments: ["-rf", "\(folder.path)/\(part)"])
    removal.waitUntilExit()
    #expect(removal.terminationStatus == 0 && !FileManager.default.fileExists(atPath: "\(folder.path)/\(part)"))
  }
}
