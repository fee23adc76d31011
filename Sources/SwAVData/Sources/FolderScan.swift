import Glibc

/// Searches a folder and those below it for images.
struct FolderScan {
  let root: String
  private let isCancelled: @Sendable () -> Bool
  private(set) var found = FolderListing()
  /// What is no image, where somebody wants to know; nil: it is not collected.
  private(set) var ignored: [IgnoredFile]?
  /// Folders from the root to the one being read: a link back to one of them is a loop.
  private var ancestors: [(device: UInt, inode: UInt)] = []
  private var entries = 0

  init(root: String, collectsIgnored: Bool = false, isCancelled: @escaping @Sendable () -> Bool = { false }) {
    (self.root, self.isCancelled) = (root, isCancelled)
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
    try scan(descriptor, prefix: [], status: status)
  }

  /// Reads one folder and those below it. Takes over the descriptor. What cannot be read is left out and named.
  private mutating func scan(_ descriptor: Int32, prefix: [UInt8], status: stat) throws(DataError) {
    let identity = (device: UInt(status.st_dev), inode: UInt(status.st_ino))
    if ancestors.contains(where: { $0 == identity }) {
      close(descriptor)
      return ignore(prefix, "a folder that links back to one above it")
    }
    guard let directory = fdopendir(descriptor) else {
      leaveOut(prefix, errno)
      close(descriptor)
      return
    }
    defer { closedir(directory) }
    ancestors.append(identity)
    defer { ancestors.removeLast() }
    while true {
      // The end and an error look the same but for errno.
      errno = 0
      guard let entry = readdir(directory) else {
        if errno != 0 { leaveOut(prefix, errno) }
        return
      }
      entries += 1
      // A look at it costs little, but not nothing: there may be millions.
      if entries % 256 == 0, isCancelled() { throw .calledOff(root) }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name.isEmpty || name == [UInt8(ascii: ".")] || name == Array("..".utf8) { continue }
      if name[0] == UInt8(ascii: ".") {
        ignore(prefix + name, "hidden: its name begins with a dot")
      } else {
        try take(name, kind: entry.pointee.d_type, in: descriptor, prefix: prefix)
      }
    }
  }

  private mutating func take(_ name: [UInt8], kind: UInt8, in folder: Int32, prefix: [UInt8]) throws(DataError) {
    let zeroTerminated = name.map { CChar(bitPattern: $0) } + [0]
    var (kind, status) = (kind, stat())
    if kind != UInt8(DT_REG) {
      guard fstatat(folder, zeroTerminated, &status, 0) == 0 else { return leaveOut(prefix + name, errno) }
      kind = status.st_mode & S_IFMT == S_IFDIR ? UInt8(DT_DIR) : status.st_mode & S_IFMT == S_IFREG ? UInt8(DT_REG) : 0
    }
    if kind == UInt8(DT_DIR) {
      let child = openat(folder, zeroTerminated, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard child >= 0 else { return leaveOut(prefix + name, errno) }
      try scan(child, prefix: prefix + name + [UInt8(ascii: "/")], status: status)
    } else if kind == UInt8(DT_REG) {
      found.filesSeen += 1
      switch look(at: name, zeroTerminated, in: folder) {
      case .image: found.paths.append(prefix + name)
      case .unreadable(let code):
        found.filesSeen -= 1
        leaveOut(prefix + name, code)
      case .other: passOver(name, prefix)
      }
    } else {
      ignore(prefix + name, "neither a file nor a folder")
    }
  }

  private mutating func passOver(_ name: [UInt8], _ prefix: [UInt8]) {
    let text = String(decoding: name, as: UTF8.self)
    if FolderScan.clutter.contains(text.lowercased()) {
      found.filesSeen -= 1
      return ignore(prefix + name, "left by a desktop")
    }
    found.passedOver.add(name)
    let ending = fileEnding(of: text)
    if ending == "tar" {
      found.archives.append(prefix + name)
      ignore(prefix + name, "an archive; archives are a source of their own")
    } else if let advice = PackedFiles.advice(name: text) {
      found.packed.add("\(printable(prefix + name)): \(advice)")
      ignore(prefix + name, advice)
    } else if ImageFiles.isRaw(text) {
      ignore(prefix + name, "a camera's raw file; develop it to JPEG or TIFF first")
    } else {
      if prefix.isEmpty, text == "train.bin" || text.hasPrefix("data_batch_") && ending == "bin" { found.batches.append(text) }
      ignore(prefix + name, "no image by name or content; \(ImageFiles.formats) are taken")
    }
  }

  private mutating func ignore(_ path: [UInt8], _ reason: String) {
    ignored?.append(IgnoredFile(path: printable(path), reason: reason))
  }

  /// What the system refuses may hide images: it is named whether somebody asks or not.
  private mutating func leaveOut(_ path: [UInt8], _ code: Int32) {
    let path = path.isEmpty ? Array(".".utf8) : path
    found.unreadable.add("\(printable(path)): \(systemText(code))")
    ignore(path, systemText(code))
  }

  private enum Look {
    case image, other
    case unreadable(Int32)
  }

  private func look(at name: [UInt8], _ zeroTerminated: [CChar], in folder: Int32) -> Look {
    let lower = String(decoding: name, as: UTF8.self).lowercased()
    if ImageFiles.hasEnding(lower) { return .image }
    if FolderScan.clutter.contains(lower) || ImageFiles.isRaw(lower) { return .other }
    let file = openat(folder, zeroTerminated, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return .unreadable(errno) }
    defer { close(file) }
    var code: Int32 = 0
    let head = [UInt8](unsafeUninitializedCapacity: ImageFiles.headSize) { buffer, count in
      let got = read(file, buffer.baseAddress, ImageFiles.headSize)
      (count, code) = (max(0, got), got < 0 ? errno : 0)
    }
    return code != 0 ? .unreadable(code) : looksLikeImage(head) ? .image : .other
  }

  /// What Windows and macOS write into folders of pictures.
  private static let clutter: Set<String> = ["thumbs.db", "desktop.ini", "icon\r"]
}
