import Glibc

/// Where the relative paths of a list begin, and whether backslashes separate folders in it, as in lists made under Windows: found
/// by looking which of the files are there.
struct ListBase {
  /// Ends in a slash; empty: the current folder.
  var folder: [UInt8]
  var backslashesSeparate: Bool
  /// Nil, or that none of the files looked at is there.
  var remark: SourceRemark?

  /// Paths that are looked for, evenly spaced.
  private static let looked = 16

  /// `folders` are those that may be meant, the one that is meant unless the files say otherwise first.
  init(of paths: PathTable, folders: [[UInt8]]) {
    let samples = (0..<min(ListBase.looked, paths.count)).map { $0 * paths.count / min(ListBase.looked, paths.count) }
    let probes = samples.map { paths.withPath($0) { Array($0) } }
    let hasBackslashes = probes.contains { $0.contains(UInt8(ascii: "\\")) }
    let candidates = (hasBackslashes ? [false, true] : [false]).flatMap { backslashes in folders.map { ($0, backslashes) } }
    let found = candidates.map { candidate in
      probes.count { ListBase.exists(ListBase.full($0, candidate.0, candidate.1)) }
    }
    let most = found.max() ?? 0
    let best = candidates[found.firstIndex(of: most) ?? 0]
    (folder, backslashesSeparate) = best
    guard most == 0, let probe = probes.first else { return }
    remark = SourceRemark(
      .unreadable,
      "none of the \(probes.count) files looked at is there; the first: \(printable(ListBase.full(probe, best.0, best.1)))")
  }

  private static func full(_ path: [UInt8], _ folder: [UInt8], _ backslashes: Bool) -> [UInt8] {
    let path = backslashes ? path.map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 } : path
    return path.first == UInt8(ascii: "/") ? path : folder + path
  }

  private static func exists(_ path: [UInt8]) -> Bool {
    var status = stat()
    return stat((path + [0]).map { CChar(bitPattern: $0) }, &status) == 0
  }
}
