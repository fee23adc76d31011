import ArgumentParser
import Foundation
import SwAV
import SwAVPages

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "One page about a run and what it found.",
    discussion: """
      A file by itself, under 6 MB, that can be mailed and read on a phone: three
      sentences, curves, signs of illness, a gallery of every cluster, a map of the
      pictures, neighbours before and after training, confusions where there are
      classes, where the time went, settings, and how to use the weights. pretrain
      writes RUN/report.html at its end. The pictures are those that the run was
      made from, where they still are.
      """)

  @Argument(help: ArgumentHelp("The folder of a run.", valueName: "run"))
  var folder: String
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where to; RUN/report.html unless given.", valueName: "file"))
  var output: String?
  @Option(help: ArgumentHelp("The images, where they are elsewhere now.", valueName: "images"))
  var images: String?
  @Option(help: ArgumentHelp("Labelled images that are asked about.", valueName: "images"))
  var val: String?
  @Option(help: ArgumentHelp("Images that are looked at, evenly spaced.", valueName: "n"))
  var samples = RunReport.usualLimit
  @OptionGroup var pictures: PictureOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard (1...5000).contains(samples) else { throw ValidationError("--samples is \(samples); 1 to 5000 are allowed") }
      let path = output ?? folder + "/report.html"
      try requireEnding([".html", ".htm"], of: path)
      try Runtime.setThreads(threads.threads)
      try endingOnSignal(stopped: "nothing was written", json: out.json) {
        var report = try RunReport(ofRunAt: folder, images: images.map { [$0] }, validation: val)
        try requireWritable(path, json: out.json)
        report.limit = samples
        report.reading = try threads.reading(pictures)
        var console = Console(json: out.json)
        if let missing = report.missing { try console.tell("note", "no pictures on the page: \(missing)") }
        let bytes = try report.write(to: path) { console.showProgress($0, done: $1, total: $2) }
        console.finishBar()
        if out.json { return print(try jsonRow("result", command: "report", fields: ["output": path, "bytes": bytes])) }
        print("report: \(path) (\(fixed(Double(bytes) / 1e6, 1)) MB)")
      }
    }
  }
}
