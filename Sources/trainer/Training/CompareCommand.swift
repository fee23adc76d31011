import ArgumentParser
import Foundation
import SwAV
import SwAVPages

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Runs side by side: figures, curves, settings.",
    discussion: """
      Prints what the runs came to and the settings that differ. With --output a
      page as well, a file by itself, with the curves of all runs in common charts.
      """)

  @Argument(help: ArgumentHelp("Folders of runs, two or more.", valueName: "run"))
  var runs: [String]
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Write a page as well: FILE.html.", valueName: "file"))
  var output: String?
  @OptionGroup var out: OutputOptions

  private struct Row: Encodable {
    var run: String
    var figures: [String: String]
    var settings: [String: String]
  }

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard runs.count >= 2 else { throw ValidationError("one run is given; two or more are needed to compare") }
      if let output { try requireEnding([".html", ".htm"], of: output) }
      let comparison = try RunComparison(ofRunsAt: runs)
      if let output { try requireWritable(output, json: out.json) }
      let bytes = try output.map { try comparison.write(to: $0) }
      guard out.json else {
        for line in comparison.lines() { print(line) }
        if let output, let bytes { print("page: \(output) (\(fixed(Double(bytes) / 1e6, 1)) MB)") }
        return
      }
      let (figures, differences) = (comparison.figures, comparison.differences)
      func values(_ rows: [RunComparison.Row], _ run: Int) -> [String: String] {
        Dictionary(rows.map { ($0.name, $0.values[run]) }, uniquingKeysWith: { a, _ in a })
      }
      for (number, run) in runs.enumerated() {
        print(
          try jsonRow("run", Row(run: run, figures: values(figures, number), settings: values(differences, number))))
      }
      var fields: [String: any Encodable] = ["runs": runs.count, "differences": differences.map(\.name)]
      if let output { fields["output"] = output }
      print(try jsonRow("result", command: "compare", fields: fields))
    }
  }
}
