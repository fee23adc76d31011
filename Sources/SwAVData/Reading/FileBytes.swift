import Glibc

/// Reading files by raw path: names are bytes to the file system, and not all of them are UTF-8.
enum FileBytes {
  /// Larger files are refused: no picture that the decoder accepts needs more.
  static let maximumSize = 1 << 30

  /// A part of a regular file, the whole by default: `limit` bytes from `offset`, fewer where it ends before. `path` is
  /// zero-terminated; more than `maximum` is an error; `isUnchanged` says whether the file is still the one that is meant.
  /// `spare` bytes of capacity are left, for callers that append.
  static func read(
    _ path: UnsafePointer<CChar>, at offset: Int = 0, limit: Int = .max, maximum: Int = maximumSize,
    spare: Int = 0, isUnchanged: (FileStamp) -> Bool = { _ in true }
  ) throws(DataError) -> [UInt8] {
    // Without O_NONBLOCK opening a pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw DataError(.unusable, "\(text(path)): not a regular file") }
    guard isUnchanged(FileStamp(status)) else {
      throw DataError(.unusable, "\(text(path)): changed since it was read first")
    }
    let wanted = min(Int(status.st_size) - offset, limit)
    guard wanted <= maximum else {
      throw DataError(.unusable, "\(text(path)): \(wanted) bytes; at most \(maximum) are read")
    }
    guard wanted > 0 else { return [] }
    var (done, code) = (0, Int32(0))
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted + spare) { buffer, count in
      (done, code) = fill(
        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<wanted]), descriptor, offset)
      count = done
    }
    guard code == 0 else { throw failure(path, code) }
    guard done == wanted else {
      throw DataError(.io, "\(text(path)): ended after \(offset + done) of \(offset + wanted) bytes")
    }
    return bytes
  }

  /// Reads until the buffer is full or the file ends: bytes read, and the error's number or 0.
  static func fill(_ buffer: UnsafeMutableRawBufferPointer, _ descriptor: Int32, _ offset: Int) -> (done: Int, code: Int32) {
    var done = 0
    while done < buffer.count {
      let got = pread(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
      if got < 0 && errno == EINTR { continue }
      if got < 0 { return (done, errno) }
      if got == 0 { break }
      done += got
    }
    return (done, 0)
  }

  static func failure(_ path: UnsafePointer<CChar>, _ code: Int32) -> DataError {
    DataError(code == ENOENT ? .missing : .io, "\(text(path)): \(systemText(code))")
  }

  /// A path as text for people.
  static func text(_ path: UnsafePointer<CChar>) -> String {
    printable(UnsafeRawBufferPointer(start: path, count: strlen(path)))
  }
}

/// What the system calls an error.
func systemText(_ code: Int32) -> String { String(cString: strerror(code)) }

/// What tells a file from the same one written anew: size and time. Not its inode, which some network file systems change.
struct FileStamp: Sendable, Equatable {
  private let size, seconds, nanoseconds: Int

  init(_ status: stat) {
    (size, seconds, nanoseconds) = (Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }

  /// Of the file at a path, zero-terminated; nil where it cannot be looked at.
  init?(_ path: [CChar]) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  var text: String { "\(size) \(seconds).\(nanoseconds)" }

  /// 32 bits of it, never 0: two states of a file have the same with a probability of 2^-32.
  var fingerprint: UInt32 {
    var hash = FNV1a()
    for word in [size, seconds, nanoseconds] { withUnsafeBytes(of: word) { hash.combine($0) } }
    return max(1, UInt32(truncatingIfNeeded: hash.value ^ hash.value >> 32))
  }
}

/// The whole of a regular file.
package func readFile(_ path: String) throws(DataError) -> [UInt8] { try FileBytes.read(path) }
