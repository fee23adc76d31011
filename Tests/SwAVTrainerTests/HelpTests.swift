import Foundation
import SwAVTestSupport
import Testing

/// Help is part of the interface: a change of it is seen in a review. To renew the snapshots, run the test with
/// SWAV_RENEW_SNAPSHOTS=1 and look at the difference.
@Suite struct HelpTests {
  @Test(arguments: [
    "", "pretrain", "check-data", "preview", "knn", "linear", "embed", "bench", "bench step", "bench layers", "bench data",
    "demo",
    "info",
  ])
  func helpIsAsReviewed(_ verb: String) throws {
    let outcome = try TrainerProcess.run(verb.split(separator: " ").map(String.init) + ["--help"])
    #expect(outcome.code == 0)
    let name = verb.isEmpty ? "trainer" : "trainer-" + verb.replacing(" ", with: "-")
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Snapshots/\(name).txt")
    if ProcessInfo.processInfo.environment["SWAV_RENEW_SNAPSHOTS"] != nil {
      try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(outcome.output.utf8).write(to: path)
    }
    #expect(outcome.output == (try String(contentsOf: path, encoding: .utf8)))
    // The argument parser does not wrap the usage line.
    let lines = outcome.output.split(separator: "\n").filter { !$0.hasPrefix("USAGE: ") }
    for line in lines { #expect(line.count <= 80, "\(line)") }
  }

  @Test func everySettingIsAFlagOfPretrain() throws {
    let help = try TrainerProcess.run(["pretrain", "--help"]).output
    // The names of the settings, as the command itself prints them for a folder.
    let folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
    let printed = try TrainerProcess.run(["pretrain", "images", "--freeze-steps", "3", "--print-config"], in: folder.path)
    let names = printed.output.split(separator: "\n").compactMap { $0.split(separator: ":").first }
    #expect(names.count > 30)
    for name in names { #expect(help.contains("--\(name) "), "--\(name)") }
  }

  @Test func theVersionIsThatOfTheEngine() throws {
    let version = try TrainerProcess.run(["--version"])
    #expect(version.code == 0)
    let info = try TrainerProcess.run(["info", "--json"])
    #expect(info.objects.last?["version"] as? String == version.output.split(separator: "\n").first.map(String.init))
    #expect(info.objects.last?["isa"] is String)
  }
}
