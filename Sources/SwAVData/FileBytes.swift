import Glibc

/// Reading files by raw path: names are bytes to the file system, and not all of them are UTF-8.
enum FileBytes {
  /// Larger files are refused: no picture that the decoder accepts needs more.
  static let maximumSize = 1 << 30

  /// A part of a regular file, the whole by default: `limit` bytes from `offset`, fewer where it ends before. `path` is
  /// zero-terminated; `stamp`, where given, is what the file has to be like still. `spare` bytes of capacity are left, for
  /// callers that append.
  static func read(
    _ path: UnsafePointer<CChar>, at offset: Int = 0, limit: Int = maximumSize, maximum: Int = maximumSize,
    stamp: FileStamp? = nil, spare: Int = 0
  ) throws(DataError) -> [UInt8] {
    // Without O_NONBLOCK opening a pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw DataError(.unusable, "\(String(cString: path)): not a regular file") }
    if let stamp, stamp != FileStamp(status) {
      throw DataError(.unusable, "\(String(cString: path)): changed since it was opened first")
    }
    let wanted = min(Int(status.st_size) - offset, limit)
    guard wanted <= maximum else {
      throw DataError(.unusable, "\(String(cString: path)): \(wanted) bytes; at most \(maximum) are read")
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
      throw DataError(.io, "\(String(cString: path)): ended after \(offset + done) of \(offset + wanted) bytes")
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
    DataError(code == ENOENT ? .missing : .io, "\(String(cString: path)): \(String(cString: strerror(code)))")
  }
}

/// What tells a file from the same one written anew.
struct FileStamp: Sendable, Equatable {
  private let device, inode, size, seconds, nanoseconds: Int

  init(_ status: stat) {
    (device, inode, size) = (
      Int(truncatingIfNeeded: status.st_dev), Int(truncatingIfNeeded: status.st_ino), Int(status.st_size)
    )
    (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }
}

/// The whole of a regular file.
package func readFile(_ path: String) throws(DataError) -> [UInt8] { try FileBytes.read(path) }

/// Whether bytes begin as a format that the engine decodes.
package func looksLikeImage(_ head: some Collection<UInt8>) -> Bool {
  let bytes = Array(head.prefix(12))
  func begins(_ magic: [UInt8]) -> Bool { bytes.starts(with: magic) }
  if begins([0xff, 0xd8, 0xff]) || begins([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) { return true }
  if begins(Array("RIFF".utf8)) && bytes.dropFirst(8).elementsEqual(Array("WEBP".utf8)) { return true }
  // BMP: "BM", then the file's size and two reserved zero words.
  if begins(Array("BM".utf8)) && bytes.count >= 10 && bytes[6..<10].allSatisfy({ $0 == 0 }) { return true }
  // PNM: P1 to P6 followed by white space.
  return bytes.count > 2 && bytes[0] == 0x50 && (0x31...0x36).contains(bytes[1]) && [0x20, 0x09, 0x0a, 0x0d].contains(bytes[2])
}
