import ArgumentParser
import Foundation
import SwAV
import SwAVDiscovery

struct ClusterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster",
    abstract: "Sort images into clusters: folders of links, tables.",
    discussion: """
      The clusters are the prototypes that the network has learned, or with --k
      those that k-means finds in its features. OUT gets images.csv (cluster,
      similarity to its centre, how much less to the next one), clusters.csv (size,
      sharpness, spread, the image that stands for it, which one it is a copy of)
      and a folder a cluster with links to its images, the most typical first.
      Images that are no files of their own are written in place of links.
      """)

  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String]
  @OptionGroup var network: WeightsOptions
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("The folder for what comes out.", valueName: "dir"))
  var output: String
  @Option(help: ArgumentHelp("Clusters by k-means on the features, in place of the prototypes.", valueName: "n"))
  var k: Int?
  @Option(help: ArgumentHelp("Of k-means: all random decisions follow from it.", valueName: "n"))
  var clusterSeed: UInt64 = 0
  @Flag(help: "Clusters of about equal sizes: codes by Sinkhorn decide.")
  var balanced = false
  @Flag(help: "Make one cluster of those that are nearly the same.")
  var mergeDuplicates = false
  @Flag(inversion: .prefixedNo, help: "Make the folders of links.")
  var links = true
  @OptionGroup var indexing: IndexOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      if let k, !(1...1_000_000).contains(k) { throw ValidationError("--k is \(k); 1 to 1000000 are allowed") }
      try Runtime.setThreads(indexing.threads.threads)
      let stopped = "nothing was written; " + indexing.stopped(at: images, weights: network.weights, output: rows)
      try endingOnSignal(stopped: stopped, json: out.json) {
        var folder = try ClusterFolder(output)
        folder.makesLinks = links
        let source = try out.open(images, labelled: true)
        try folder.requireApart(from: source)
        let network = try network.open(json: out.json)
        var console = Console(json: out.json)
        defer { console.finishBar() }
        let (features, clustering) = try clusters(of: source, network, &console)
        try folder.write(clustering, of: features, source) { console.showProgress("writing", done: $0, total: $1) }
        console.finishBar()
        try show(clustering, features, source, &console)
      }
    }
  }

  /// What is clustered.
  private var rows: Output { k == nil ? .embeddings : .features }

  private func clusters(
    of source: any ImageSource, _ network: Network, _ console: inout Console
  ) throws -> (Features, Clustering) {
    var options = ClusteringOptions()
    (options.isBalanced, options.mergesDuplicates, options.seed) = (balanced, mergeDuplicates, clusterSeed)
    let prototypes = try k == nil ? network.prototypes() : nil
    guard k != nil || prototypes != nil, self.network.weights != "untrained" || k != nil else {
      throw DataError(.unusable, "weights \(self.network.weights): no prototypes that were learned; give --k for k-means")
    }
    let features = try indexing.upToDate(
      source, at: images, network, weights: self.network.weights, identity: self.network.identity(), size: self.network.size,
      output: rows, json: out.json
    ).features
    var view = console
    defer { console = view }
    func progress(_ done: Int, _ total: Int) { view.showProgress("clustering", done: done, total: total) }
    if let k { return (features, try .byKMeans(features, clusters: k, options, progress: progress)) }
    return (features, try .byPrototypes(features, prototypes: prototypes ?? features, options, progress: progress))
  }

  private func show(
    _ clustering: Clustering, _ features: Features, _ source: any ImageSource, _ console: inout Console
  ) throws {
    let living = clustering.living
    if out.json {
      let fields: [String: any Encodable] = [
        "images": features.count, "bad_images": features.bad.count, "method": clustering.method.rawValue,
        "clusters": clustering.clusters.count, "in_use": living.count, "dead": clustering.dead.map(\.number),
        "duplicates": clustering.duplicates.map(\.number), "largest": living.map(\.size).max() ?? 0, "output": output,
      ]
      return print(try jsonRow("result", command: "cluster", fields: fields))
    }
    let sizes = living.map(\.size).sorted()
    console.line(
      "\(features.count) images in \(living.count) of \(clustering.clusters.count) clusters, of \(sizes.first ?? 0) to "
        + "\(sizes.last ?? 0) images, \(sizes.isEmpty ? 0 : sizes[sizes.count / 2]) in the middle")
    console.line("the sharpest:")
    for cluster in living.sorted(by: { ($0.sharpness, $1.number) > ($1.sharpness, $0.number) }).prefix(5) {
      let name = cluster.medoid.map { source.name(of: features.samples[$0]) } ?? ""
      console.line("  \(cluster.number): \(cluster.size) images as \(name)")
    }
    func list(_ clusters: [Clustering.Cluster]) -> String {
      clusters.prefix(20).map { "\($0.number)" }.joined(separator: ", ") + (clusters.count > 20 ? ", ..." : "")
    }
    if !clustering.dead.isEmpty { console.line("without images: \(clustering.dead.count) (\(list(clustering.dead)))") }
    let copies = clustering.duplicates
    if !copies.isEmpty {
      let hint = mergeDuplicates ? "; they were merged" : "; --merge-duplicates makes one of each"
      console.line("nearly the same as another one: \(copies.count) (\(list(copies)))\(hint)")
    }
    console.line("\(output): clusters.csv, images.csv\(links ? ", a folder a cluster" : "")")
  }
}
