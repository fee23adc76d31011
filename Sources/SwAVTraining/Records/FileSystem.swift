import Glibc

func fileError(_ path: String, _ code: Int32) -> PretrainingError {
  .file(path: path, reason: String(cString: strerror(code)))
}

/// Writes a small file whole: to a file aside, flushed, renamed.
func replaceFile(_ path: String, with text: String) throws(PretrainingError) {
  let aside = path + ".new"
  do {
    var file = try AppendFile(aside, keeping: 0)
    try file.append(Array(text.utf8))
    try file.flush()
  } catch {
    unlink(aside)
    throw error
  }
  guard rename(aside, path) == 0 else {
    let error = fileError(path, errno)
    unlink(aside)
    throw error
  }
}

/// Makes a folder and those above it; one that is there is fine.
func makeFolder(_ path: String) throws(PretrainingError) {
  var partial = path.hasPrefix("/") ? "/" : ""
  for part in path.split(separator: "/") {
    partial += (partial.isEmpty || partial.hasSuffix("/") ? "" : "/") + part
    if mkdir(partial, 0o755) != 0 && errno != EEXIST { throw fileError(partial, errno) }
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

/// What a path leads to.
struct FileStatus {
  private let status: stat

  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.status = status
  }

  var isEmptyFile: Bool { status.st_mode & S_IFMT == S_IFREG && status.st_size == 0 }

  /// Whether standard output or standard error of this process goes there.
  var isOutputOfThisProcess: Bool {
    [STDOUT_FILENO, STDERR_FILENO].contains { descriptor in
      var other = stat()
      return fstat(descriptor, &other) == 0 && other.st_dev == status.st_dev && other.st_ino == status.st_ino
    }
  }
}
