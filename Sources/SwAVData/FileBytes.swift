import Glibc

/// Reading files by raw path: names are bytes to the file system, and not all of them are UTF-8.
enum FileBytes {
  /// Larger files are refused: no picture that the decoder accepts needs more.
  static let maximumSize = 1 << 30

  /// The whole of a regular file. `path` is zero-terminated.
  static func read(_ path: UnsafePointer<CChar>, limit: Int = maximumSize) throws(DataError) -> [UInt8] {
    // Without O_NONBLOCK opening a pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw DataError(.unusable, "\(String(cString: path)): not a regular file") }
    let size = Int(status.st_size)
    guard size <= maximumSize else {
      throw DataError(.unusable, "\(String(cString: path)): \(size) bytes; at most \(maximumSize) are read")
    }
    let wanted = min(size, limit)
    var (done, code) = (0, Int32(0))
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
      while done < wanted {
        let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + done }, wanted - done)
        if got < 0 && errno == EINTR { continue }
        if got < 0 { code = errno }
        if got <= 0 { break }
        done += got
      }
      count = done
    }
    guard code == 0 else { throw failure(path, code) }
    guard done == wanted else {
      throw DataError(.io, "\(String(cString: path)): ended after \(done) of \(wanted) bytes")
    }
    return bytes
  }

  static func failure(_ path: UnsafePointer<CChar>, _ code: Int32) -> DataError {
    DataError(code == ENOENT ? .missing : .io, "\(String(cString: path)): \(String(cString: strerror(code)))")
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
