import Foundation
import SwAVTestSupport
import Testing

@testable import SwAVData

/// Lists and tables as people and their programs write them.
@Suite struct ListTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for (index, name) in ["in/1.jpg", "in/a b.jpg", "in/ü;.jpg"].enumerated() { try folder.write(name, [UInt8(index)]) }
  }

  private func names(_ source: any ImageSource) -> [String] { (0..<source.count).map { source.name(of: $0) } }
  private func classes(_ source: any ImageSource) -> [String?] {
    (0..<source.count).map { source.label(of: $0).map { source.classNames[$0] } }
  }

  /// The first byte of each sample: which file it is.
  private func files(_ source: any ImageSource) throws -> [UInt8] { try (0..<source.count).map { try source.bytes(of: $0)[0] } }

  private func open(_ name: String, _ text: String) throws -> any ImageSource {
    try openImages(folder.write(name, Array(text.utf8)))
  }

  @Test func aListMayBeEncodedAsWindowsAndOldMacsDo() throws {
    let lines = ["in/1.jpg", "in/a b.jpg", "in/ü;.jpg"]
    func words(_ text: String, _ order: (UInt16) -> [UInt16]) -> [UInt8] {
      Array(text.replacing("\n", with: "\r\n").utf16).flatMap { order($0).map { UInt8($0) } }
    }
    let encodings: [(name: String, encode: (String) -> [UInt8])] = [
      ("mark", { [0xef, 0xbb, 0xbf] + Array($0.utf8) }),
      ("crlf", { Array(($0.replacing("\n", with: "\r\n") + "\r\n").utf8) }),
      ("cr", { Array($0.replacing("\n", with: "\r").utf8) }),
      ("utf16le", { [0xff, 0xfe] + words($0) { [$0 & 255, $0 >> 8] } }),
      ("utf16be", { [0xfe, 0xff] + words($0) { [$0 >> 8, $0 & 255] } }),
      ("blanks", { Array(("\n" + $0.replacing("\n", with: " \t\n\n \n\t ") + "\n\n").utf8) }),
      ("quotes", { Array($0.split(separator: "\n").map { "\"\($0)\"\n" }.joined().utf8) }),
    ]
    for (name, encode) in encodings {
      let list = try openImages(folder.write(name + ".txt", encode(lines.joined(separator: "\n"))))
      #expect(names(list) == lines, "\(name)")
      #expect(try files(list) == [0, 1, 2], "\(name)")
      let table = try openImages(folder.write(name + ".csv", encode((["path"] + lines).joined(separator: "\n"))))
      #expect(try files(table) == [0, 1, 2], "\(name)")
    }
  }

  @Test func relativePathsBeginWhereTheFilesAre() throws {
    let source = try open("sub/list.txt", "in/1.jpg\n")
    // Neither here nor beside the list: said, and the current folder is meant.
    #expect(source.remarks.map(\.kind) == [.unreadable])
    #expect(source.remarks[0].text == "none of the 1 files looked at is there; the first: in/1.jpg")
    let beside = try open("list.txt", "in/gone.jpg\nin/1.jpg\n")
    #expect(try beside.bytes(of: 1) == [0])
    #expect(throws: DataError.self) { try beside.bytes(of: 0) }
    #expect(try files(try open("abs.txt", folder.path + "/in/1.jpg\n")) == [0])
  }

  @Test func addressesOfFilesAreDecoded() throws {
    let path = folder.path
    let text = "file://\(path)/in/1.jpg\nFILE://localhost\(path)/in/a%20b.jpg\nfile://\(path)/in/%C3%BC%3b.jpg\n"
    #expect(try files(try open("list.txt", text)) == [0, 1, 2])
    #expect(try files(try open("table.tsv", "path\n" + text)) == [0, 1, 2])
    // Elsewhere a percent sign is one.
    try folder.write("in/50%25.jpg", [9])
    #expect(try files(try open("list.txt", "in/50%25.jpg\n")) == [9])
    try folder.write("in/%.jpg", [8])
    #expect(try files(try open("list.txt", "file://\(path)/in/%.jpg\n")) == [8])
  }

  @Test func backslashesSeparateWhereThatIsHowFilesAreFound() throws {
    #expect(try files(try open("list.txt", "in\\1.jpg\r\nin\\a b.jpg\r\n")) == [0, 1])
    #expect(try files(try open("table.csv", "path,label\r\nin\\1.jpg,x\r\n.\\in\\a b.jpg,y\r\n")) == [0, 1])
    // A file whose name has a backslash stays one.
    try folder.write("in\\1.jpg", [7])
    #expect(try files(try open("list.txt", "in\\1.jpg\n")) == [7])
  }

  @Test func aLabelMayFollowThePathInAList() throws {
    let source = try open("train.txt", "in/1.jpg 10\nin/a b.jpg 9\n\"in/ü;.jpg\"\t10\n")
    #expect(try files(source) == [0, 1, 2])
    #expect(source.classNames == ["9", "10"] && classes(source) == ["10", "9", "10"])
    let partly = try open("train.txt", "in/1.jpg cat\n\nin/a b.jpg\n")
    #expect(try files(partly) == [0, 1])
    #expect(partly.classObstacle == "no classes, because of line 3 (in/a b.jpg), which has no label")
    // A word behind a path without an image's ending is a part of it.
    try folder.write("in/x 1", [5])
    #expect(try files(try open("train.txt", "in/x 1\n")) == [5])
  }

  @Test func aTableMayHaveOtherSeparatorsAndHeaders() throws {
    for (separator, name) in [(",", "c"), (";", "s"), ("\t", "t"), ("|", "b")] {
      let quoted = "\"in/ü;.jpg\""
      let rows = [
        ["id", "Image Path", "Class_Name"], ["0", "in/1.jpg", "b"], ["1", " in/a b.jpg", "a "], ["2", quoted, "b"],
      ]
      let text = rows.map { $0.joined(separator: separator) }.joined(separator: "\r\n")
      for prefix in ["", "sep=\(separator)\r\n"] {
        let source = try open("\(name).csv", prefix + text)
        #expect(try files(source) == [0, 1, 2], "\(separator)")
        #expect(source.classNames == ["a", "b"] && classes(source) == ["b", "a", "b"], "\(separator)")
      }
    }
    for column in ["file_name", "FileName", "img-path", "image", "filepaths"] {
      #expect(try files(try open("t.csv", "label,\(column)\n1,in/1.jpg\n")) == [0], "\(column)")
    }
  }

  @Test func aFirstLineInQuotesTellsItsSeparator() throws {
    for separator in [",", ";", "\t", "|"] {
      func line(_ fields: String...) -> String { fields.map { "\"\($0)\"" }.joined(separator: separator) + "\n" }
      let source = try open("t.csv", line("", "path", "label") + line("1", "in/1.jpg", "b") + line("2", "in/a b.jpg", "a"))
      #expect(try files(source) == [0, 1] && classes(source) == ["b", "a"], "\(separator)")
      let bare = try open("t.csv", line("in/a b.jpg", "cat"))
      #expect(try files(bare) == [1] && classes(bare) == ["cat"], "\(separator)")
    }
    let error = #expect(throws: DataError.self) { try open("t.csv", "path,\"label\n") }
    #expect(error?.description.contains("quoted field") == true)
  }

  @Test func aTableOfOneOrTwoColumnsMayLackTheFirstLine() throws {
    let source = try open("t.csv", "in/1.jpg,x\nin/a b.jpg,y\n")
    #expect(try files(source) == [0, 1] && classes(source) == ["x", "y"])
    #expect(try files(try open("t.csv", "x;in/1.jpg\ny;in/a b.jpg\n")) == [0, 1])
    #expect(try files(try open("t.csv", "in/1.jpg\nin/a b.jpg\n")) == [0, 1])
  }

  @Test func labelsAreOrderedByValueWhereAllAreNumbers() throws {
    func order(_ labels: [String]) throws -> [String] {
      try open("t.csv", "path,label\n" + labels.map { "in/1.jpg,\($0)\n" }.joined()).classNames
    }
    #expect(try order(["10", "9", "-1"]) == ["-1", "9", "10"])
    #expect(try order(["10.0", "9.0", "9.5"]) == ["9.0", "9.5", "10.0"])
    #expect(try order(["10", "9", "nan"]) == ["10", "9", "nan"])
    #expect(try order(["2", "02"]) == ["02", "2"])
  }

  @Test func rowsOfNothingAndSeparatorsBehindTheLastFieldDoNotCount() throws {
    let source = try open("t.csv", "path,label\nin/1.jpg,a,,\n,,\n,\nin/a b.jpg,b,\n")
    #expect(try files(source) == [0, 1] && classes(source) == ["a", "b"])
  }
}
