import CSwAV
import Glibc

/// How the processes (ranks) that train one network together reach each other, for hosts that have a way of their own: Gloo, Horovod,
/// a test. ``RankGroup/launched(exitCode:)`` has MPI.
///
/// Every function is collective: all ranks call the same ones in the same order with as many bytes, from one thread at a time, and none
/// returns before its memory may be used again. What throws ends the step or the run on that rank; the others may be waiting for it, so
/// whoever made the processes ends them.
public protocol Communicator: AnyObject, Sendable {
  /// 0..<size.
  var rank: Int { get }
  var size: Int { get }
  /// `all` becomes what rank 0, 1, ... gave as `mine`, one after the other.
  func gather(_ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer) throws
  /// `values` of rank `root` go to all others.
  func broadcast(_ values: UnsafeMutableRawBufferPointer, from root: Int) throws
  /// Returns once every rank has called it.
  func barrier() throws
}

/// A communicator as the engine calls it.
// Sendable: calls come one at a time, as the engine makes them.
final class CommunicatorBridge: @unchecked Sendable {
  private let communicator: any Communicator
  private var message: UnsafeMutablePointer<CChar>?

  init(_ communicator: any Communicator) { self.communicator = communicator }
  deinit { free(message) }

  var functions: swav_communicator {
    swav_communicator(
      context: Unmanaged.passUnretained(self).toOpaque(), rank: Int32(clamping: communicator.rank),
      size: Int32(clamping: communicator.size), sum: nil,
      gather: { context, mine, bytes, all in
        CommunicatorBridge.of(context).attempt { bridge in
          try bridge.communicator.gather(
            UnsafeRawBufferPointer(start: mine, count: Int(bytes)),
            into: UnsafeMutableRawBufferPointer(start: all, count: Int(bytes) * bridge.communicator.size))
        }
      }, exchange: nil,
      broadcast: { context, values, bytes, root in
        CommunicatorBridge.of(context).attempt { bridge in
          try bridge.communicator.broadcast(UnsafeMutableRawBufferPointer(start: values, count: Int(bytes)), from: Int(root))
        }
      }, barrier: { context in CommunicatorBridge.of(context).attempt { try $0.communicator.barrier() } },
      message: { context in UnsafePointer(CommunicatorBridge.of(context).message) }, begin: nil, advance: nil)
  }

  private static func of(_ context: UnsafeMutableRawPointer?) -> CommunicatorBridge {
    // The engine passes what `functions` gave it.
    Unmanaged<CommunicatorBridge>.fromOpaque(context.unsafelyUnwrapped).takeUnretainedValue()
  }

  private func attempt(_ body: (CommunicatorBridge) throws -> Void) -> swav_status {
    do {
      try body(self)
      return SWAV_OK
    } catch {
      free(message)
      message = strdup(errorLine(error))
      return SWAV_ERROR_IO
    }
  }
}
