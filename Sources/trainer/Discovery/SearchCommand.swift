import ArgumentParser
import SwAV
import SwAVDiscovery

struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Find the images that are most like given ones.",
    discussion: """
      Exactly, by the cosine of features. The features of the images are kept in an
      index that is made once and brought up to date when images come, go or
      change: in the folder of the run, or beside the file of the weights, unless
      --index names another place.
      """)

  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String]
  @OptionGroup var network: WeightsOptions
  @Option(
    name: [.customShort("q"), .long], parsing: .singleValue,
    help: ArgumentHelp("Pictures to look for; a folder or a list as well. May come again.", valueName: "image"))
  var query: [String]
  @Option(name: [.customShort("n"), .long], help: ArgumentHelp("Images to find for each.", valueName: "n"))
  var count = 10
  @OptionGroup var indexing: IndexOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard (1...100_000).contains(count) else { throw ValidationError("--count is \(count); 1 to 100000 are allowed") }
      try Runtime.setThreads(indexing.threads.threads)
      try endingOnSignal(stopped: indexing.stopped(at: images, weights: network.weights), json: out.json) {
        let (source, queries) = (try out.open(images), try openImages(query))
        let opened = try network.open(json: out.json)
        let index = try indexing.upToDate(
          source, at: images, opened, weights: network.weights, identity: try network.identity(), size: network.size,
          json: out.json)
        let asked = try Features.extract(from: queries, network: opened, size: network.size, options: try indexing.reading())
        guard let first = asked.bad.first, asked.count == 0 else { return try show(index, asked, queries) }
        throw DataError(.unusable, "none of \(asked.bad.count) queries could be read; \(first.name): \(first.reason)")
      }
    }
  }

  private func show(_ index: ImageIndex, _ asked: Features, _ queries: any ImageSource) throws {
    let start = ContinuousClock.now
    let found = try index.nearest(to: asked, count: count)
    let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
    for row in 0..<asked.count {
      let name = queries.name(of: asked.samples[row])
      if !out.json { print(name) }
      for (rank, match) in found.of(row).enumerated() {
        if out.json {
          print(
            try jsonRow(
              "match",
              fields: ["query": name, "rank": rank + 1, "image": index.names[match.row], "cosine": Double(match.cosine)]))
        } else {
          print("  \(fixed(Double(match.cosine), 4))  \(index.names[match.row])")
        }
      }
    }
    for bad in asked.bad where !out.json { print("left out \(bad.name): \(bad.reason)") }
    guard out.json else { return }
    print(
      try jsonRow(
        "result", command: "search",
        fields: [
          "queries": asked.count, "images": index.names.count, "milliseconds": milliseconds, "bad_queries": asked.bad.count,
        ]))
  }
}
