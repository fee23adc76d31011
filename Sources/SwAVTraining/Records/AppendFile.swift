import Glibc

/// A file that grows, one line or record at a time, and can be cut back to a length that a checkpoint remembers.
struct AppendFile: ~Copyable {
  let path: String
  private let descriptor: Int32
  /// Bytes written so far.
  private(set) var length: Int
  /// Whether the last thing that was to be appended could not be.
  private var isFailing = false

  /// Opens the file, cut back to `length` bytes where it is longer.
  init(_ path: String, keeping length: Int = .max) throws(PretrainingError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    self.length = 0
    guard descriptor >= 0 else { throw fileError(path, errno) }
    let end = Int(lseek(descriptor, 0, SEEK_END))
    self.length = max(0, end)
    try cut(to: length)
  }

  /// Drops what is behind the first `length` bytes; a shorter file stays as it is.
  mutating func cut(to length: Int) throws(PretrainingError) {
    guard length < self.length else { return }
    self.length = length
    guard ftruncate(descriptor, length) == 0, lseek(descriptor, length, SEEK_SET) >= 0 else { throw fileError(path, errno) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// All of the bytes or, where it throws, none of them.
  mutating func append(_ bytes: [UInt8]) throws(PretrainingError) {
    let before = length
    var done = 0
    while done < bytes.count {
      let wrote = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done) }
      if wrote < 0 && errno == EINTR { continue }
      guard wrote > 0 else {
        let error = fileError(path, wrote < 0 ? errno : EIO)
        // A device cannot be cut.
        try? cut(to: before)
        throw error
      }
      done += wrote
      length += wrote
    }
  }

  mutating func append(line: String) throws(PretrainingError) { try append(Array((line + "\n").utf8)) }

  /// Waits until the bytes are on the disk.
  func flush() throws(PretrainingError) {
    guard fsync(descriptor) == 0 else { throw fileError(path, errno) }
  }

  /// Carries out `change` for a file that nothing depends on. The first failure comes back as a line, others after it do not
  /// until a change succeeds again.
  mutating func attempt(_ change: (inout AppendFile) throws(PretrainingError) -> Void) -> String? {
    do {
      try change(&self)
      isFailing = false
      return nil
    } catch {
      defer { isFailing = true }
      return isFailing ? nil : error.description
    }
  }
}
