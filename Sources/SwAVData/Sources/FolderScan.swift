import Glibc

/// A file or folder that is not taken for an image, and why.
public struct IgnoredFile: Sendable, Equatable {
  /// Relative to the folder that was searched.
  public var path: String
  public var reason: String
}

/// Collects the paths of the images below a folder, relative to it, in no particular order.
struct FolderScan {
  let root: String
  private(set) var filesSeen = 0
  var paths = PathTable()
  /// What is no image, where somebody wants to know; nil: it is not collected.
  private(set) var ignored: [IgnoredFile]?
  /// Folders from the root to the one being read: a link back to one of them is a loop.
  private var ancestors: [(device: UInt, inode: UInt)] = []

  init(root: String, collectsIgnored: Bool = false) {
    self.root = root
    ignored = collectsIgnored ? [] : nil
  }

  mutating func run() throws(DataError) {
    var status = stat()
    guard stat(root, &status) == 0 else { throw FileBytes.failure(root, errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw DataError(.unusable, "\(root): not a folder; give the folder that holds the images")
    }
    let descriptor = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileBytes.failure(root, errno) }
    scan(descriptor, prefix: [], status: status)
  }

  /// Reads one folder and those below it. Takes over the descriptor. Folders that cannot be read are left out.
  private mutating func scan(_ descriptor: Int32, prefix: [UInt8], status: stat) {
    let identity = (device: UInt(status.st_dev), inode: UInt(status.st_ino))
    guard !ancestors.contains(where: { $0 == identity }), let directory = fdopendir(descriptor) else {
      ignore(prefix, "a folder that links back to one above it")
      close(descriptor)
      return
    }
    defer { closedir(directory) }
    ancestors.append(identity)
    defer { ancestors.removeLast() }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name.isEmpty || name == [UInt8(ascii: ".")] || name == Array("..".utf8) { continue }
      if name[0] == UInt8(ascii: ".") {
        ignore(prefix + name, "hidden: its name begins with a dot")
        continue
      }
      var kind = entry.pointee.d_type
      let zeroTerminated = name.map { CChar(bitPattern: $0) } + [0]
      var status = stat()
      if kind != UInt8(DT_REG) {
        guard fstatat(descriptor, zeroTerminated, &status, 0) == 0 else {
          ignore(prefix + name, String(cString: strerror(errno)))
          continue
        }
        kind = status.st_mode & S_IFMT == S_IFDIR ? UInt8(DT_DIR) : status.st_mode & S_IFMT == S_IFREG ? UInt8(DT_REG) : 0
      }
      if kind == UInt8(DT_DIR) {
        let child = openat(descriptor, zeroTerminated, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if child >= 0 {
          scan(child, prefix: prefix + name + [UInt8(ascii: "/")], status: status)
        } else {
          ignore(prefix + name, String(cString: strerror(errno)))
        }
      } else if kind == UInt8(DT_REG) {
        filesSeen += 1
        if isImage(name, zeroTerminated, in: descriptor) {
          paths.append(prefix + name)
        } else {
          ignore(prefix + name, "no image by name or content; JPEG, PNG, WebP, BMP and PNM are taken")
        }
      } else {
        ignore(prefix + name, "neither a file nor a folder")
      }
    }
  }

  private mutating func ignore(_ path: [UInt8], _ reason: String) {
    ignored?.append(IgnoredFile(path: String(decoding: path, as: UTF8.self), reason: reason))
  }

  private func isImage(_ name: [UInt8], _ zeroTerminated: [CChar], in directory: Int32) -> Bool {
    let lower = String(decoding: name, as: UTF8.self).lowercased()
    if lower == "thumbs.db" { return false }
    if let dot = lower.lastIndex(of: "."), FolderScan.extensions.contains(String(lower[lower.index(after: dot)...])) {
      return true
    }
    let file = openat(directory, zeroTerminated, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return false }
    defer { close(file) }
    let head = [UInt8](unsafeUninitializedCapacity: 12) { buffer, count in
      count = max(0, read(file, buffer.baseAddress, 12))
    }
    return looksLikeImage(head)
  }

  static let extensions: Set<String> = ["jpg", "jpeg", "png", "webp", "bmp", "ppm", "pgm", "pnm"]
}

/// Lower-case letters after the last dot of a file's name.
func fileEnding(of path: String) -> String {
  let name = path.split(separator: "/").last ?? ""
  return name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
}
