import Foundation
import SwAVTestSupport
import Testing

/// `search`, `dedupe` and `label`.
@Suite(.serialized) struct SearchTests {
  let folder: TemporaryFolder
  let base = ["--weights", "untrained", "--stem", "small", "--size", "32"]

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
