import Glibc

/// What the system refused of a file that features are written to.
public struct FeatureFileError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
  /// Another process is writing the file.
  public let isInUse: Bool

  init(_ path: String, _ code: Int32) { (description, isInUse) = ("\(path): \(String(cString: strerror(code)))", false) }

  init(_ path: String, _ reason: String, isInUse: Bool = false) {
    (description, self.isInUse) = ("\(path): \(reason)", isInUse)
  }
}

/// A file that grows under another name than the one that it gets when it is whole.
final class PartialFile {
  private let path: String
  /// Where it is until then.
  private let partial: String
  private var descriptor: Int32
  private(set) var length: Int

  /// Opens what was written before, cut to `length` bytes, and keeps others out. Links are followed: their target is replaced.
  init(_ path: String, keeping length: Int) throws(FeatureFileError) {
    let partial = path + ".partial"
    let descriptor = open(partial, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FeatureFileError(path, errno) }
    (self.path, self.partial, self.descriptor, self.length) = (path, partial, descriptor, length)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw errno == EWOULDBLOCK
        ? FeatureFileError(path, "another process is writing it; wait for it, or give another name", isInUse: true)
        : FeatureFileError(path, errno)
    }
    guard ftruncate(descriptor, length) == 0 else { throw FeatureFileError(path, errno) }
  }

  deinit { release() }

  /// Lets others write the file; nothing more is written here.
  func release() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  func append(_ bytes: [UInt8]) throws(FeatureFileError) {
    try write(bytes, at: length)
    length += bytes.count
  }

  func write(_ bytes: [UInt8], at offset: Int) throws(FeatureFileError) {
    var done = 0
    while done < bytes.count {
      let wrote = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done, offset + done)
      }
      if wrote < 0 && errno == EINTR { continue }
      guard wrote > 0 else { throw FeatureFileError(path, wrote == 0 ? EIO : errno) }
      done += wrote
    }
  }

  /// Waits until all is on the disk.
  func flush() throws(FeatureFileError) {
    guard fsync(descriptor) == 0 else { throw FeatureFileError(path, errno) }
  }

  func remove() { unlink(partial) }

  /// `path` with links followed, where there is something that must not be replaced: throws for a folder or a device.
  static func target(_ path: String) throws(FeatureFileError) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return path }
    if status.st_mode & S_IFMT == S_IFDIR { throw FeatureFileError(path, "a folder; a file is needed") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw FeatureFileError(path, "not a regular file; a file is needed") }
    guard let resolved = realpath(path, nil) else { throw FeatureFileError(path, errno) }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
