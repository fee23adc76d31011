import Foundation
import Glibc
public import SwAVData
import SwAVEngine
public import SwAVEvaluation

/// Clusters as a folder: images.csv, clusters.csv, and a folder a cluster with links to its pictures, the most typical first. Pictures
/// that are no files of their own, as those of an archive, are written in place of links, and a hidden list says which those are: only
/// links and what the list has are taken away by a later call.
public struct ClusterFolder: Sendable {
  public let path: String
  /// Whether folders of links are made.
  public var makesLinks = true

  /// Where all is made before it takes the place of what an earlier call has made.
  private var staging: String { path + "/.new" }
  /// Pictures that were written, a line each: size, and path in the folder.
  private static let writtenList = ".written"
  /// The beginning of the names of the folders.
  private static let prefix = "cluster-"

  /// Throws ``OutputError/inUse(path:reason:)`` where the folder holds something that no earlier call has made.
  public init(_ path: String) throws {
    self.path = path
    let names = try ClusterFolder.names(in: path)
    let isOwn = names.contains("clusters.csv") && names.contains("images.csv")
    let written = written
    let foreign = names.filter { !["clusters.csv", "images.csv"].contains($0) && !isFromEarlier($0, written) }
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

  /// Throws ``OutputError/inUse(path:reason:)`` where images of the source lie in the folder: they would be taken away with what an
  /// earlier call has made.
  public func requireApart(from source: any ImageSource) throws {
    guard let own = resolvedPath(path) else { return }
    var looked: [String: Bool] = [:]
    for sample in 0..<source.count {
      guard let file = source.filePath(of: sample) else { continue }
      let text = String(decoding: file.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let folder = String(text[..<(text.lastIndex(of: "/") ?? text.startIndex)])
      let isInside = looked[folder] ?? (resolvedPath(folder).map { $0 == own || $0.hasPrefix(own + "/") } ?? false)
      looked[folder] = isInside
      guard !isInside else {
        throw OutputError.inUse(
          path: path, reason: "it holds '\(source.name(of: sample))', one of the images; name a folder apart from them")
      }
    }
  }

  /// Writes it all anew; links of an earlier call are taken away first.
  public func write(
    _ clustering: Clustering, of features: Features, _ source: any ImageSource,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    let files = FileManager.default
    do {
      // What was left by a process that was killed, and what is left of a call that fails.
      try? files.removeItem(atPath: staging)
      defer { try? files.removeItem(atPath: staging) }
      try files.createDirectory(atPath: staging, withIntermediateDirectories: true)
      var (done, made) = (0, "")
      for cluster in clustering.living where makesLinks {
        let folder = "\(staging)/\(ClusterFolder.name(of: cluster.number, count: clustering.clusters.count))"
        try files.createDirectory(atPath: folder, withIntermediateDirectories: false)
        for (rank, row) in cluster.rows.enumerated() {
          if let file = try place(features.samples[row], of: source, in: folder, rank: rank + 1, count: cluster.size) {
            made += "\(file.bytes) \(file.path.dropFirst(staging.count + 1))\n"
          }
          done += 1
          if done % 256 == 0 { try Cancellation.check() }
          try progress(done, features.count)
        }
      }
      func write(_ text: String, _ name: String) throws {
        try text.write(toFile: staging + "/" + name, atomically: true, encoding: .utf8)
      }
      if !made.isEmpty { try write(made, ClusterFolder.writtenList) }
      try write(text(of: clustering, features, source), "images.csv")
      try write(summary(clustering, features, source), "clusters.csv")
      try removeLinks()
      // The tables last: with them the folder is one of this type.
      for name in try files.contentsOfDirectory(atPath: staging).sorted(by: { !$0.hasSuffix(".csv") && $1.hasSuffix(".csv") }) {
        guard rename(staging + "/" + name, path + "/" + name) == 0 else {
          throw OutputError.file(path: path + "/" + name, reason: String(cString: strerror(errno)))
        }
      }
    } catch let error as CocoaError {
      throw OutputError.file(path: path, reason: errorLine(error))
    }
  }

  /// What the list has, by path in the folder.
  private var written: [Substring: Int] {
    guard let text = try? String(contentsOfFile: path + "/" + ClusterFolder.writtenList, encoding: .utf8) else { return [:] }
    let rows = text.split(separator: "\n").compactMap { line in
      line.firstIndex(of: " ").flatMap { blank in Int(line[..<blank]).map { (line[blank...].dropFirst(), $0) } }
    }
    return Dictionary(rows, uniquingKeysWith: { _, last in last })
  }

  /// Whether it is a folder as `write` makes them: links, or pictures that it has written, with the numbers from 1 on, and nothing else
  /// in it. What somebody put there or beside them stays.
  private func isFromEarlier(_ name: String, _ written: [Substring: Int]) -> Bool {
    let prefix = ClusterFolder.prefix
    func isMade(_ entry: String) -> Bool {
      var status = stat()
      guard lstat("\(path)/\(name)/\(entry)", &status) == 0 else { return false }
      return status.st_mode & S_IFMT == S_IFLNK || written["\(name)/\(entry)"] == Int(status.st_size)
    }
    func isNumber(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    var status = stat()
    guard name.hasPrefix(prefix), isNumber(name.dropFirst(prefix.count)), lstat("\(path)/\(name)", &status) == 0,
      status.st_mode & S_IFMT == S_IFDIR, let links = try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(name)")
    else { return false }
    let numbers = links.compactMap { link in link.firstIndex(of: "-").flatMap { isNumber(link[..<$0]) ? Int(link[..<$0]) : nil }
    }
    return numbers.count == links.count && numbers.sorted() == (0..<links.count).map { $0 + 1 } && links.allSatisfy(isMade)
  }

  private func removeLinks() throws {
    let written = written
    for name in try ClusterFolder.names(in: path) where isFromEarlier(name, written) {
      try FileManager.default.removeItem(atPath: path + "/" + name)
    }
    unlink(path + "/" + ClusterFolder.writtenList)
  }

  /// "cluster-007": as wide as the largest number, so that they stand in order.
  static func name(of number: Int, count: Int) -> String { prefix + padded(number, like: count - 1) }

  private static func padded(_ number: Int, like largest: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, String(max(0, largest)).count - text.count)) + text
  }

  /// Makes the link, or writes the picture: then what was written.
  private func place(
    _ sample: Int, of source: any ImageSource, in folder: String, rank: Int, count: Int
  ) throws -> (path: String, bytes: Int)? {
    let name = source.name(of: sample)
    let last = name.split(separator: "/").last.map(String.init) ?? "picture"
    // A name has 255 bytes at most; what does not fit keeps its end, which says what kind of file it is.
    var kept = Array(last.utf8.suffix(200))
    while let byte = kept.first, byte & 0xc0 == 0x80 { kept.removeFirst() }
    let link = "\(folder)/\(ClusterFolder.padded(rank, like: count))-\(String(decoding: kept, as: UTF8.self))"
    guard let target = source.filePath(of: sample) else {
      let bytes = try source.bytes(of: sample)
      try Data(bytes).write(to: URL(fileURLWithPath: link))
      return (link, bytes.count)
    }
    guard symlink(target, link) == 0 else {
      throw OutputError.file(path: link, reason: String(cString: strerror(errno)))
    }
    return nil
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

/// Without links and dots; nil where nothing is there.
private func resolvedPath(_ path: String) -> String? {
  guard let found = realpath(path, nil) else { return nil }
  defer { free(found) }
  return String(cString: found)
}
