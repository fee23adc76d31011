import Foundation
import Glibc
public import SwAVData
import SwAVEngine
public import SwAVEvaluation

/// Clusters as a folder: images.csv, clusters.csv, and a folder a cluster with links to its pictures, the most typical first. Pictures
/// that are no files of their own, as those of an archive, are written in place of links.
public struct ClusterFolder: Sendable {
  public let path: String
  /// Whether folders of links are made.
  public var makesLinks = true

  private var imageTable: String { path + "/images.csv" }
  private var clusterTable: String { path + "/clusters.csv" }
  /// The beginning of the names of the folders.
  private static let prefix = "cluster-"

  /// Throws ``OutputError/inUse(path:reason:)`` where the folder holds something that no earlier call has made.
  public init(_ path: String) throws {
    self.path = path
    let names = try ClusterFolder.names(in: path)
    let isOwn = names.contains("clusters.csv") && names.contains("images.csv")
    let foreign = names.filter { !["clusters.csv", "images.csv"].contains($0) && !ClusterFolder.isLinks($0, in: path) }
    guard names.isEmpty || isOwn && foreign.isEmpty else {
      throw OutputError.inUse(
        path: path,
        reason: "not empty, and not made by cluster alone (it has '\(foreign.first ?? names[0])'); use an empty or new folder")
    }
  }

  private static func names(in path: String) throws -> [String] {
    var status = stat()
    guard stat(path, &status) == 0 else { return [] }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw OutputError.file(path: path, reason: "not a folder") }
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }
    } catch {
      throw OutputError.file(path: path, reason: systemReason(error))
    }
  }

  /// Writes it all anew; links of an earlier call are taken away first.
  public func write(
    _ clustering: Clustering, of features: Features, _ source: any ImageSource,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    var isWritten = false
    do {
      // Half of them are nothing that anybody made: the same call finds the folder as this one did.
      defer { if !isWritten { try? removeLinks() } }
      try removeLinks()
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      var done = 0
      for cluster in clustering.living where makesLinks {
        let folder = "\(path)/\(ClusterFolder.name(of: cluster.number, count: clustering.clusters.count))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        for (rank, row) in cluster.rows.enumerated() {
          try place(features.samples[row], of: source, in: folder, rank: rank + 1, count: cluster.size)
          done += 1
          if done % 256 == 0 { try Cancellation.check() }
          try progress(done, features.count)
        }
      }
      try text(of: clustering, features, source).write(toFile: imageTable, atomically: true, encoding: .utf8)
      try summary(clustering, features, source).write(toFile: clusterTable, atomically: true, encoding: .utf8)
      isWritten = true
    } catch let error as CocoaError {
      throw OutputError.file(path: path, reason: errorLine(error))
    }
  }

  /// Whether it is a folder as `write` makes them, entries with the numbers from 1 on and nothing else in it: what somebody put
  /// beside them stays.
  private static func isLinks(_ name: String, in path: String) -> Bool {
    func isNumber(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    var status = stat()
    guard name.hasPrefix(prefix), isNumber(name.dropFirst(prefix.count)), lstat("\(path)/\(name)", &status) == 0,
      status.st_mode & S_IFMT == S_IFDIR, let links = try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(name)")
    else { return false }
    let numbers = links.compactMap { link in link.firstIndex(of: "-").flatMap { isNumber(link[..<$0]) ? Int(link[..<$0]) : nil }
    }
    return numbers.count == links.count && numbers.sorted() == (0..<links.count).map { $0 + 1 }
  }

  private func removeLinks() throws {
    for name in try ClusterFolder.names(in: path) where ClusterFolder.isLinks(name, in: path) {
      try FileManager.default.removeItem(atPath: path + "/" + name)
    }
  }

  /// "cluster-007": as wide as the largest number, so that they stand in order.
  static func name(of number: Int, count: Int) -> String { prefix + padded(number, like: count - 1) }

  private static func padded(_ number: Int, like largest: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, String(max(0, largest)).count - text.count)) + text
  }

  private func place(_ sample: Int, of source: any ImageSource, in folder: String, rank: Int, count: Int) throws {
    let name = source.name(of: sample)
    let last = name.split(separator: "/").last.map(String.init) ?? "picture"
    // A name has 255 bytes at most; what does not fit keeps its end, which says what kind of file it is.
    var kept = Array(last.utf8.suffix(200))
    while let byte = kept.first, byte & 0xc0 == 0x80 { kept.removeFirst() }
    let link = "\(folder)/\(ClusterFolder.padded(rank, like: count))-\(String(decoding: kept, as: UTF8.self))"
    guard let target = source.filePath(of: sample) else {
      try Data(try source.bytes(of: sample)).write(to: URL(fileURLWithPath: link))
      return
    }
    guard symlink(target, link) == 0 else {
      throw OutputError.file(path: link, reason: String(cString: strerror(errno)))
    }
  }

  /// A line an image, in the order of the source.
  private func text(of clustering: Clustering, _ features: Features, _ source: any ImageSource) -> String {
    let hasClasses = !source.classNames.isEmpty
    var lines = ["image," + (hasClasses ? "class," : "") + "cluster,similarity,margin,rank"]
    var ranks = [Int](repeating: 0, count: features.count)
    for cluster in clustering.clusters { for (rank, row) in cluster.rows.enumerated() { ranks[row] = rank + 1 } }
    for row in 0..<features.count {
      let sample = features.samples[row]
      let label = hasClasses ? csvField(source.label(of: sample).map { source.classNames[$0] } ?? "") + "," : ""
      lines.append(
        "\(csvField(source.name(of: sample))),\(label)\(clustering.assignment[row]),\(decimals(Double(clustering.similarities[row]), 5)),"
          + "\(decimals(Double(clustering.margins[row]), 5)),\(ranks[row])")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A line a cluster.
  private func summary(_ clustering: Clustering, _ features: Features, _ source: any ImageSource) -> String {
    var lines = ["cluster,images,sharpness,spread,medoid,duplicate_of"]
    for cluster in clustering.clusters {
      let medoid = cluster.medoid.map { csvField(source.name(of: features.samples[$0])) } ?? ""
      lines.append(
        "\(cluster.number),\(cluster.size),\(decimals(cluster.sharpness, 5)),\(decimals(cluster.spread, 5)),\(medoid),"
          + (cluster.duplicateOf.map(String.init) ?? ""))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
