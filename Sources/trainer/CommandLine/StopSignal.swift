import Foundation
import SwAV
import Synchronization

/// Signals as wishes. SIGINT, SIGTERM, SIGQUIT and SIGHUP ask to stop; what runs then ends soon and in order. A second one ends the
/// process at once. SIGUSR1 asks a run for a checkpoint.
enum StopSignal {
  private static let received = Atomic<Int32>(0)
  /// When the first one came, in milliseconds of the monotonic clock; 0: none came.
  private static let receivedAt = Atomic<Int64>(0)
  private static let control = RunControl()

  /// One wish may come as several signals: a wrapper passes on the Ctrl-C that the terminal has sent to all, a shell and the
  /// system both tell that the line is down. A second wish takes a person this many milliseconds at least.
  private static let sameWish: Int64 = 500

  /// Installs the handlers of those that ask to stop; any of them cancels the cancellation. SIGHUP stays ignored where it was, as
  /// nohup has it.
  @discardableResult static func install() -> Cancellation {
    // Made before a signal can come: initialising it inside a handler would not be safe.
    _ = control
    for number in [SIGINT, SIGTERM, SIGQUIT, SIGHUP] {
      let before = signal(number) { StopSignal.take($0) }
      if number == SIGHUP && isIgnoring(before) { signal(number, SIG_IGN) }
    }
    unblock([SIGINT, SIGTERM, SIGQUIT, SIGHUP])
    return control.cancellation
  }

  /// The same with SIGUSR1, for a run that can write checkpoints.
  static func installForRun() -> RunControl {
    install()
    signal(SIGUSR1) { _ in StopSignal.control.requestCheckpoint() }
    unblock([SIGUSR1])
    return control
  }

  /// 128 plus the signal's number: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP, 131 for SIGQUIT.
  static var exitCode: Int32 { 128 + received.load(ordering: .relaxed) }

  /// Swift's runtime takes SIGQUIT to print where all threads are, and goes on; people press Ctrl-\ to end a program.
  static func restoreQuit() {
    if isIgnoring(signal(SIGQUIT, SIG_DFL)) { signal(SIGQUIT, SIG_IGN) }
  }

  /// Inside the handler: nothing but atomics and calls that POSIX lists as safe there.
  private static func take(_ number: Int32) {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let now = 1 + Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    let (isFirst, first) = receivedAt.compareExchange(expected: 0, desired: now, ordering: .relaxed)
    if isFirst {
      received.store(number, ordering: .relaxed)
      control.cancel()
    } else if now - first >= sameWish {
      _exit(128 + number)
    }
  }

  private static func isIgnoring(_ handler: sighandler_t?) -> Bool {
    unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// A process inherits what its parent's thread had blocked, and programs start others from threads that block everything.
  private static func unblock(_ numbers: [Int32]) {
    var wanted = sigset_t()
    sigemptyset(&wanted)
    for number in numbers { sigaddset(&wanted, number) }
    pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
  }
}
