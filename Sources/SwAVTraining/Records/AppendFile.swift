import Glibc

/// A file that grows, one line or record at a time, and can be cut back to a length that a checkpoint remembers.
struct AppendFile: ~Copyable {
  let path: String
  private let descriptor: Int32
  /// Bytes written so far.
  private(set) var length: Int

  /// Opens the file, cut back to `length` bytes where it is longer.
  init(_ path: String, keeping length: Int) throws(PretrainingError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    self.length = 0
    guard descriptor >= 0 else { throw AppendFile.failure(path, errno) }
    let end = Int(lseek(descriptor, 0, SEEK_END))
    self.length = max(0, end)
    try cut(to: length)
  }

  /// Drops what is behind the first `length` bytes; a shorter file stays as it is.
  mutating func cut(to length: Int) throws(PretrainingError) {
    guard length < self.length else { return }
    self.length = length
    guard ftruncate(descriptor, length) == 0, lseek(descriptor, length, SEEK_SET) >= 0 else {
      throw AppendFile.failure(path, errno)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Nobody else may hold the file: false where another process does.
  func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

  mutating func append(_ bytes: [UInt8]) throws(PretrainingError) {
    var done = 0
    while done < bytes.count {
      let wrote = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done) }
      if wrote < 0 && errno == EINTR { continue }
      guard wrote > 0 else { throw AppendFile.failure(path, errno) }
      done += wrote
      length += wrote
    }
  }

  mutating func append(line: String) throws(PretrainingError) { try append(Array((line + "\n").utf8)) }

  /// Waits until the bytes are on the disk.
  func flush() throws(PretrainingError) {
    guard fsync(descriptor) == 0 else { throw AppendFile.failure(path, errno) }
  }

  static func failure(_ path: String, _ code: Int32) -> PretrainingError {
    .file(path: path, reason: String(cString: strerror(code)))
  }
}

/// Writes a small file whole: to a file aside, flushed, renamed.
func replaceFile(_ path: String, with text: String) throws(PretrainingError) {
  let aside = path + ".new"
  do {
    var file = try AppendFile(aside, keeping: 0)
    try file.append(Array(text.utf8))
    try file.flush()
  }
  guard rename(aside, path) == 0 else { throw AppendFile.failure(path, errno) }
}

/// Makes a folder and those above it; one that is there is fine.
func makeFolder(_ path: String) throws(PretrainingError) {
  var partial = path.hasPrefix("/") ? "/" : ""
  for part in path.split(separator: "/") {
    partial += (partial.isEmpty || partial.hasSuffix("/") ? "" : "/") + part
    if mkdir(partial, 0o755) != 0 && errno != EEXIST { throw AppendFile.failure(partial, errno) }
  }
  var status = stat()
  guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
    throw .file(path: path, reason: "not a folder")
  }
}

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// Names in a folder, without "." and ".."; empty where there is none.
func folderContents(_ path: String) -> [String] {
  guard let directory = opendir(path) else { return [] }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}
