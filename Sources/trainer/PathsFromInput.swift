import Foundation
import SwAV

/// The images that standard input names, a path a line, or ended by zero bytes as `find -print0` writes them; or the picture that it
/// is. A signal ends the waiting.
func imagesFromStandardInput() throws -> any ImageSource {
  let bytes = try standardInput()
  if (try? Image.probe(bytes)) != nil { return PictureFromInput(picture: bytes) }
  let end: UInt8 = bytes.contains(0) ? 0 : 0x0a
  let paths = bytes.split(separator: end).map { end == 0x0a && $0.last == 0x0d ? $0.dropLast() : $0 }.filter { !$0.isEmpty }
  guard !paths.isEmpty else {
    throw DataError(.unusable, "standard input: names no files; one path a line is needed, or a picture")
  }
  return ImageList(pathBytes: paths)
}

/// One picture, whose bytes came through a pipe.
private struct PictureFromInput: ImageSource {
  let picture: [UInt8]
  var count: Int { 1 }
  func bytes(of sample: Int) throws -> [UInt8] { picture }
  func name(of sample: Int) -> String { "-" }
  func identity() throws -> DataIdentity {
    var hash = FNV1a()
    hash.combine(picture)
    return DataIdentity(count: 1, hash: hash.hexadecimal)
  }
}

private func standardInput() throws -> [UInt8] {
  var (bytes, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
  while true {
    try Cancellation.check()
    var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    let ready = poll(&waiting, 1, 200)
    if ready == 0 || ready < 0 && errno == EINTR { continue }
    let count = read(STDIN_FILENO, &buffer, buffer.count)
    if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
    guard count >= 0 else { throw DataError(.io, "standard input: \(String(cString: strerror(errno)))") }
    if count == 0 { return bytes }
    bytes += buffer[..<count]
  }
}
