import ArgumentParser
import Foundation
import SwAV
import SwAVDiscovery

struct DedupeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dedupe",
    abstract: "List near-duplicates, and images like no other.",
    discussion: """
      By the features of a network, so that cuts, other sizes and other brightness
      are found too. FILE.csv gets a line for each image of a group and for each
      that is like no other: kind (identical, similar, outlier), group, image,
      similarity, and what to think of it (keep, remove, look). Paths of one file,
      as links are, are all kept. Nothing is ever deleted.
      """)

  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String]
  @OptionGroup var network: WeightsOptions
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where the list goes: FILE.csv.", valueName: "file"))
  var output: String?
  @Option(help: ArgumentHelp("From which images count as nearly the same, to 1.", valueName: "s"))
  var similarity = Lookalikes.Options().similarity
  @Option(help: ArgumentHelp("Robust standard deviations that make an outlier.", valueName: "d"))
  var deviations = Lookalikes.Options().deviations
  @OptionGroup var indexing: IndexOptions
  @OptionGroup var out: OutputOptions

  func validate() throws {
    guard similarity > 0, similarity <= 1 else {
      throw ValidationError("--similarity is \(similarity); a number above 0, at most 1, is needed")
    }
    guard deviations > 0 else { throw ValidationError("--deviations is \(deviations); a number above 0 is needed") }
  }

  func run() throws {
    try Failure.reporting(json: out.json) {
      try Runtime.setThreads(indexing.threads.threads)
      if let output {
        try requireEnding([".csv"], of: output)
        try requireWritable(output, apartFrom: images, json: out.json)
      }
      try endingOnSignal(
        stopped: "nothing was listed; " + indexing.stopped(at: images, weights: network.weights), json: out.json
      ) {
        let source = try out.open(images)
        var console = Console(json: out.json)
        defer { console.finishBar() }
        let features = try indexing.features(of: source, at: images, network, json: out.json)
        var options = Lookalikes.Options()
        (options.similarity, options.deviations) = (similarity, deviations)
        let found = try Lookalikes(features, options) { console.showProgress("comparing", done: $0, total: $1) }
        console.finishBar()
        if let output { try table(found, features, source).write(toFile: output, atomically: true, encoding: .utf8) }
        try show(found, features, source)
      }
    }
  }

  private func table(_ found: Lookalikes, _ features: Features, _ source: any ImageSource) -> String {
    func line(_ kind: String, _ group: String, _ row: Int, _ similarity: Float, _ action: String) -> String {
      "\(kind),\(group),\(csvField(source.name(of: features.samples[row]))),\(fixed(Double(similarity), 5)),\(action)"
    }
    let groups = found.groups.enumerated().flatMap { number, group in
      func file(_ row: Int) -> FileIdentity? { source.filePath(of: features.samples[row]).flatMap { FileIdentity($0) } }
      // The first row of each content, which its copies are measured by.
      var originals: [UInt64: Int] = [:]
      return group.rows.enumerated().map { place, row in
        let content = features.contents.isEmpty ? nil : features.contents[row]
        let original = content.flatMap { originals[$0] }
        if let content, original == nil { originals[content] = row }
        guard let original else {
          return line(
            group.areIdentical ? "identical" : "similar", "\(number + 1)", row, group.similarities[place],
            place == 0 ? "keep" : "look")
        }
        let isSameFile = file(original).map { $0 == file(row) } ?? false
        return line("identical", "\(number + 1)", row, group.similarities[place], isSameFile ? "keep" : "remove")
      }
    }
    let outliers = found.outliers.map { line("outlier", "", $0.row, $0.similarity, "look") }
    return (["kind,group,image,similarity,action"] + groups + outliers).joined(separator: "\n") + "\n"
  }

  private func show(_ found: Lookalikes, _ features: Features, _ source: any ImageSource) throws {
    func name(_ row: Int) -> String { source.name(of: features.samples[row]) }
    let copies = found.groups.reduce(0) { $0 + $1.rows.count - 1 }
    if out.json {
      for group in found.groups {
        print(
          try jsonRow("group", fields: ["images": group.rows.map(name), "identical": group.areIdentical]))
      }
      for outlier in found.outliers {
        print(try jsonRow("outlier", fields: ["image": name(outlier.row), "deviations": outlier.deviations]))
      }
      return print(
        try jsonRow(
          "result", command: "dedupe",
          fields: [
            "images": features.count, "groups": found.groups.count, "copies": copies, "outliers": found.outliers.count,
            "bad_images": features.bad.count,
          ]))
    }
    print(
      "\(features.count) images: \(copies) nearly the same as an earlier one, in \(found.groups.count) groups; "
        + "\(found.outliers.count) like no other")
    for group in found.groups.prefix(10) {
      let names = group.rows.prefix(4).map(name).joined(separator: ", ") + (group.rows.count > 4 ? ", ..." : "")
      print("  \(group.areIdentical ? "identical" : "similar"), \(group.rows.count): \(names)")
    }
    for outlier in found.outliers.prefix(10) { print("  like no other: \(name(outlier.row))") }
    print(output.map { "\($0): the list; nothing was deleted" } ?? "-o FILE.csv writes the whole list; nothing was deleted")
  }
}
