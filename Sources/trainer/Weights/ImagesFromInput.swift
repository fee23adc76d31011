import Foundation
import SwAV
import SwAVData

/// The images that standard input is, pictures one behind the other or a tar archive, or those that it names: a path a line, or ended
/// by zero bytes as `find -print0` writes them. A signal ends the waiting.
func imagesFromStandardInput() throws -> any ImageSource {
  let text: [UInt8]
  switch try standardInput().content() {
  case .images(let source): return source
  case .text(let bytes): text = bytes
  }
  let end: UInt8 = text.contains(0) ? 0 : 0x0a
  let paths = text.split(separator: end).map { end == 0x0a && $0.last == 0x0d ? $0.dropLast() : $0 }.filter { !$0.isEmpty }
  guard !paths.isEmpty else {
    throw DataError(.unusable, "standard input: names no files; one path a line is needed, or pictures, or a tar archive")
  }
  return ImageList(pathBytes: paths)
}

private func standardInput() throws -> PipedImages {
  let (pipe, buffer) = (
    try PipedImages(folder: FileManager.default.temporaryDirectory.path),
    UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 1)
  )
  defer { buffer.deallocate() }
  while true {
    try Cancellation.check()
    var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    let ready = poll(&waiting, 1, 200)
    if ready == 0 || ready < 0 && errno == EINTR { continue }
    let count = read(STDIN_FILENO, buffer.baseAddress, buffer.count)
    if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
    guard count >= 0 else { throw DataError(.io, "standard input: \(String(cString: strerror(errno)))") }
    if count == 0 { return pipe }
    try pipe.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
  }
}
