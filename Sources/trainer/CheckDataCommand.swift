import ArgumentParser
import SwAV

struct CheckDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-data",
    abstract: "Look at every image before training on them.",
    discussion: """
      Counts, sizes, formats, classes, broken files, duplicates, and how long an
      epoch would take with the settings that pretrain plans for the images.

      --json prints an object for each file that is broken, ignored, duplicate or
      near-duplicate (path, status, reason), then a summary.
      """)

  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String]
  @Flag(help: "Compute mean and standard deviation of the channels, as settings.")
  var statistics = false
  @Option(help: ArgumentHelp("Of the statistics: 1 or 3; as the images are unless given.", valueName: "n"))
  var channels: Int?
  @Flag(inversion: .prefixedNo, help: "Measure how fast loading and training are.")
  var speed = true
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      if let channels, channels != 1, channels != 3 {
        throw ValidationError("--channels is \(channels); 1 or 3 is needed")
      }
      let source = try openImages(images)
      var inspection = DataInspection(workers: threads.reading.workers)
      inspection.includesStatistics = statistics
      inspection.channels = channels ?? 0
      var console = Console(json: out.json)
      let report = try inspection.run(source) { done in
        console.showProgress("looking at images", done: done, total: source.count)
      }
      console.finishBar()
      let outlook = speed ? try Outlook(for: report, source, threads) : nil
      try DataReportView(report: report, outlook: outlook, name: images.joined(separator: ", ")).show(json: out.json)
    }
  }
}

/// What a pretraining on the images would be: the planned settings and their speed, or why there is none.
struct Outlook {
  var plan: PretrainConfiguration?
  var speed: SpeedEstimate?
  var obstacle: String?

  init(for report: DataReport, _ source: any ImageSource, _ threads: ThreadOptions) throws {
    guard let sizes = report.sizes else {
      obstacle = "no image can be decoded"
      return
    }
    do {
      var plan = try PretrainConfiguration.planned(for: DataSummary(count: source.drawCount, typicalSide: sizes.typicalSide))
        .configuration
      (plan.threads, plan.workers) = (threads.threads, threads.workers)
      speed = try SpeedEstimate.measure(source, configuration: plan)
      self.plan = plan
    } catch let error as PretrainingError {
      obstacle = "\(error)"
    }
  }
}
