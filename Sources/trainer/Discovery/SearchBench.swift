import ArgumentParser
import Foundation
import SwAV
import SwAVDiscovery

struct SearchBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Clusters, an index and a query, on made-up features.")
  @Option(help: "Rows.") var count = 100_000
  @Option(help: "Numbers of a row.") var dim = 512
  @Option(help: "Clusters of k-means.") var clusters = 100
  @Option(help: "0: one for each core.") var threads = 0
  @OptionGroup var out: OutputOptions

  private struct Result: Encodable {
    var count: Int
    var dim: Int
    var clusters: Int
    var clusterSeconds: Double
    var indexSeconds: Double
    var openSeconds: Double
    /// Median of several.
    var queryMilliseconds: Double
    var peakRssGib: Double
  }

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard count >= 2, dim >= 1, (1...count).contains(clusters) else {
        throw ValidationError(
          "--count is \(count), --dim \(dim), --clusters \(clusters); 2 rows, 1 number and 1 cluster are the least")
      }
      try Runtime.setThreads(threads)
      let features = try SearchBench.features(count, dim)
      let file = FileManager.default.temporaryDirectory.appendingPathComponent("swav-bench-\(getpid()).index")
      defer { try? FileManager.default.removeItem(at: file) }
      let clusterSeconds = try seconds { _ = try Clustering.byKMeans(features, clusters: clusters) }
      let indexSeconds = try seconds {
        try ImageIndex(features, names: (0..<count).map { "\($0).jpg" }).write(to: file.path)
      }
      var index: ImageIndex?
      let openSeconds = seconds { index = ImageIndex(at: file.path) }
      guard let index else { throw Failure(code: .io, message: "\(file.path): not readable", json: out.json) }
      let times = try (0..<21).map { query in
        let asked = try features.selecting([query * 997 % count])
        return try seconds { _ = try index.nearest(to: asked, count: 10) }
      }
      try show(
        Result(
          count: count, dim: dim, clusters: clusters, clusterSeconds: clusterSeconds, indexSeconds: indexSeconds,
          openSeconds: openSeconds, queryMilliseconds: 1000 * median(times), peakRssGib: peakResidentGiB()), json: out.json)
    }
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    return (ContinuousClock.now - start) / .seconds(1)
  }

  /// Rows around 200 directions, as features of images are: not all alike, not all different.
  private static func features(_ count: Int, _ dim: Int) throws -> Features {
    var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    func random() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) / Float(1 << 24) - 0.5
    }
    let centres = (0..<200 * dim).map { _ in random() }
    var values = [Float](repeating: 0, count: count * dim)
    for row in 0..<count {
      let centre = row * 7 % 200 * dim
      for d in 0..<dim { values[row * dim + d] = centres[centre + d] + random() }
    }
    return try Features(dim: dim, values: values)
  }
}
