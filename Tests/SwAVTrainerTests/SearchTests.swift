import Foundation
import SwAVTestSupport
import Testing

/// `search`, `dedupe` and `label`.
@Suite(.serialized) struct SearchTests {
  let folder: TemporaryFolder
  let base = TrainerProcess.untrained

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
  }

  private func run(_ arguments: [String]) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(arguments + base, in: folder.path)
  }

  private func objects(_ arguments: [String], _ type: String) throws -> [[String: Any]] {
    let outcome = try run(arguments + ["--json"])
    #expect(outcome.code == 0, "\(outcome.errors)")
    return outcome.objects.filter { $0["type"] as? String == type }
  }

  @Test func aPictureFindsItselfAndTheIndexIsMadeOnceAndBroughtUpToDate() throws {
    let search = ["search", "images", "--query", "images/class1/3.jpg", "--count", "3", "--index", "i.index"]
    func index() throws -> [String: Any] { try #require(try objects(search, "index").first) }
    let matches = try objects(search, "match")
    #expect(matches.count == 3 && matches[0]["image"] as? String == "class1/3.jpg")
    // Float32 rows of unit norm: a cosine of 1 within dim roundings.
    #expect(abs((matches[0]["cosine"] as? Double ?? 0) - 1) < 1e-4)
    #expect(try index()["added"] as? Int == 0)
    try folder.write("images/class0/new.jpg", picture(kind: 3, number: 9))
    try FileManager.default.removeItem(atPath: folder.path + "/images/class0/0.jpg")
    try folder.write("images/class1/5.jpg", picture(kind: 2, number: 7, side: 44))
    let changed = try index()
    #expect(changed["added"] as? Int == 2 && changed["dropped"] as? Int == 2 && changed["kept"] as? Int == 10)
    #expect(
      try objects(["search", "images", "--query", "images/class0/new.jpg", "--index", "i.index"], "match")[0]["image"]
        as? String == "class0/new.jpg")
    // A file that is no index is made anew, and so is one of other weights.
    try folder.write("i.index", Array("swavidx1 damaged".utf8))
    #expect(try index()["added"] as? Int == 12)
    #expect(try objects(search + ["--seed", "4"], "index")[0]["added"] as? Int == 12)
  }

  @Test func anIndexIsOfOneOfTheEncodersOfAFile() throws {
    let weights = FormatFixtures.folder + "/../../torch/moco_zip.pth.tar"
    func added(_ prefix: String) throws -> Int? {
      let outcome = try TrainerProcess.run(
        [
          "search", "images", "--query", "images/class1/3.jpg", "--index", "i.index", "--weights", weights, "--prefix", prefix,
          "--size", "32", "--json",
        ], in: folder.path)
      #expect(outcome.code == 0, "\(outcome.errors)")
      return outcome.objects.first { $0["type"] as? String == "index" }?["added"] as? Int
    }
    #expect(try added("encoder_q") == 12 && added("encoder_q") == 0)
    #expect(try added("encoder_k") == 12)
  }

  @Test func copiesAreListedAndNothingIsDeleted() throws {
    try folder.write("images/class0/copy.jpg", picture(kind: 1, number: 2))
    try folder.write("images/class0/empty.jpg", [])
    let outcome = try run(["dedupe", "images", "-o", "list.csv", "--similarity", "0.9999"])
    #expect(outcome.code == 0 && outcome.output.contains("nothing was deleted"), "\(outcome.errors)")
    let list = try String(contentsOfFile: folder.path + "/list.csv", encoding: .utf8)
    #expect(list.contains("identical,1,class0/copy.jpg,1.00000,keep\nidentical,1,class1/2.jpg,1.00000,remove\n"), "\(list)")
    #expect(FileManager.default.fileExists(atPath: folder.path + "/images/class1/2.jpg"))
  }

  @Test func labelsSpreadToLikePictures() throws {
    // Nearly equal pictures of each kind.
    for kind in 0..<2 {
      for number in 0..<8 { try folder.write("two/k\(kind)-\(number).jpg", picture(kind: kind, number: 0, side: 40 + number)) }
    }
    try folder.write(
      "few.csv", Array("path,label\nk0-0.jpg,stripes\ntwo/k1-3.jpg,\"bars, wide\"\nk0-1.jpg,\ngone.jpg,x\n".utf8))
    let outcome = try run(["label", "two", "--labels", "few.csv", "-o", "out.csv", "--ask", "3"])
    #expect(outcome.code == 0 && outcome.output.contains("warning: 1 rows of few.csv"), "\(outcome.output)\(outcome.errors)")
    let lines = try String(contentsOfFile: folder.path + "/out.csv", encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 17 && lines[0] == "path,label,probability,given,ask")
    for line in lines.dropFirst() {
      #expect(line.contains(line.hasPrefix("k0") ? ",stripes," : ",\"bars, wide\","), "\(line)")
    }
    #expect(lines.count { $0.hasSuffix(",1,") } == 2)
    #expect(lines.dropFirst().count { !$0.hasSuffix(",") } == 3)
  }

  /// Quotes, elements of HTML, text from right to left, what shells and tables take for more than a name; and files without a byte.
  @Test func oddNamesComeBackWholeAndEmptyPicturesAreNamed() throws {
    let names = [
      "\"q\".jpg", "it's.jpg", "<script>alert(1)<b>.jpg", "\u{202e}gpj.jpg", "שלום.jpg", "a,b;c.jpg", "=1+1.jpg", "-dash.jpg",
      " space .jpg", "%2e%2e.jpg", "back\\slash.jpg",
    ]
    for (number, name) in names.enumerated() { try folder.write("odd/" + name, picture(kind: number % 3, number: number)) }
    try folder.write("odd/empty.jpg", [])
    let table = "path,label\n" + names.prefix(2).enumerated().map { csv($1) + ",l\($0)" }.joined(separator: "\n") + "\n"
    try folder.write("few.csv", Array(table.utf8))
    let found = try run(["search", "odd", "--query", "odd", "--count", "1", "--index", "i", "--json"])
    #expect(found.code == 0, "\(found.errors)")
    let matches = found.objects.filter { $0["type"] as? String == "match" }
    #expect(Set(matches.compactMap { $0["image"] as? String }) == Set(names) && matches.count == names.count)
    #expect(found.objects.contains { $0["bad_image"] as? String == "empty.jpg" })
    _ = try TrainerProcess.shell("cp -r odd twice && cp -r odd twice/again", in: folder.path)
    for (arguments, file) in [
      (["cluster", "odd", "--k", "3", "-o", "clusters"], "clusters/images.csv"),
      (["dedupe", "twice", "-o", "list.csv"], "list.csv"),
      (["label", "odd", "--labels", "few.csv", "-o", "labels.csv"], "labels.csv"),
    ] {
      let outcome = try run(arguments)
      #expect(outcome.code == 0 && outcome.output.contains("left out empty.jpg: "), "\(arguments): \(outcome)")
      let text = try String(contentsOfFile: folder.path + "/" + file, encoding: .utf8)
      let there = names.count { text.contains(csv($0)) }
      #expect(there == names.count, "\(file): \(text)")
    }
    // One picture, and none that can be read.
    try FileManager.default.createDirectory(atPath: folder.path + "/none", withIntermediateDirectories: false)
    try folder.write("none/empty.jpg", [])
    try folder.write("single/a.jpg", picture(kind: 1, number: 1))
    for words in [["cluster", "single", "--k", "3", "-o", "c1"], ["dedupe", "single", "-o", "d1.csv"]] {
      let outcome = try run(words)
      #expect(outcome.code == 0, "\(words): \(outcome.errors)")
    }
    for words in [
      ["cluster", "none", "--k", "3", "-o", "c0"], ["dedupe", "none", "-o", "d0.csv"], ["search", "none", "--query", "single"],
      ["label", "none", "--labels", "few.csv", "-o", "l0.csv"],
    ] {
      let outcome = try run(words)
      #expect(outcome.code == 65, "\(words): \(outcome)")
      #expect(outcome.errors.split(separator: "\n").count == 1 && outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
    }
  }

  /// As a field of a table.
  private func csv(_ name: String) -> String {
    name.contains { "\",\n".contains($0) } ? "\"" + name.replacing("\"", with: "\"\"") + "\"" : name
  }

  @Test func wrongOnesAreToldInOneLine() throws {
    try folder.write("none.csv", Array("path,label\nnowhere.jpg,x\n".utf8))
    for (arguments, code, text) in [
      (["search", "images", "--query", "nowhere.jpg"], Int32(66), "nowhere.jpg"),
      (["search", "images", "--query", "images/class0/1.jpg", "--count", "0"], 64, "--count is 0"),
      (["label", "images", "--labels", "none.csv", "-o", "o.csv"], 65, "none of its 1 rows"),
      (["dedupe", "images", "--similarity", "2"], 64, "--similarity is 2"),
    ] {
      let outcome = try run(arguments)
      #expect(outcome.code == code && outcome.errors.contains(text), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }
}
