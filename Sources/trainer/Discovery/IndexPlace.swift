import Foundation
import SwAV
import SwAVData
import SwAVDiscovery

/// Where the index of some images for some weights is kept, of each output an own one.
struct IndexPlace {
  /// nil: nowhere.
  let path: String?
  /// Whether somebody named it.
  let isGiven: Bool

  let output: Output

  /// `given`, or a file in the folder of the run, or beside the file of the weights, that is named after the images.
  init(weights: String, images: [String], output: Output, given: String?) {
    (isGiven, self.output) = (given != nil, output)
    let suffix = output == .features ? "" : ".\(output.rawValue)"
    guard given == nil, weights != "untrained" else {
      path = given.map { $0 + suffix }
      return
    }
    let paths = images.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
    var hash = FNV1a()
    hash.combine(paths.joined(separator: "\n").utf8)
    let name = "search-\(hash.hexadecimal).index\(suffix)"
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: weights, isDirectory: &isFolder)
    path = isThere && isFolder.boolValue ? weights + "/" + name : weights + "." + name
  }

  /// The index, brought up to date, and kept where something has changed. Says what was done.
  func upToDate(
    _ source: any ImageSource, _ network: Network, size: Int?, reading: ReadingOptions, identity: [String], json: Bool
  ) throws -> ImageIndex {
    var console = Console(json: json)
    defer { console.finishBar() }
    let path = try writable(&console, json: json)
    let update = try ImageIndex.updated(
      path.flatMap { ImageIndex(at: $0) }, for: source, network: network, identity: identity.joined(separator: " "),
      size: size, output: output, reading: reading, keep: { index in if let path { try index.write(to: path) } },
      progress: { console.showProgress("looking at new images", done: $0, total: $1) })
    for bad in update.bad { try console.tell(bad) }
    let count = update.index.names.count
    guard count > 0 else {
      let first = update.bad.first.map { "; \($0.name): \($0.reason)" } ?? ""
      throw DataError(.unusable, "none of \(source.count) images could be read\(first)")
    }
    if update.added > 0 || update.dropped > 0, let path { try update.index.write(to: path) }
    if json {
      let fields: [String: any Encodable] = [
        "images": count, "added": update.added, "kept": update.kept, "dropped": update.dropped, "index": path ?? "",
      ]
      print(try jsonRow("index", fields: fields))
    } else {
      console.line(
        "index: \(count) images, \(update.added) of them new, \(update.dropped) dropped\(path.map { "; \($0)" } ?? "; not kept")"
      )
    }
    return update.index
  }

  /// The place, where a file can be written there. One that nobody named may be in a folder of weights that are somebody else's.
  private func writable(_ console: inout Console, json: Bool) throws -> String? {
    guard let path else { return nil }
    do {
      try requireWritable(path, json: json)
      if ImageIndex.isForeign(path) {
        throw Failure(code: .outputInUse, message: "\(path): it is there and is no index; name another file", json: json)
      }
      return path
    } catch let failure as Failure where !isGiven {
      try console.tell("warning", "the index is not kept: \(failure.message); --index names another place")
      return nil
    }
  }
}
