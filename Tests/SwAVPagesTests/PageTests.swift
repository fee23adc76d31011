import Foundation
import Testing

@testable import SwAVPages

@Suite struct PageTests {
  /// Names that break out of elements and attributes where they are not escaped; the last ones by combining an accent with a sign.
  static let names = [
    "<script>alert(1)</script>", "\" onerror=\"alert(1)", "' onerror='alert(1)", "</script><b>", "a & b.jpg", "`x`",
    "\"\u{301} onload=\"x", "<\u{338}img src=x>", "'\u{20d7} x='",
  ]

  @Test(arguments: names) func textStandsForItself(_ name: String) {
    let text = escaped(name)
    for sign: Unicode.Scalar in ["<", ">", "\"", "'", "`"] { #expect(!text.unicodeScalars.contains(sign), "\(text)") }
  }

  @Test func whatTurnsTheDirectionOfTextOrIsNoTextIsReplaced() {
    #expect(escaped("photo\u{202e}gpj.exe") == "photo\u{fffd}gpj.exe")
    #expect(escaped("a\u{0}b\nc\u{2067}") == "a\u{fffd}b c\u{fffd}")
    #expect(escaped("\u{5e9}\u{5dc}\u{5d5}\u{5dd}.jpg") == "\u{5e9}\u{5dc}\u{5d5}\u{5dd}.jpg")
  }

  @Test func everyTemplateEscapesByScalars() throws {
    for (name, bytes) in Page.sources {
      #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("{{%CONTENT_TYPE: PAGE}}"), "\(name)")
    }
    let name = "\"\u{301} onload=\"x"
    let view: [String: Any] = ["title": name, "runs": [["name": name, "class": "s0"]], "differs": false, "same": 1]
    let page = try Page().html("compare", title: name, view: view)
    #expect(!page.utf8.contains(Array("\"\u{301} onload".utf8)) && !page.utf8.contains(Array("onload=\"x".utf8)))
    #expect(page.contains("&quot;"))
  }

  @Test func jsonInAScriptEndsNoScript() throws {
    // U+0600 and the sign behind it are one character.
    let words = ["</script><script>", "\u{2028}", "\u{600}</script \u{600}>&"]
    let text = try scriptJSON(words)
    #expect(!text.unicodeScalars.contains { "<>&\u{2028}".unicodeScalars.contains($0) })
    #expect(try JSONDecoder().decode([String].self, from: Data(text.utf8)) == words)
  }

  @Test func axesHaveRoundNumbersInsideTheirRange() {
    #expect(Axis([0, 10], ticks: 5).ticks == [0, 2, 4, 6, 8, 10])
    #expect(Axis([1, 3], ticks: 5).ticks == [1, 2, 3])
    #expect(Axis([7], ticks: 4).ticks.count >= 1)
    #expect(Axis([], ticks: 4).ticks.count >= 1)
    let small = Axis([0.00031, 0.00092], ticks: 4)
    #expect(small.ticks.map(small.text) == ["0.0004", "0.0006", "0.0008"])
    #expect(Axis([0, 0], ticks: 4).share(0) > 0)
    #expect(Axis([100, 100], ticks: 4, most: 100).ticks.allSatisfy { $0 <= 100 })
  }

  @Test func aChartHasATitleUnitsAndATableAndLeavesOutWhatIsNotFinite() throws {
    let chart = Chart(
      title: "Loss", caption: "", unit: "ln K", series: [.init(name: "<run>", points: [(1, 1.5), (2, .nan), (3, 0.5)])],
      reference: (1, "guessing"))
    let view = try #require(chart.view(id: "c"))
    let svg = try #require(view["svg"] as? String)
    #expect(svg.contains("aria-labelledby=\"c-title\"") && svg.contains("role=img") && svg.contains(">ln K<"))
    #expect(!svg.contains("nan") && svg.contains("guessing"))
    #expect((view["rows"] as? [[String: [String]]])?.count == 2)
    #expect(Chart(title: "", caption: "", series: [.init(name: "", points: [(1, .nan)])]).view(id: "c") == nil)
  }

  @Test func longCurvesAreThinnedToMeans() {
    let points = (0..<1000).map { (x: Double($0), y: 2.0) }
    let found = thinned(points, to: 100)
    #expect(found.count == 100 && found.allSatisfy { $0.y == 2 } && found.last?.x == 999)
  }

  @Test func numbersAreForPeople() {
    #expect(figure(1_234_567) == "1.2e+06" && figure(12345) == "12,345" && figure(0.9761) == "0.976")
    #expect(figure(12.345) == "12.3" && figure(3) == "3" && figure(.nan) == "not finite")
    #expect(span(52) == "52 s" && span(600) == "10 min" && span(12_000) == "3 h 20 min")
  }
}
