import Foundation
import SwAV

/// The paths that standard input names, one a line, or ended by zero bytes as `find -print0` writes them. A signal ends the waiting.
func pathsFromStandardInput() throws -> ImageList {
  var (bytes, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
  while true {
    try Cancellation.check()
    var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    let ready = poll(&waiting, 1, 200)
    if ready == 0 || ready < 0 && errno == EINTR { continue }
    let count = read(STDIN_FILENO, &buffer, buffer.count)
    if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
    guard count >= 0 else { throw DataError(.io, "standard input: \(String(cString: strerror(errno)))") }
    if count == 0 { break }
    bytes += buffer[..<count]
  }
  let end: UInt8 = bytes.contains(0) ? 0 : 0x0a
  let paths = bytes.split(separator: end).map { end == 0x0a && $0.last == 0x0d ? $0.dropLast() : $0 }.filter { !$0.isEmpty }
  guard !paths.isEmpty else { throw DataError(.unusable, "standard input: names no files; one path a line is needed") }
  return ImageList(pathBytes: paths)
}
