/// Files that pack others in a way that is not read: compressed, or of another kind than tar.
enum PackedFiles {
  private static let compressed: Set<String> = [
    "gz", "tgz", "bz2", "tbz", "tbz2", "xz", "txz", "zst", "tzst", "lz4", "lzma", "z", "br",
  ]
  private static let others = ["zip": "zip", "7z": "7z", "rar": "RAR"]

  /// What a file is and what to do with it, by its name or the first bytes; nil where it is nothing of the kind.
  static func advice(name: String, head: [UInt8] = []) -> String? {
    let ending = fileEnding(of: name)
    if let kind = others[ending] ?? (head.starts(with: Array("PK\u{3}\u{4}".utf8)) ? "zip" : nil) {
      return "a \(kind) archive, which is not read; unpack it to a folder, or pack the images as .tar"
    }
    guard compressed.contains(ending) || isCompressed(head) else { return nil }
    let inner = fileEnding(of: String(name.dropLast(ending.count + 1)))
    return inner == "tar" || ending.hasPrefix("t")
      ? "compressed; unpack it to a plain .tar first: members are read where they lie" : "compressed; unpack it first"
  }

  /// The beginnings of gzip, bzip2, xz and Zstandard.
  static func isCompressed(_ head: some Collection<UInt8>) -> Bool {
    [[0x1f, 0x8b], [0x42, 0x5a, 0x68], [0xfd, 0x37, 0x7a, 0x58, 0x5a], [0x28, 0xb5, 0x2f, 0xfd]].contains {
      head.starts(with: $0)
    }
  }
}

/// Lower-case letters after the last dot of a file's name.
func fileEnding(of path: String) -> String {
  let name = path.split(separator: "/").last ?? ""
  return name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
}
