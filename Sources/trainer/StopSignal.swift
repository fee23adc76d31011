import Foundation
import SwAV
import Synchronization

/// SIGINT and SIGTERM as a wish to stop. The first one is remembered and the step under way finished; a second one ends the
/// process at once, as it would without a handler.
enum StopSignal {
  private static let received = Atomic<Int32>(0)
  private static let cancellation = Cancellation()

  /// Installs the handlers; the cancellation is cancelled by either signal.
  static func install() -> Cancellation {
    // Made before a signal can come: initialising it inside a handler would not be safe.
    _ = cancellation
    received.store(0, ordering: .relaxed)
    // A process inherits what its parent's thread had blocked, and programs start others from threads that block everything.
    var wanted = sigset_t()
    sigemptyset(&wanted)
    for number in [SIGINT, SIGTERM] { sigaddset(&wanted, number) }
    pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        StopSignal.received.store(number, ordering: .relaxed)
        StopSignal.cancellation.cancel()
        signal(number, SIG_DFL)
      }
    }
    return cancellation
  }

  /// 128 plus the signal's number: 130 for SIGINT, 143 for SIGTERM.
  static var exitCode: Int32 { 128 + received.load(ordering: .relaxed) }
}
