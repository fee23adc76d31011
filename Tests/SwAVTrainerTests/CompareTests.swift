import Foundation
import SwAVTestSupport
import Testing

@Suite(.serialized) struct CompareTests {
  @Test func runsStandSideBySideInTheTerminalAndOnAPage() throws {
    let folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 4)
    func run(_ arguments: [String]) throws -> TrainerProcess.Outcome { try TrainerProcess.run(arguments, in: folder.path) }
    for (name, rate) in [("a", "0.001"), ("<b>", "0.01")] {
      let outcome = try run(
        ["pretrain", "images", "--output", name, "--no-report", "--base-lr", rate, "--final-lr", "0", "--seed", "3"]
          + ReportTests.small)
      #expect(outcome.code == 0, "\(outcome.errors)")
    }
    let outcome = try run(["compare", "a", "<b>", "-o", "both.html"])
    #expect(outcome.code == 0, "\(outcome.errors)")
    for text in ["loss / ln K", "settings that differ:", "base-lr", "0.001", "0.01", "page: both.html"] {
      #expect(outcome.output.contains(text), "\(text) in \(outcome.output)")
    }
    #expect(!outcome.output.contains("base-width"))
    let page = try String(contentsOfFile: folder.path + "/both.html", encoding: .utf8)
    #expect(page.contains("&lt;b&gt;") && !page.contains("<b>") && page.contains("base-lr") && !page.contains("{{"))
    let rows = try run(["compare", "a", "<b>", "--json"]).objects
    #expect(rows.last?["differences"] as? [String] == ["base-lr"])
    for (arguments, code) in [(["compare", "a"], Int32(64)), (["compare", "a", "images"], 74)] {
      let wrong = try run(arguments)
      #expect(wrong.code == code && wrong.errors.split(separator: "\n").count == 1, "\(wrong.errors)")
    }
  }
}
