import Foundation
import SwAVAugmentation
import SwAVTestSupport
import Testing

@testable import SwAVData

@Suite struct OpenImagesTests {
  let folder: TemporaryFolder
  let jpeg: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    jpeg = try picture(kind: 0, number: 0)
  }

  private func names(_ source: any ImageSource) -> [String] { (0..<source.count).map { source.name(of: $0) } }
  private func labels(_ source: any ImageSource) -> [Int?] { (0..<source.count).map { source.label(of: $0) } }

  private func failure(_ open: () throws -> some Any) -> DataError? {
    do { _ = try open() } catch { return error as? DataError }
    return nil
  }

  @Test func everyKindOfSourceHasTheSamePictures() throws {
    let pictures = try (0..<4).map { try picture(kind: $0 % 2, number: $0) }
    for (index, bytes) in pictures.enumerated() { try folder.write("folder/k\(index % 2)/\(index).jpg", bytes) }
    let order = [0, 2, 1, 3]
    let packed = tar(order.map { ("k\($0 % 2)/\($0).jpg", pictures[$0]) })
    try folder.write("one.tar", packed)
    try folder.write("shards/a.tar", tar([0, 2].map { ("k0/\($0).jpg", pictures[$0]) }))
    try folder.write("shards/b.TAR", tar([1, 3].map { ("k1/\($0).jpg", pictures[$0]) }))
    let rows = order.map { "k\($0 % 2),folder/k\($0 % 2)/\($0).jpg\r\n" }.joined()
    try folder.write("table.csv", Array("label,path\r\n\(rows)".utf8))
    try folder.write("list.txt", Array(order.map { "\(folder.path)/folder/k\($0 % 2)/\($0).jpg\n" }.joined().utf8))
    for name in ["folder", "one.tar", "shards", "shards/", "table.csv", "list.txt"] {
      let source = try openImages(folder.path + "/" + name)
      #expect(try (0..<source.count).map { try source.bytes(of: $0) } == order.map { pictures[$0] }, "\(name)")
      guard name != "list.txt" else { continue }
      #expect(source.classNames == ["k0", "k1"] && labels(source) == [0, 0, 1, 1], "\(name)")
    }
  }

  @Test func ofSeveralRanksTheRootListsFoldersForAll() throws {
    try folder.write("images/k0/b.jpg", jpeg)
    try folder.write("images/k0/notes.txt", [1])
    let named = try folder.write("images/k1/a.jpg", jpeg)
    // A name that is not text.
    let odd = Array((folder.path + "/images/k1/").utf8) + [0xff, 0xfe] + Array(".jpg".utf8) + [0]
    #expect(rename(named, odd.map { CChar(bitPattern: $0) }) == 0)
    let (here, elsewhere) = (folder.path + "/images", folder.path + "/not-listed-by-this-rank")
    let opened = PairOfRanks.run { ranks in
      let source = try openImages([ranks.isRoot ? here : elsewhere], ranks: ranks)
      return (0..<source.count).map { [source.name(of: $0), "\(source.label(of: $0) ?? -1)"] } + [source.remarks.map(\.text)]
    }
    let (root, other) = (try opened[0].get(), try opened[1].get())
    #expect(root == other && root.count == 3 && root[2] == ["1 of 3 files is passed over (1 .txt)"], "\(root) \(other)")
  }

  @Test func whatCannotBeOpenedOnOneRankIsOpenedOnNone() throws {
    try folder.write("shards/a.tar", tar([("k/0.jpg", jpeg)]))
    let (shards, elsewhere) = (folder.path + "/shards", folder.path + "/nowhere")
    // The root lists what is not there; then a rank does not have what the root has listed.
    for (root, other, text) in [(elsewhere, shards, "nowhere"), (shards, elsewhere, "a.tar")] {
      let failures = PairOfRanks.run { try openImages([$0.isRoot ? root : other], ranks: $0).count }.map { result in
        do { return "opened \(try result.get())" } catch { return "\(error)" }
      }
      #expect(failures.count == 2 && failures.allSatisfy { $0.contains(text) && $0.contains("No such file") }, "\(failures)")
    }
  }

  @Test func pathsThatAreNoSourceAreNamed() throws {
    #expect(failure { try openImages(folder.path + "/nowhere") }?.kind == .missing)
    let cases: [(name: String, bytes: [UInt8], text: String)] = [
      ("noending", [1], "not a folder, a picture, a list (.txt), a table (.csv), an archive (.tar) or a CIFAR batch (.bin)"),
      ("empty.tar", tar([("notes.txt", [1])]), "empty.tar: no images among 1 members; 1 of 1 members is passed over (1 .txt)"),
      ("short.bin", [1, 2, 3], "short.bin: 3 bytes that are no CIFAR batch"),
      ("empty.bin", [], "empty.bin: 0 bytes that are no CIFAR batch"),
      ("labels.bin", [UInt8](repeating: 10, count: 3073), "labels below 10"),
      ("empty.csv", [], "empty.csv: empty"),
      ("other.csv", Array("a,b\n1,2\n".utf8), "other.csv: no column for the path among 'a, b'"),
      ("none.csv", Array("path\n".utf8), "none.csv: names no files"),
      ("fields.csv", Array("path,label\nx.jpg\n".utf8), "fields.csv: line 2: 1 fields; the first line has 2"),
      ("quote.csv", Array("path\n\n\"x.jpg\n".utf8), "quote.csv: line 3: a quoted field is not closed"),
      ("nothing.csv", Array("path,label\n,3\n".utf8), "nothing.csv: line 2: no path"),
      ("zero.txt", [65, 0, 66], "zero.txt: holds zero bytes"),
      ("utf16.txt", [0xff, 0xfe, 0, 0xd8], "utf16.txt: begins as UTF-16 but is none"),
      ("web.txt", Array("1.jpg\n\nhttps://x.org/1.jpg\n".utf8), "web.txt: line 3: 'https://x.org/1.jpg' is no file; images"),
      ("web.csv", Array("path\ns3://b/1.jpg\n".utf8), "web.csv: line 2: 's3://b/1.jpg' is no file"),
      ("windows.txt", Array("C:\\data\\1.jpg\n".utf8), "windows.txt: line 1: 'C:\\data\\1.jpg' is a path of Windows"),
      ("empty.txt", Array("\n\r\n".utf8), "empty.txt: names no files"),
    ]
    for item in cases {
      let path = try folder.write(item.name, item.bytes)
      let error = try #require(failure { try openImages(path) }, "\(item.name)")
      #expect(error.kind == .unusable && error.description.contains(item.text), "\(error)")
      #expect(!error.description.contains("\n"))
    }
  }

  @Test func aTableKeepsToTheRulesOfCSV() throws {
    func records(_ text: String) throws -> [[String]] {
      var (reader, fields, all) = (CSVReader(Array(text.utf8)), [[UInt8]](), [[String]]())
      while try reader.next(&fields) { all.append(fields.map { String(decoding: $0, as: UTF8.self) }) }
      return all
    }
    #expect(try records("a,b\r\n1,2\n3,4") == [["a", "b"], ["1", "2"], ["3", "4"]])
    #expect(try records("a\n\n\r\n\"x,\"\"y\"\"\r\nz\",,\"\"\n") == [["a"], ["x,\"y\"\r\nz", "", ""]])
    #expect(try records("a,\n,b\n,") == [["a", ""], ["", "b"], ["", ""]])
    #expect(try records("a\rb,c\r") == [["a\rb", "c"]])
    #expect(try records(" a , \"b\" ,\t\"c,\" \n") == [["a", "b", "c,"]])
    #expect(try records("") == [] && records("\n\r\n") == [])
    #expect(throws: CSVReader.Failure.textAfterQuote) { try records("\"a\"b\n") }
    #expect(throws: CSVReader.Failure.openQuote) { try records("a,\"b\n\"\"") }
  }

  @Test func fieldsAreQuotedSoThatTheyComeBack() throws {
    let names = [
      "a", "a,b", "a\"b", "\"", "line\nbreak", "carriage\r\nreturn", "comma,\u{301}accent", " blank", "blank\t", "", "é",
    ]
    for name in names {
      var (reader, fields) = (CSVReader(Array("\(csvField(name)),x\n".utf8)), [[UInt8]]())
      #expect(try reader.next(&fields))
      #expect(fields.map { String(decoding: $0, as: UTF8.self) } == [name, "x"], "\(name)")
      #expect(try !reader.next(&fields))
    }
    #expect(csvField("plain name.jpg") == "plain name.jpg")
  }

  @Test func aTableFindsItsColumnsAndClasses() throws {
    try folder.write("sub/1.jpg", jpeg)
    let text = "split, Class ,File\ntrain,10,sub/1.jpg\nval,9,sub/2.jpg\n"
    let table = try ImageList(table: try folder.write("t.csv", Array(text.utf8)))
    #expect(names(table) == ["sub/1.jpg", "sub/2.jpg"])
    #expect(table.classNames == ["9", "10"] && labels(table) == [1, 0])
    #expect(try table.bytes(of: 0) == jpeg)
    #expect(throws: DataError.self) { try table.bytes(of: 1) }
    let partly = try ImageList(table: try folder.write("p.csv", Array("path,label\n1.jpg,a\n2.jpg,\n".utf8)))
    #expect(partly.classNames.isEmpty && labels(partly) == [nil, nil])
  }

  @Test(arguments: [("cifar10.bin", [3, 9, 0], 1), ("cifar100.bin", [99, 4], 2)])
  func cifarRecordsAreDecodedPlaneByPlane(_ file: String, _ expected: [Int], _ labelBytes: Int) throws {
    let source = try openImages(archiveFixtures + "/" + file)
    #expect(labels(source) == expected && source.classNames.count == (labelBytes == 1 ? 10 : 100))
    #expect(names(source) == expected.indices.map { "\(file)/\($0)" })
    let records = [UInt8](try Data(contentsOf: URL(fileURLWithPath: archiveFixtures + "/" + file)))
    for sample in expected.indices {
      let image = try Image(decoding: try source.bytes(of: sample), channels: 3)
      let info = try image.info()
      #expect(info.width == 32 && info.height == 32)
      let record = Array(records[(sample * (labelBytes + 3072) + labelBytes)...].prefix(3072))
      let interleaved = (0..<1024).flatMap { pixel in (0..<3).map { record[$0 * 1024 + pixel] } }
      #expect(Array(try source.bytes(of: sample).suffix(3072)) == interleaved)
    }
  }

  @Test func aCifarFolderGivesItsTrainingBatchesAndNames() throws {
    let batch = [UInt8](try Data(contentsOf: URL(fileURLWithPath: archiveFixtures + "/cifar10.bin")))
    for name in ["data_batch_2.bin", "data_batch_1.bin", "test_batch.bin"] { try folder.write(name, batch) }
    let words = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    try folder.write("batches.meta.txt", Array((words.joined(separator: "\n") + "\n\n").utf8))
    let source = try openImages(folder.path)
    #expect(source.count == 6 && source.name(of: 3) == "data_batch_2.bin/0" && source.classNames == words)
    let test = try openImages(folder.path + "/test_batch.bin")
    #expect(test.count == 3 && test.classNames == words)
    let mixed = failure { try CIFARBatches([folder.path + "/test_batch.bin", archiveFixtures + "/cifar100.bin"]) }
    #expect(mixed?.description.contains("the other CIFAR") == true)
  }

  @Test func anyChangeOfTheDataChangesTheIdentity() throws {
    func identity(_ name: String, _ bytes: [UInt8]) throws -> DataIdentity {
      try openImages(try folder.write(name, bytes)).identity()
    }
    #expect(try identity("a.txt", Array("1\n2\n".utf8)) == identity("b.txt", Array("1\r\n2".utf8)))
    #expect(try identity("a.txt", Array("1\n2\n".utf8)) != identity("b.txt", Array("2\n1\n".utf8)))
    #expect(try identity("a.tar", tar([("1.jpg", [1])])) != identity("b.tar", tar([("1.jpg", [1, 2])])))
    #expect(try identity("a.tar", tar([("1.jpg", [1])])) != identity("b.tar", tar([("2.jpg", [1])])))
  }
}
