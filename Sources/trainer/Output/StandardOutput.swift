import Foundation
import SwAV
import Synchronization

/// Standard output, written so that nothing is lost without a word: what cannot be written is told once on standard error, the
/// work goes on, and the command ends with 74. A reader that left, such as `head`, has what it wanted: that is no error.
enum StandardOutput {
  private enum State: Equatable {
    case open
    /// Nothing more is written.
    case left, failed
  }

  private static let state = Mutex(State.open)

  /// Opens /dev/null in place of standard descriptors that are closed, the wrong way round: otherwise the first file that is
  /// opened would become standard output, and what is printed would land in it. Writing fails, as to a closed descriptor.
  static func occupyClosedDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // open() gives the lowest descriptor that is free: this one.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Whether something could not be written.
  static var hasFailed: Bool { state.withLock { $0 == .failed } }

  /// False once nothing more is written, because the reader left or writing failed.
  static var isOpen: Bool { state.withLock { $0 == .open } }

  static func write(_ text: String) {
    state.withLock { state in
      guard state == .open, let code = writeAll(Array(text.utf8), to: STDOUT_FILENO) else { return }
      state = code == EPIPE ? .left : .failed
      guard state == .failed else { return }
      let reason = code == EBADF ? "it is closed" : String(cString: strerror(code))
      _ = writeAll(
        Array("error: standard output: \(reason); what is printed from here on is lost\n".utf8), to: STDERR_FILENO)
    }
  }

  /// nil when all is written, else errno.
  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    var done = 0
    while done < bytes.count {
      let wrote = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done) }
      if wrote > 0 {
        done += wrote
      } else if wrote < 0 && errno == EAGAIN {
        // Somebody else made the terminal non-blocking.
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
      } else if wrote == 0 || errno != EINTR {
        return wrote == 0 ? EIO : errno
      }
    }
    return nil
  }
}

/// Takes the place of Swift's in this module, whose failures nobody learns of. The text arrives when it is written, in a pipe too.
func print(_ text: String, terminator: String = "\n") { StandardOutput.write(text + terminator) }

@available(*, unavailable, message: "print one text")
func print(_ items: Any..., separator: String = " ", terminator: String = "\n") {}
