import Foundation
import SwAVTestSupport
import Testing

@Suite(.serialized) struct ClusterTests {
  let folder: TemporaryFolder
  let base = TrainerProcess.untrained

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
  }

  private func run(_ arguments: [String]) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(arguments, in: folder.path)
  }

  private func rows(_ name: String) throws -> [[Substring]] {
    try String(contentsOfFile: folder.path + "/" + name, encoding: .utf8).split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
  }

  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: self.folder.path + "/" + folder).sorted()
  }

  @Test func kMeansMakesTablesAndFoldersOfLinks() throws {
    let outcome = try run(["cluster", "images", "--k", "3", "-o", "out"] + base)
    #expect(outcome.code == 0 && outcome.output.contains("12 images in 3 of 3 clusters"), "\(outcome.output)\(outcome.errors)")
    let (images, clusters) = (try rows("out/images.csv"), try rows("out/clusters.csv"))
    #expect(images[0] == ["image", "class", "cluster", "similarity", "margin", "rank"] && images.count == 13)
    #expect(clusters.count == 4 && clusters.dropFirst().reduce(0) { $0 + (Int($1[1]) ?? 0) } == 12)
    for row in clusters.dropFirst() {
      let links = try names("out/cluster-\(row[0])")
      #expect(links.count == Int(row[1]))
      let first = try #require(links.first)
      // The first one is the medoid, and leads to the picture.
      let target = try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder.path)/out/cluster-\(row[0])/\(first)")
      #expect(target.hasPrefix("/") && target.hasSuffix("images/\(row[4])"), "\(target)")
      #expect(FileManager.default.fileExists(atPath: target))
    }
    // Again, with other clusters: nothing of the first time is left.
    #expect(try run(["cluster", "images", "--k", "2", "-o", "out"] + base).code == 0)
    #expect(try names("out") == ["cluster-0", "cluster-1", "clusters.csv", "images.csv"])
  }

  @Test func prototypesOfARunArePicturesOfAnArchiveAreWritten() throws {
    #expect(try run(["pretrain", "images", "--output", "run", "--no-report"] + ReportTests.small).code == 0)
    _ = try TrainerProcess.shell("tar -cf images.tar -C images .", in: folder.path)
    let outcome = try run(["cluster", "images.tar", "--weights", "run", "-o", "out", "--json"])
    #expect(outcome.code == 0, "\(outcome.errors)")
    let result = try #require(outcome.objects.last)
    #expect(result["method"] as? String == "prototypes" && result["clusters"] as? Int == 6 && result["images"] as? Int == 12)
    let clusters = try rows("out/clusters.csv")
    let (used, dead) = (try #require(result["in_use"] as? Int), try #require(result["dead"] as? [Int]))
    #expect(used + dead.count == 6)
    let pictures = try (0..<6).filter { !dead.contains($0) }.flatMap { number in
      try names("out/cluster-\(number)").map { "out/cluster-\(number)/\($0)" }
    }
    #expect(pictures.count == 12 && clusters.count == 7)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + pictures[0]))
    #expect(bytes.starts(with: [0xff, 0xd8]))
  }

  @Test func whatOneCommandHasLookedAtTheNextOneFinds() throws {
    try folder.write("images/class0/copy.jpg", picture(kind: 1, number: 2))
    try folder.write("few.csv", Array("path,label\nclass0/1.jpg,a\nclass1/1.jpg,b\n".utf8))
    #expect(try run(["pretrain", "images", "--output", "run", "--no-report"] + ReportTests.small).code == 0)
    func index(_ arguments: [String]) throws -> [String: Any] {
      let outcome = try run(arguments + ["--weights", "run", "--json"])
      #expect(outcome.code == 0, "\(arguments): \(outcome.errors)")
      return try #require(outcome.objects.first { $0["type"] as? String == "index" })
    }
    let first = try index(["search", "images", "--query", "images/class1/3.jpg"])
    #expect(first["added"] as? Int == 13)
    for arguments in [
      ["cluster", "images", "--k", "3", "-o", "out"], ["dedupe", "images", "-o", "list.csv"],
      ["label", "images", "--labels", "few.csv", "-o", "labels.csv"],
    ] {
      #expect(try index(arguments)["added"] as? Int == 0, "\(arguments)")
    }
    #expect(try rows("list.csv").filter { $0[0] == "identical" }.map { $0[2] } == ["class0/copy.jpg", "class1/2.jpg"])
    #expect(try rows("out/images.csv").count == 14)
    // Prototypes score embeddings, which have an index of their own.
    #expect(try index(["cluster", "images", "-o", "out"])["added"] as? Int == 13)
    #expect(try index(["cluster", "images", "-o", "out", "--balanced"])["added"] as? Int == 0)
    // Where it cannot be kept nobody is stopped, unless it was to be just there.
    let path = try #require(first["index"] as? String)
    try FileManager.default.removeItem(atPath: folder.path + "/" + path)
    try folder.write(path + "/in-the-way", [1])
    let dedupe = try run(["dedupe", "images", "--weights", "run"])
    #expect(dedupe.code == 0 && dedupe.output.contains("warning: the index is not kept: \(path): "), "\(dedupe)")
    #expect(try run(["dedupe", "images", "--weights", "run", "--index", path]).code == 74)
  }

  @Test func pathsOfTheFileThatIsKeptAreKept() throws {
    // A link sorts first; removing what it leads to would lose the picture.
    let path = folder.path + "/images/class0/"
    try FileManager.default.createSymbolicLink(atPath: path + "a-link.jpg", withDestinationPath: "4.jpg")
    try FileManager.default.copyItem(atPath: path + "4.jpg", toPath: path + "z-copy.jpg")
    #expect(try run(["dedupe", "images", "-o", "list.csv"] + base).code == 0)
    let identical = try rows("list.csv").filter { $0[0] == "identical" }.map { "\($0[2]) \($0[4])" }
    #expect(identical == ["class0/4.jpg keep", "class0/a-link.jpg keep", "class0/z-copy.jpg remove"], "\(identical)")
  }

  @Test func whatIsSomebodysIsNotTouchedAndErrorsAreOneLine() throws {
    try folder.write("mine/letter.txt", [1])
    try folder.write("few.csv", Array("path,label\nclass0/0.jpg,a\n".utf8))
    try folder.write("list.csv", Array("path\nimages/class0/0.jpg\n".utf8))
    for (arguments, code, text) in [
      (["cluster", "images", "--k", "2", "-o", "mine"], Int32(73), "letter.txt"),
      (["cluster", "images", "-o", "out"], 65, "give --k"), (["cluster", "images", "--k", "0", "-o", "out"], 64, "--k is 0"),
      (["cluster", "images", "--k", "2", "-o", "images/class0/0.jpg"], 74, "not a folder"),
      (["dedupe", "images", "-o", "images/class0/new.jpg"], 64, "a name that ends in .csv"),
      (["dedupe", "images", "--index", "mine/letter.txt"], 73, "is no index"),
      (["label", "images", "--labels", "few.csv", "-o", "few.csv"], 73, "it is what is read"),
      (["embed", "list.csv", "-o", "list.csv"], 73, "it is what is read"),
    ] {
      let outcome = try run(arguments + base)
      #expect(outcome.code == code && outcome.errors.contains(text), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
    #expect(try names("mine") == ["letter.txt"])
    #expect(try rows("few.csv").count == 2 && rows("list.csv").count == 2)
    #expect(FileManager.default.contents(atPath: folder.path + "/mine/letter.txt") == Data([1]))
  }
}
