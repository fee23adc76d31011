import ArgumentParser
import SwAV

struct CheckDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-data",
    abstract: "Look at every image before training on them.",
    discussion: """
      Counts, sizes, formats, classes, broken files, duplicates, and how long an
      epoch would take with the settings that pretrain plans for the images.
      --quick looks at headers and some pictures only, in seconds.

      --json prints an object for each file that is broken, ignored, duplicate or
      near-duplicate (path, status, reason), then a summary, with what a plan for
      training needs to know under the key facts.
      """)

  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String]
  @Flag(help: "Compute mean and standard deviation of the channels, as settings.")
  var statistics = false
  @Option(help: ArgumentHelp("Of the statistics: 1 or 3; as the images are unless given.", valueName: "n"))
  var channels: Int?
  @Flag(inversion: .prefixedNo, help: "Measure how fast loading and training are.")
  var speed = true
  @Flag(help: "Look at the headers and at some hundred pictures only.")
  var quick = false
  @Flag(help: "End with code 65 when a file is broken, or a folder or link cannot be read.")
  var strict = false
  @OptionGroup var pictures: PictureOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      if let channels, channels != 1, channels != 3 {
        throw ValidationError("--channels is \(channels); 1 or 3 is needed")
      }
      guard !quick || !statistics && channels == nil else {
        throw ValidationError("--quick looks at some pictures only; --statistics and --channels need all of them")
      }
      let isSound = try endingOnSignal(stopped: "not all images were looked at", json: out.json) {
        try quick ? showFacts() : showReport()
      }
      if strict, !isSound { throw ExitCode(Failure.Code.data.rawValue) }
    }
  }

  /// Whether all was sound.
  private func showReport() throws -> Bool {
    let source = try openImages(images)
    var inspection = DataInspection(workers: threads.reading.workers)
    inspection.includesStatistics = statistics
    inspection.channels = channels ?? 0
    inspection.decoding = try pictures.decoding()
    var console = Console(json: out.json)
    let report = try inspection.run(source) { done in
      console.showProgress("looking at images", done: done, total: source.count)
    }
    console.finishBar()
    let outlook = speed ? try Outlook(for: report, source, threads, inspection.decoding) : nil
    try DataReportView(report: report, outlook: outlook, name: images.joined(separator: ", ")).show(json: out.json)
    return report.count(.broken) == 0 && !report.remarks.contains { $0.kind == .unreadable }
  }

  private func showFacts() throws -> Bool {
    let source = try openImages(images)
    var console = Console(json: out.json)
    let facts = try DataFacts.look(at: source, workers: threads.reading.workers, decoding: pictures.decoding()) { done in
      console.showProgress("looking at headers", done: done, total: min(source.count, DataFacts.mostHeaders))
    }
    console.finishBar()
    try DataFactsView(facts: facts, remarks: source.remarks, name: images.joined(separator: ", ")).show(json: out.json)
    return facts.broken + facts.undecodable == 0 && !source.remarks.contains { $0.kind == .unreadable }
  }
}

/// What a pretraining on the images would be: the planned settings and their speed, or why there is none.
struct Outlook {
  var plan: PretrainConfiguration?
  var speed: SpeedEstimate?
  var obstacle: String?

  init(for report: DataReport, _ source: any ImageSource, _ threads: ThreadOptions, _ decoding: DecodingOptions) throws {
    guard let sizes = report.sizes else {
      obstacle = "no image can be decoded"
      return
    }
    do {
      var plan = try PretrainConfiguration.planned(for: DataFacts(images: source.drawCount, shortSide: sizes.typicalSide))
        .configuration
      (plan.threads, plan.workers, plan.decoding) = (threads.threads, threads.workers, decoding)
      speed = try SpeedEstimate.measure(source, configuration: plan)
      self.plan = plan
    } catch let error as EngineError where error.code == .cancelled {
      throw error
    } catch {
      obstacle = errorLine(error)
    }
  }
}
