import Foundation
import SwAVTestSupport
import Testing

@testable import SwAVData

/// Members that are not simply there: joined, linked, replaced, without an ending.
@Suite struct TarMembersTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func names(_ source: any ImageSource) -> [String] { (0..<source.count).map { source.name(of: $0) } }
  private func labels(_ source: any ImageSource) -> [Int?] { (0..<source.count).map { source.label(of: $0) } }
  private func bytes(_ source: any ImageSource) throws -> [[UInt8]] { try (0..<source.count).map { try source.bytes(of: $0) } }

  private func open(_ archive: [UInt8]) throws -> TarShards { try TarShards([try folder.write("x.tar", archive)]) }

  private func link(_ name: String, to target: String, hard: Bool) -> [UInt8] {
    tarHeader(name, size: 0, type: UInt8(ascii: hard ? "1" : "2"), target: target)
  }

  private let end = [UInt8](repeating: 0, count: 1024)

  @Test func anArchiveWithoutAnEndIsSaidToBe() throws {
    let whole = try open(tarMember("1.jpg", [1]) + tarMember("2.jpg", [2]) + end)
    #expect(whole.remarks.isEmpty)
    // Cut between two members, and within the padding of one: all that is there looks sound.
    for kept in [1024, 1024 - 100] {
      let cut = try open(Array((tarMember("1.jpg", [1]) + tarMember("2.jpg", [2])).prefix(kept)))
      #expect(cut.count == 1)
      #expect(cut.remarks.map(\.text) == ["no mark at the end of x.tar: it may have been cut off"], "\(cut.remarks)")
    }
  }

  @Test func archivesThatWereJoinedAreOne() throws {
    let (first, second) = (tar([("1.jpg", [1]), ("1.cls", [0x61])]), tar([("2.jpg", [2]), ("2.cls", [0x62])]))
    for padding in [0, 512, 20 * 512] {
      let joined = try open(first + [UInt8](repeating: 0, count: padding) + second)
      #expect(names(joined) == ["1.jpg", "2.jpg"] && labels(joined) == [0, 1] && joined.remarks.isEmpty, "\(padding)")
      #expect(try bytes(joined) == [[1], [2]])
    }
    // Each has its own names.
    let twice = try open(first + tar([("1.jpg", [3])]))
    #expect(names(twice) == ["1.jpg", "1.jpg"])
    #expect(try bytes(twice) == [[1], [3]])
  }

  @Test func whatFollowsTheEndAndIsNoArchiveIsCounted() throws {
    let archive = tar([("1.jpg", [1])])
    #expect(try open(archive + end).remarks.isEmpty)
    for rest in [700, 20_480] {
      let found = try open(archive + [UInt8](repeating: 7, count: rest))
      #expect(found.count == 1)
      #expect(
        found.remarks == [
          SourceRemark(.archive, "what follows the end of an archive and is none is left out: x.tar: \(rest) bytes")
        ])
    }
  }

  @Test func hardLinksAreTheFileThatTheyLeadTo() throws {
    let archive =
      link("copy/0.jpg", to: "./cat/1.jpg", hard: true) + tarMember("cat/1.jpg", [1, 1]) + tarMember("blobs/77", [2])
      + link("dog/2.jpg", to: "blobs/77", hard: true) + link("dog/3.jpg", to: "copy/0.jpg", hard: true) + end
    let found = try open(archive)
    #expect(names(found) == ["copy/0.jpg", "cat/1.jpg", "dog/2.jpg", "dog/3.jpg"])
    #expect(try bytes(found) == [[1, 1], [1, 1], [2], [1, 1]])
    #expect(found.classNames == ["cat", "copy", "dog"] && labels(found) == [1, 0, 2, 2])
    // Some programs write the data once more behind the link.
    let own = try open(tarMember("1.jpg", [1]) + tarMember("2.jpg", [5, 6], type: UInt8(ascii: "1")) + end)
    #expect(try bytes(own) == [[1], [5, 6]])
    // And some write the size without the data.
    let claimed = tarHeader("2.jpg", size: 1, type: UInt8(ascii: "1"), target: "1.jpg")
    #expect(try bytes(try open(tarMember("1.jpg", [1]) + claimed + tarMember("3.jpg", [3]) + end)) == [[1], [1], [3]])
  }

  @Test func symbolicLinksAreFollowedInsideTheArchiveOnly() throws {
    let secret = try folder.write("secret.jpg", Array("secret".utf8))
    let archive =
      tarMember("a/b/1.jpg", [1]) + link("a/2.jpg", to: "b/./1.jpg", hard: false)
      + link("c/3.jpg", to: "../a/2.jpg", hard: false)
      + link("out.jpg", to: "../../secret.jpg", hard: false) + link("there.jpg", to: secret, hard: false)
      + link("circle.jpg", to: "circle.jpg", hard: false) + link("gone.jpg", to: "nothing.jpg", hard: true)
      + link("folder", to: "a/b", hard: false) + end
    let found = try open(archive)
    #expect(names(found) == ["a/b/1.jpg", "a/2.jpg", "c/3.jpg"])
    #expect(try bytes(found) == [[1], [1], [1]])
    #expect(
      found.remarks.map(\.text)
        == [
          "1 of 8 members is passed over (1 without ending)",
          "1 hard link leads to nothing in the archive and is left out: gone.jpg",
          "3 symbolic links lead to nothing in the archive and are left out: out.jpg; there.jpg; circle.jpg",
          "no classes, because of a/b/1.jpg",
        ].dropLast())
    #expect(
      try found.ignoredFiles().map(\.path)
        == ["circle", "folder", "gone", "out", "there"].map { "x.tar/" + $0 + ($0 == "folder" ? "" : ".jpg") })
    let only = #expect(throws: DataError.self) { try open(link("1.jpg", to: "/data/1.jpg", hard: false) + end) }
    #expect(only?.description.contains("no images among 1 members; 1 symbolic link leads to nothing in the archive") == true)
  }

  @Test func ofMembersOfOneNameTheLastCounts() throws {
    let members: [(String, [UInt8])] = [
      ("b.jpg", [1]), ("b.cls", Array("x".utf8)), ("a.jpg", [2]), ("a.cls", Array("y".utf8)), ("b.jpg", [3, 3]),
      ("b.cls", Array("z".utf8)),
    ]
    let found = try open(tar(members))
    #expect(names(found) == ["a.jpg", "b.jpg"] && found.classNames == ["y", "z"] && labels(found) == [0, 1])
    #expect(try bytes(found) == [[2], [3, 3]])
    #expect(found.remarks.map(\.text) == ["1 member is replaced by later ones of the same name: b.jpg"])
    // The picture alone was replaced: its label stays. The label alone was: it is the new one.
    let picture = try open(tar(Array(members[..<4]) + [("b.jpg", [4])]))
    #expect(names(picture) == ["a.jpg", "b.jpg"] && picture.classNames == ["x", "y"] && labels(picture) == [1, 0])
    let label = try open(tar(Array(members[..<4]) + [("b.cls", Array("y".utf8))]))
    #expect(names(label) == ["b.jpg", "a.jpg"] && label.classNames == ["y"] && labels(label) == [0, 0])
  }

  @Test func replacedMembersAreFoundAmongMany() throws {
    // Names in no order, as a folder's are on most file systems; every seventh comes again.
    let order = (0..<3000).map { $0 * 1789 % 3000 }
    var members = order.map { ("\($0).jpg", [UInt8(truncatingIfNeeded: $0), 0]) }
    members += order.filter { $0 % 7 == 0 }.map { ("\($0).jpg", [UInt8(truncatingIfNeeded: $0), 1]) }
    let found = try open(tar(members))
    #expect(found.count == 3000 && Set(names(found)).count == 3000)
    for sample in 0..<found.count {
      let number = try #require(Int(found.name(of: sample).dropLast(4)))
      #expect(try found.bytes(of: sample) == [UInt8(truncatingIfNeeded: number), number % 7 == 0 ? 1 : 0])
    }
  }

  @Test func labelsMayComeApartFromTheirImages() throws {
    let found = try open(tar([("1.jpg", [1]), ("2.jpg", [2]), ("1.cls", [0x31]), ("2.cls", [0x30]), ("notes.txt", [1])]))
    #expect(found.classNames == ["0", "1"] && labels(found) == [1, 0])
    #expect(found.remarks.map(\.text) == ["1 of 5 members is passed over (1 .txt)"])
    let before = try open(tar([("1.cls", [0x31]), ("2.cls", [0x30]), ("2.jpg", [2]), ("1.jpg", [1])]))
    #expect(before.classNames == ["0", "1"] && labels(before) == [0, 1])
  }

  @Test func aLongLabelCountsToItsEnd() throws {
    let (begin, image) = (String(repeating: "Animalia/", count: 20), [UInt8(1)])
    func archive(_ second: String) -> [UInt8] {
      tar([("1.jpg", image), ("1.cls", Array((begin + "a").utf8)), ("2.jpg", image), ("2.cls", Array(second.utf8))])
    }
    #expect(try open(archive(begin + "b")).classNames == [begin + "a", begin + "b"])
    let error = #expect(throws: DataError.self) { try open(archive(String(repeating: "x", count: 5000))) }
    #expect(error?.description.contains("2.cls: a label of 5000 bytes; at most 4096 are read") == true)
  }

  @Test func anArchiveTakesWhatAFolderTakes() throws {
    let jpeg = try picture(kind: 0, number: 0)
    let files: [(name: String, bytes: [UInt8])] = [
      ("1.jpg", jpeg), ("2.JPE", jpeg), ("3.jfif", jpeg), ("4", jpeg), ("5.txt", jpeg), ("6.txt", Array("text".utf8)),
      ("7.dat", [1]), ("8.empty", []), (".9.jpg", jpeg), ("10.pbm", Array("P4\n8 1\n1".utf8)), ("11.png", [1]),
      ("sub/.thumbnails/1.jpg", jpeg), (".cache/2.jpg", jpeg),
    ]
    for file in files { try folder.write("files/" + file.name, file.bytes) }
    let packed = try open(tar(files))
    #expect(Set(names(packed)) == Set(names(try openImages(folder.path + "/files"))) && packed.count == 7)
    // What belongs to an image by its key is no file that is missed.
    #expect(packed.remarks.map(\.text) == ["3 of 13 members are passed over (1 .dat, 1 .empty, 1 .txt)"])
    #expect(try open(tar([("1.jpg", jpeg), ("1.json", [1]), ("1.seg.npy", [2])])).remarks.isEmpty)
  }
}
