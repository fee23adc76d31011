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
}
