import Foundation
import SwAVTestSupport
import Testing

/// `report`, `cluster` and what `pretrain` leaves at its end, as a person meets them.
@Suite(.serialized) struct ReportTests {
  let folder: TemporaryFolder
  static let small = [
    "--crops", "2x32+2x16", "--base-width", "8", "--hidden", "16", "--dim", "8", "--prototypes", "6", "--batch", "4",
    "--epochs", "2",
  ]

  init() throws { folder = try TemporaryFolder() }

  private func run(_ arguments: [String]) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(arguments, in: folder.path)
  }

  private func pretrain(_ images: String = "images", _ output: String = "run", _ more: [String] = []) throws
    -> TrainerProcess.Outcome
  {
    try run(["pretrain", images, "--output", output] + ReportTests.small + more)
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: folder.path + "/" + name, encoding: .utf8)
  }

  /// What holds of every page.
  private func expectSound(_ page: String) {
    #expect(page.hasPrefix("<!doctype html>") && page.hasSuffix("</html>\n"))
    #expect(page.utf8.count < 6_000_000)
    for outside in ["http://", "https://", "src=\"/", "url(/", "@import", "<link"] {
      #expect(!page.contains(outside), "\(outside)")
    }
    #expect(page.contains("default-src 'none'"))
    // Two scripts: the data of the map and what shows them.
    #expect(page.components(separatedBy: "<script").count - 1 <= 2)
    #expect(!page.contains("{{"))
  }

  @Test func pretrainWritesAPageAboutWhatItLearnedAndSaysSo() throws {
    try folder.writePictures("images", perClass: 6)
    let outcome = try pretrain("images", "run", ["--val", "images"])
    #expect(
      outcome.code == 0 && outcome.output.contains("report: run/report.html, a page"), "\(outcome.output)\(outcome.errors)")
    let page = try text("run/report.html")
    expectSound(page)
    for part in ["clusters", "map", "neighbours", "confusion", "health", "curves", "crops", "time", "use", "settings"] {
      #expect(page.contains("id=\"\(part)\""), "\(part)")
    }
    for text in ["In 2 epochs over 12 pictures without labels", "20-NN accuracy", "loss / ln K", "class0", "base-width"] {
      #expect(page.contains(text), "\(text)")
    }
    // From the folder alone: it knows where its pictures are.
    #expect(try run(["report", "run", "-o", "again.html"]).code == 0)
    #expect(try text("again.html") == page)
  }

  @Test func theRowOfTheReportComesBeforeTheResultAndTheFlagLeavesItOut() throws {
    try folder.writePictures("images", perClass: 4)
    let rows = try pretrain("images", "run", ["--json"]).objects.compactMap { $0["type"] as? String }
    #expect(rows.suffix(2) == ["report", "result"])
    #expect(try pretrain("images", "plain", ["--no-report"]).code == 0)
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/plain/report.html"))
  }

  @Test func oddNamesBrokenFilesAndFewPicturesWithoutClassesMakeASoundPage() throws {
    let names = [
      "<img src=x onerror=alert(1)>.jpg", "\" onload=\"alert(1).jpg", "\"\u{301} onload=\"x.jpg", "\u{202e}gpj.exe.jpg",
      "\u{5e9}\u{5dc}\u{5d5}\u{5dd}.jpg", "a\nb&amp;.jpg",
    ]
    for (number, name) in names.enumerated() { try folder.write("images/" + name, picture(kind: number, number: number)) }
    try folder.write("images/empty.jpg", [])
    let outcome = try pretrain()
    #expect(outcome.code == 0, "\(outcome.errors)")
    let page = try text("run/report.html")
    expectSound(page)
    // By scalars: an accent makes one character of itself and the sign before it. In the data of the map quotes stand behind a \.
    let markup = page.replacing(/<script type="application\/json".*?<\/script>/.dotMatchesNewlines(), with: "")
    for part in ["<img src=x", "onerror=alert(1)>", "\u{202e}"] {
      #expect(!page.unicodeScalars.contains(part.unicodeScalars), "\(part)")
    }
    for part in ["\" onload=\"", "\"\u{301}"] { #expect(!markup.unicodeScalars.contains(part.unicodeScalars), "\(part)") }
    #expect(page.contains("&lt;img src=x onerror=alert(1)&gt;.jpg") && page.contains("\u{5e9}\u{5dc}\u{5d5}\u{5dd}.jpg"))
    #expect(!page.contains("id=\"confusion\""))
  }

  @Test func aRunWhosePicturesAreGoneHasAPageOfItsFigures() throws {
    try folder.writePictures("images", perClass: 4)
    #expect(try pretrain("images", "run", ["--no-report"]).code == 0)
    try FileManager.default.moveItem(atPath: folder.path + "/images", toPath: folder.path + "/elsewhere")
    let outcome = try run(["report", "run"])
    #expect(outcome.code == 0 && outcome.output.contains("note: no pictures on the page"), "\(outcome.output)\(outcome.errors)")
    let page = try text("run/report.html")
    expectSound(page)
    #expect(page.contains("No pictures on this page") && page.contains("id=\"curves\"") && !page.contains("id=\"clusters\""))
    #expect(try run(["report", "run", "--images", "elsewhere"]).code == 0)
    #expect(try text("run/report.html").contains("id=\"clusters\""))
  }

  @Test func whatCannotBeReportedIsToldInOneLine() throws {
    try folder.writePictures("images", perClass: 2)
    for (arguments, code, text) in [
      (["report", "images"], Int32(74), "no config.yaml"), (["report", "nowhere"], 66, "there is no such folder"),
      (["compare", "nowhere", "images"], 66, "there is no such folder"), (["replay", "nowhere"], 66, "there is no such file"),
      (["report", "images", "--output", "images/class0/0.jpg"], 64, "a name that ends in .html"),
      (["report", "images", "--samples", "0"], 64, "--samples is 0"),
    ] {
      let outcome = try run(arguments)
      #expect(outcome.code == code && outcome.errors.contains(text), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }
}
