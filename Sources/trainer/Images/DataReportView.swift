import Foundation
import SwAV

/// A report on images as a table for people or as JSON objects.
struct DataReportView {
  let report: DataReport
  let outlook: Outlook?
  /// What was looked at.
  let name: String

  /// Columns that the table stays within; longer names are cut.
  static let width = 100
  /// Of the longest bar: what a title and a number leave of the line.
  private static let barWidth = max(10, min(width, Console.columns ?? width) - 50)
  /// Rows of unsound files and of classes for people; --json has all.
  private static let maximumRows = 12

  func show(json: Bool) throws {
    if json { return try showJSON() }
    var console = Console(json: false)
    for line in lines { console.line(line) }
  }

  var lines: [String] {
    overview + histogram + classes + speed + findings
  }

  static func row(_ title: String, _ text: String) -> String {
    DataReportView.cut(self.title(title) + text)
  }

  static func title(_ title: String) -> String { title.padding(toLength: 18, withPad: " ", startingAt: 0) }

  private func row(_ title: String, _ text: String) -> String { DataReportView.row(title, text) }

  private var overview: [String] {
    var lines = [
      row("images", "\(report.images) in \(name), \(DataReportView.megabytes(report.bytes))"),
      row("broken, ignored", "\(report.count(.broken)) and \(report.count(.ignored))"),
      row("duplicates", duplicates),
      row("formats", report.formats.map { "\($0.name) \($0.images)" }.joined(separator: ", ")),
      row("channels", channels),
    ]
    lines += stored
    if let sizes = report.sizes {
      let text = [("smallest", sizes.smallest), ("median", sizes.median), ("largest", sizes.largest)]
        .map { "\($0) \($1.width)x\($1.height)" }.joined(separator: ", ")
      lines.append(row("sizes", text + "; median of the shorter sides \(sizes.typicalSide)"))
    }
    if let color = report.facts.color { lines.append(row("colour", DataReportView.text(color))) }
    lines += DataReportView.rows(report.remarks)
    if let statistics = report.statistics {
      lines.append(row("statistics", "as settings of pretrain, of samples in 0...1:"))
      lines.append(row("", DataReportView.flags(statistics)))
    }
    return lines
  }

  private var duplicates: String {
    let exact = report.count(.duplicate)
    let contradictions = report.contradictions > 0 ? " (\(report.contradictions) of them in another class)" : ""
    return "\(exact) of equal bytes\(contradictions), \(report.count(.nearDuplicate)) that look alike"
  }

  private var channels: String {
    let deep = report.deep > 0 ? "; \(report.deep) of 16 bits" : ""
    let advice = report.readable > 0 && report.gray == report.readable ? " (one channel would do)" : ""
    return "RGB \(report.readable - report.gray), gray \(report.gray)\(advice)\(deep)"
  }

  /// What is stored and not used, or taken in different ways by different programs.
  private var stored: [String] {
    let forms = report.stored
    var lines: [String] = []
    if forms.alpha > 0 {
      lines.append(row("transparency", "\(forms.alpha); the colours below are used, or what --background names"))
    }
    if forms.cmyk > 0 {
      let unmarked =
        forms.cmykWithoutMarker > 0 ? ", \(forms.cmykWithoutMarker) without Adobe's marker: negatives in some programs" : ""
      lines.append(row("CMYK", "\(forms.cmyk)\(unmarked)"))
    }
    if forms.severalFrames > 0 {
      lines.append(row("frames, pages", "\(forms.severalFrames) files have several; the first one is used"))
    }
    return lines
  }

  /// The settings that the statistics are for, as flags.
  static func flags(_ statistics: ChannelStatistics) -> String {
    func numbers(_ values: [Double]) -> String { values.map { String(format: "%.4f", $0) }.joined(separator: " ") }
    return "--channels \(statistics.channels) --mean \(numbers(statistics.mean)) --std \(numbers(statistics.std))"
  }

  private var histogram: [String] {
    guard let sizes = report.sizes, sizes.histogram.count > 1 else { return [] }
    let most = sizes.histogram.map(\.images).max() ?? 1
    return ["", "shorter side"]
      + sizes.histogram.map { bar in
        let range = bar.to.map { "\(bar.from) to \($0)" } ?? "\(bar.from) and more"
        return barLine(range, bar.images, most: most)
      }
  }

  private func barLine(_ title: String, _ count: Int, most: Int) -> String {
    let name = DataReportView.cut(title, to: 28).padding(toLength: 28, withPad: " ", startingAt: 0)
    let number = "\(count)"
    let bar = String(repeating: "#", count: max(1, DataReportView.barWidth * count / max(1, most)))
    let line = "  \(name) \(String(repeating: " ", count: max(0, 9 - number.count)))\(number)"
    return count == 0 ? line : "\(line)  \(bar)"
  }

  private var classes: [String] {
    guard report.classes.count > 1 else { return [] }
    let ordered = report.classes.sorted { ($1.images, $0.name) < ($0.images, $1.name) }
    let (most, least) = (ordered[0].images, ordered[ordered.count - 1].images)
    let ratio = String(format: "%.1f", Double(most) / Double(max(1, least)))
    let title = "\(ordered.count) classes, the largest \(ratio) times the smallest"
    let half = DataReportView.maximumRows / 2
    let all = ordered.map { barLine($0.name, $0.images, most: most) }
    let shown = all.count <= DataReportView.maximumRows ? all : all.prefix(half) + ["  ..."] + all.suffix(half)
    return ["", title] + shown
  }

  private var speed: [String] {
    guard let outlook else { return [] }
    if let obstacle = outlook.obstacle { return ["", row("speed", "not measured: \(obstacle)")] }
    guard let plan = outlook.plan, let speed = outlook.speed else { return [] }
    let limit =
      speed.loadingImagesPerSecond < speed.trainingImagesPerSecond
      ? "loading limits: smaller files would help"
      : "training limits: smaller crops or a smaller network would help"
    return [
      "",
      "speed here with the planned \(plan.arch.rawValue), crops \(CropGroup.describe(plan.crops)), batch \(plan.batch)",
      row("loading", "\(DataReportView.rate(speed.loadingImagesPerSecond)) images/s"),
      row("training", "\(DataReportView.rate(speed.trainingImagesPerSecond)) images/s"),
      row("together", "\(DataReportView.rate(speed.imagesPerSecond)) images/s; \(limit)"),
      row(
        "an epoch",
        "\(duration(speed.epochSeconds))"
          + (plan.budget.map { "; about \(Int($0 / speed.epochSeconds)) in \(duration($0))" } ?? "")),
    ]
  }

  /// Broken and ignored files first: they come first in the report.
  private var findings: [String] {
    guard !report.findings.isEmpty else { return [] }
    var lines = [""]
    for finding in report.findings.prefix(DataReportView.maximumRows) {
      let status = finding.status.rawValue.padding(toLength: 15, withPad: " ", startingAt: 0)
      // Of a long path the end says most; the reason should be seen as well.
      let room = max(40, DataReportView.width - status.count - 3 - finding.reason.count)
      let path = finding.path.count <= room ? finding.path : "..." + finding.path.suffix(room - 3)
      lines.append(DataReportView.cut("\(status) \(path): \(finding.reason)"))
    }
    let rest = report.findings.count - DataReportView.maximumRows
    if rest > 0 { lines.append("... and \(rest) more; --json lists all") }
    return lines
  }

  /// The text, or its beginning and "...".
  static func cut(_ text: String, to width: Int = width) -> String {
    text.count <= width ? text : text.prefix(width - 3) + "..."
  }

  private static func megabytes(_ bytes: Int) -> String {
    bytes < 1 << 20 ? "\((bytes + 1023) >> 10) KiB" : "\(fixed(Double(bytes) / 1_048_576, 1)) MiB"
  }

  private static func rate(_ value: Double) -> String { fixed(value, value < 10 ? 1 : 0) }
}

extension DataReportView {
  /// The last object of --json.
  private struct Summary: Encodable {
    var images: Int
    var readable: Int
    var broken: Int
    var ignored: Int
    var duplicates: Int
    var nearDuplicates: Int
    var contradictions: Int
    var bytes: Int
    var formats: [String: Int]
    var gray: Int
    var bits16: Int
    var alpha: Int
    var cmyk: Int
    var cmykWithoutMarker: Int
    var severalFrames: Int
    var smallest: SizeSummary.Size?
    var median: SizeSummary.Size?
    var largest: SizeSummary.Size?
    var shorterSide: Int?
    var histogram: [SizeSummary.Row]
    var classes: [String: Int]
    var channels: Int?
    var mean: [Double]?
    var std: [Double]?
    var arch: String?
    var crops: String?
    var batch: Int?
    var loadingImagesPerSecond: Double?
    var trainingImagesPerSecond: Double?
    var imagesPerSecond: Double?
    var epochSeconds: Double?
    var remarks: [SourceRemark]
    var facts: DataFacts
  }

  private func showJSON() throws {
    for finding in report.findings { print(try jsonRow("finding", finding)) }
    let (sizes, statistics, plan, speed) = (report.sizes, report.statistics, outlook?.plan, outlook?.speed)
    let pairs = { (values: [(name: String, images: Int)]) in
      Dictionary(values.map { ($0.name, $0.images) }, uniquingKeysWith: +)
    }
    print(
      try jsonRow(
        "result", command: "check-data",
        Summary(
          images: report.images, readable: report.readable, broken: report.count(.broken), ignored: report.count(.ignored),
          duplicates: report.count(.duplicate), nearDuplicates: report.count(.nearDuplicate),
          contradictions: report.contradictions, bytes: report.bytes, formats: pairs(report.formats), gray: report.gray,
          bits16: report.deep, alpha: report.stored.alpha, cmyk: report.stored.cmyk,
          cmykWithoutMarker: report.stored.cmykWithoutMarker, severalFrames: report.stored.severalFrames,
          smallest: sizes?.smallest, median: sizes?.median, largest: sizes?.largest,
          shorterSide: sizes?.typicalSide, histogram: sizes?.histogram ?? [], classes: pairs(report.classes),
          channels: statistics?.channels, mean: statistics?.mean, std: statistics?.std, arch: plan?.arch.rawValue,
          crops: plan.map { CropGroup.describe($0.crops) }, batch: plan?.batch,
          loadingImagesPerSecond: speed?.loadingImagesPerSecond, trainingImagesPerSecond: speed?.trainingImagesPerSecond,
          imagesPerSecond: speed?.imagesPerSecond, epochSeconds: speed?.epochSeconds,
          remarks: report.remarks, facts: report.facts)))
  }
}
