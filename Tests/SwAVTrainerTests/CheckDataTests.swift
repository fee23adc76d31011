import Foundation
import SwAVTestSupport
import Testing

@Suite(.serialized) struct CheckDataTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
    try folder.write("images/class1/broken.jpg", Array("hello".utf8))
    try folder.write("images/class1/notes.txt", Array("hello".utf8))
    let longName = String(repeating: "long-name-", count: 20)
    try folder.write("images/class0/\(longName).jpg", try picture(kind: 0, number: 3))
  }

  @Test func jsonNamesEachFileThatIsNotSoundAndThenTheSummary() throws {
    let outcome = try TrainerProcess.run(["check-data", "images", "--json", "--statistics"], in: folder.path)
    #expect(outcome.code == 0 && outcome.errors.isEmpty)
    let rows = outcome.objects
    #expect(rows.count == outcome.output.split(separator: "\n").count)
    let unsound = rows.dropLast().filter { ["broken", "ignored"].contains($0["status"] as? String) }
    #expect(unsound.map { $0["path"] as? String } == ["class1/broken.jpg", "class1/notes.txt"])
    #expect(unsound.allSatisfy { ($0["reason"] as? String ?? "").count > 10 })
    #expect(rows.contains { $0["status"] as? String == "duplicate" })
    let summary = try #require(rows.last)
    #expect(summary["images"] as? Int == 14 && summary["readable"] as? Int == 13)
    #expect(summary["broken"] as? Int == 1 && summary["ignored"] as? Int == 1 && summary["duplicates"] as? Int == 1)
    #expect(summary["classes"] as? [String: Int] == ["class0": 7, "class1": 7])
    #expect((summary["mean"] as? [Double])?.count == 3 && (summary["std"] as? [Double])?.count == 3)
    #expect((summary["epoch_seconds"] as? Double ?? 0) > 0 && (summary["images_per_second"] as? Double ?? 0) > 0)
  }

  @Test func theTableFitsAHundredColumns() throws {
    let outcome = try TrainerProcess.run(["check-data", "images", "--statistics"], in: folder.path)
    #expect(outcome.code == 0)
    for line in outcome.output.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
    #expect(!outcome.output.contains("\u{1b}"), "no control characters in a pipe")
    for text in ["2 classes", "broken          class1/broken.jpg: ", "--channels 3 --mean 0.", "an epoch"] {
      #expect(outcome.output.contains(text), "\(text)")
    }
  }

  @Test func strictEndsWithAnErrorWhereSomethingIsUnsound() throws {
    func code(_ arguments: String) throws -> Int32 {
      try TrainerProcess.run(["check-data"] + arguments.split(separator: " ").map(String.init), in: folder.path).code
    }
    #expect(try code("images --no-speed --strict") == 65 && code("images --quick --strict") == 65)
    #expect(try code("images/class0 --no-speed --strict") == 0 && code("images/class0 --quick --strict") == 0)
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/images/class0/gone", withDestinationPath: "/nonexistent")
    #expect(try code("images/class0 --no-speed --strict") == 65)
    #expect(try code("images --quick --statistics") == 64)
  }

  @Test func aQuickLookGivesTheFactsOfThePlan() throws {
    let outcome = try TrainerProcess.run(["check-data", "images", "--quick", "--json"], in: folder.path)
    #expect(outcome.code == 0 && outcome.objects.count == 1, "\(outcome.errors)")
    let facts = try #require(outcome.objects.last?["facts"] as? [String: Any])
    #expect(facts["images"] as? Int == 14 && facts["broken"] as? Int == 1 && facts["duplicates"] as? Int == 1)
    #expect((facts["short_side"] as? [String: Any])?["median"] as? Double == 40)
    let whole = try TrainerProcess.run(["check-data", "images", "--no-speed", "--statistics", "--json"], in: folder.path)
    #expect(Set(facts.keys) == (whole.objects.last?["facts"] as? [String: Any]).map { Set($0.keys) })
    let text = try TrainerProcess.run(["check-data", "images", "--quick"], in: folder.path)
    #expect(text.output.contains("images            14 in images; looked at: all headers, 13 pictures"))
  }

  @Test func whyThereAreNoClassesIsSaid() throws {
    try folder.write("images/contact_sheet.png", try picture(kind: 0, number: 30))
    let outcome = try TrainerProcess.run(["check-data", "images", "--no-speed"], in: folder.path)
    #expect(outcome.output.contains("classes           no classes, because of contact_sheet.png, which is in no sub-folder"))
    let rows = try TrainerProcess.run(
      ["embed", "images", "--weights", "untrained", "--size", "32", "-o", "f.csv", "--json"], in: folder.path
    )
    .objects
    let remarks = rows.filter { $0["type"] as? String == "remark" }
    #expect(remarks.map { $0["kind"] as? String } == ["passed-over", "no-classes"])
    #expect(remarks[0]["remark"] as? String == "images: 1 of 16 files is passed over (1 .txt); check-data lists them")
  }

  @Test func withoutAnyImageThatDecodesThereIsNoSpeed() throws {
    try folder.write("bad/1.jpg", Array("hello".utf8))
    let outcome = try TrainerProcess.run(["check-data", "bad"], in: folder.path)
    #expect(outcome.code == 0 && outcome.output.contains("not measured: no image can be decoded"))
    #expect(try TrainerProcess.run(["check-data", "nowhere"], in: folder.path).code == 66)
    #expect(try TrainerProcess.run(["check-data", "bad", "--channels", "2"], in: folder.path).code == 64)
  }
}

@Suite struct PreviewCommandTests {
  @Test func writesAPictureAndSaysWhatIsOnIt() throws {
    let folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 3)
    try folder.write("run.yaml", Array("crops: 2x48+2x24\nbatch: 256\n".utf8))
    let arguments = "preview images -o sheet.png --count 4 --config run.yaml --json".split(separator: " ").map(String.init)
    let outcome = try TrainerProcess.run(arguments, in: folder.path)
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    let report = try #require(outcome.objects.last)
    #expect((report["images"] as? [String])?.count == 4 && report["crops"] as? String == "2x48+2x24")
    let header = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/sheet.png")).prefix(24)
    // PNG: eight bytes of signature, then a chunk that begins with width and height.
    let numbers = [16, 20].map { header[$0..<$0 + 4].reduce(0) { $0 << 8 | Int($1) } }
    #expect(numbers == [report["width"] as? Int, report["height"] as? Int])
  }

  @Test func takesTheFileOfARunAndEveryPreset() throws {
    let folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 3)
    func crops(_ words: String) throws -> String? {
      let arguments = "preview images -o sheet.png --count 1 --json \(words)".split(separator: " ").map(String.init)
      let outcome = try TrainerProcess.run(arguments, in: folder.path)
      #expect(outcome.code == 0, "\(words): \(outcome.errors)")
      return outcome.objects.last?["crops"] as? String
    }
    // Lengths and batches are those of many images; here are six.
    let files = [
      "steps: 8332\nwarmup-epochs: 8.07\nbatch: 64", "epochs: 400\nbatch: 64",
      "budget: 8h\nsteps: 0:9000,20:8332\nmicro-batch: 32",
    ]
    for (number, text) in files.enumerated() {
      try folder.write("\(number).yaml", Array("crops: 2x48+2x24\n\(text)\n".utf8))
      #expect(try crops("--config \(number).yaml") == "2x48+2x24")
    }
    try folder.write("short.yaml", Array("preset: imagenette\nepochs: 2\nwarmup-epochs: 0\n".utf8))
    #expect(try crops("--config short.yaml") != nil)
    for preset in [
      "auto", "cifar10", "stl10", "imagenette", "imagenet100", "imagenet-4096", "imagenet-256", "small-domain", "demo",
    ] {
      #expect(try crops("--preset \(preset)") != nil)
    }
  }
}
