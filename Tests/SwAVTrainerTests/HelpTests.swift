import Foundation
import SwAVTestSupport
import Testing

/// Help is part of the interface: a change of it is seen in a review. To renew the snapshots, run the test with
/// SWAV_RENEW_SNAPSHOTS=1 and look at the difference.
@Suite struct HelpTests {
  /// Lines that a terminal shows at once.
  private static let screen = 48

  @Test(arguments: [
    "", "pretrain", "plan", "check-data", "preview", "knn", "linear", "embed", "export", "cluster", "search", "dedupe", "label",
    "report", "compare", "explore", "inspect", "replay", "bench", "bench step",
    "bench layers",
    "bench embed",
    "bench sinkhorn", "bench search", "bench data", "demo", "info", "help presets", "help exit-codes", "evaluate",
    "evaluate knn",
    "evaluate linear-features", "evaluate retrieval", "evaluate clusters", "evaluate svm", "evaluate linear",
    "evaluate transfer", "evaluate semi", "evaluate finetune",
  ])
  func helpIsAsReviewedAndFitsAScreen(_ verb: String) throws {
    let help = try compare(verb)
    // The argument parser does not wrap the usage line.
    let lines = help.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("USAGE: ") }
    for line in lines { #expect(line.count <= 80, "\(line)") }
    #expect(lines.count <= HelpTests.screen, "\(lines.count) lines")
  }

  @Test func theReferenceOfTheSettingsIsAsReviewed() throws {
    for line in try compare("help settings").split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    let page = try TrainerProcess.run(["help", "settings", "--markdown"])
    try compare(page.output, with: HelpTests.folder.appendingPathComponent("../../../docs/settings.md"))
  }

  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Snapshots")

  @discardableResult
  private func compare(_ verb: String) throws -> String {
    let words = verb.split(separator: " ").map(String.init)
    let outcome = try TrainerProcess.run(words.first == "help" ? words : words + ["--help"])
    #expect(outcome.code == 0)
    let name = verb.isEmpty ? "trainer" : "trainer-" + verb.replacing(" ", with: "-")
    try compare(outcome.output, with: HelpTests.folder.appendingPathComponent("\(name).txt"))
    return outcome.output
  }

  private func compare(_ text: String, with file: URL) throws {
    if ProcessInfo.processInfo.environment["SWAV_RENEW_SNAPSHOTS"] != nil {
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
      Issue.record("written, and compared with nothing: \(file.lastPathComponent)")
    }
    #expect(text == (try String(contentsOf: file, encoding: .utf8)))
  }

  @Test func everySettingIsInTheReferenceAndAFlagOfPretrain() throws {
    let reference = try TrainerProcess.run(["help", "settings"]).output
    // The names of the settings, as the command itself prints them for a folder.
    let folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
    func config(_ arguments: [String]) throws -> String {
      let outcome = try TrainerProcess.run(["pretrain", "images", "--print-config"] + arguments, in: folder.path)
      #expect(outcome.code == 0, "\(outcome.errors)")
      return outcome.output
    }
    let printed = try config(["--freeze-steps", "3"])
    let pairs = printed.split(separator: "\n").map { $0.split(separator: ":", maxSplits: 1).map { $0.drop { $0 == " " } } }
    #expect(pairs.count > 30)
    for pair in pairs { #expect(reference.contains("--\(pair[0]) <"), "--\(pair[0])") }
    // Given back as flags, with quotes of YAML taken off, they mean the same.
    #expect(try config(pairs.map { "--\($0[0])=\($0[1].trimmingCharacters(in: ["'"]))" }) == printed)
  }

  @Test func theVersionIsThatOfTheEngine() throws {
    let version = try TrainerProcess.run(["--version"])
    #expect(version.code == 0)
    let info = try TrainerProcess.run(["info", "--json"])
    #expect(info.objects.last?["version"] as? String == version.output.split(separator: "\n").first.map(String.init))
    #expect(info.objects.last?["isa"] is String)
    // After a command as well, whose own flags are missing then.
    for words in [["pretrain", "--version"], ["bench", "step", "--version"]] {
      let after = try TrainerProcess.run(words)
      #expect(after.code == 0 && after.output == version.output, "\(words)")
    }
    let hidden = try TrainerProcess.run(["evaluate", "knn", "--help-hidden"])
    #expect(hidden.code == 0 && hidden.output.contains("--stem"))
  }
}
