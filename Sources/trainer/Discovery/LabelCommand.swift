import ArgumentParser
import Foundation
import SwAV
import SwAVDiscovery

struct LabelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "label",
    abstract: "Spread a few labels, and ask for the next ones.",
    discussion: """
      Labels go from image to image along the nearest neighbours by features.
      FILE.csv gets a line an image: path, label, probability, whether it was
      given, and the order in which the images worth labelling next should be
      asked about. The table of labels has columns path and label; paths are as
      they are in the images' folder, or as files; a row without a label says
      nothing.
      """)

  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String]
  @OptionGroup var network: WeightsOptions
  @Option(help: ArgumentHelp("Labels of some of them: a table (.csv).", valueName: "file"))
  var labels: String
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where to: FILE.csv.", valueName: "file"))
  var output: String
  @Option(help: ArgumentHelp("Images to name for labelling next.", valueName: "n"))
  var ask = LabelSpreading.Options().asked
  @OptionGroup var indexing: IndexOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard ask >= 0 else { throw ValidationError("--ask is \(ask); a number from 0 on is needed") }
      try requireEnding([".csv"], of: output)
      try requireWritable(output, apartFrom: images + [labels], json: out.json)
      try Runtime.setThreads(indexing.threads.threads)
      try endingOnSignal(
        stopped: "nothing was written; " + indexing.stopped(at: images, weights: network.weights), json: out.json
      ) {
        let table = try LabelTable(contentsOf: labels)
        let source = try out.open(images)
        var console = Console(json: out.json)
        defer { console.finishBar() }
        let features = try indexing.features(of: source, at: images, network, json: out.json)
        let given = try GivenLabels(table, of: features, source, file: labels)
        if let first = given.unknown.first {
          try console.tell(
            "warning",
            "\(given.unknown.count) rows of \(labels) name no image that is there and can be read; the first: \(first)")
        }
        var options = LabelSpreading.Options()
        options.asked = ask
        let found = try LabelSpreading(features, labels: given.labels, classes: given.classNames.count, options) {
          console.showProgress("neighbours", done: $0, total: $1)
        }
        console.finishBar()
        try text(found, given, features, source).write(toFile: output, atomically: true, encoding: .utf8)
        try show(found, given, features, source)
      }
    }
  }

  private func text(
    _ found: LabelSpreading, _ given: GivenLabels, _ features: Features, _ source: any ImageSource
  ) -> String {
    let order = Dictionary(uniqueKeysWithValues: found.next.enumerated().map { ($1, $0 + 1) })
    let lines = (0..<features.count).map { row in
      let best = found.best(of: row)
      return [
        csvField(source.name(of: features.samples[row])), csvField(given.classNames[best.label]),
        fixed(Double(best.probability), 4), given.labels[row] == nil ? "0" : "1", order[row].map { "\($0)" } ?? "",
      ].joined(separator: ",")
    }
    return (["path,label,probability,given,ask"] + lines).joined(separator: "\n") + "\n"
  }

  private func show(
    _ found: LabelSpreading, _ given: GivenLabels, _ features: Features, _ source: any ImageSource
  ) throws {
    let known = given.labels.count { $0 != nil }
    let next = found.next.map { source.name(of: features.samples[$0]) }
    var counts = [Int](repeating: 0, count: given.classNames.count)
    for row in 0..<features.count { counts[found.best(of: row).label] += 1 }
    if out.json {
      let classes = Dictionary(zip(given.classNames, counts), uniquingKeysWith: { a, _ in a })
      return print(
        try jsonRow(
          "result", command: "label",
          fields: ["images": features.count, "given": known, "labels": classes, "ask": next, "output": output]))
    }
    print("\(known) labels of \(given.classNames.count) classes, spread over \(features.count) images: \(output)")
    for (name, count) in zip(given.classNames, counts) { print("  \(name): \(count)") }
    if !next.isEmpty { print("worth labelling next:") }
    for name in next.prefix(10) { print("  \(name)") }
  }
}

/// The labels of a table, by the rows of features.
struct GivenLabels {
  /// In the order of their bytes.
  let classNames: [String]
  /// Of each row; nil where none is given.
  let labels: [Int?]
  /// Paths of the table that are no row.
  let unknown: [String]

  /// Images are found by their names, as the source has them or with the path of the source before them. Throws where none is found.
  init(_ table: LabelTable, of features: Features, _ source: any ImageSource, file: String) throws {
    var rows: [String: Int] = [:]
    for (row, sample) in features.samples.enumerated() {
      rows[source.name(of: sample)] = row
      if let path = source.filePath(of: sample) {
        let text = String(decoding: path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        rows[GivenLabels.standard(text)] = row
      }
    }
    let names = Set(table.rows.map(\.label)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    var (labels, unknown) = ([Int?](repeating: nil, count: features.count), [String]())
    for row in table.rows {
      guard let found = rows[row.path] ?? rows[GivenLabels.standard(row.path)] else {
        unknown.append(row.path)
        continue
      }
      labels[found] = numbers[row.label]
    }
    guard labels.contains(where: { $0 != nil }) else {
      throw DataError(
        .unusable,
        "\(file): none of its \(table.rows.count) rows names an image that is there; the first: \(table.rows[0].path)")
    }
    (classNames, self.labels, self.unknown) = (names, labels, unknown)
  }

  private static func standard(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
}
