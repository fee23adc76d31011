package import CSwAV
import Foundation
import Synchronization

/// The processes that do one piece of work together. Rank 0, the root, speaks and writes for all.
///
/// Functions that say so are collective: all ranks call them in the same order, each from one thread at a time.
// Sendable: what changes is inside the mutex or atomic; the functions are called by one thread at a time.
public final class RankGroup: @unchecked Sendable {
  public let rank: Int
  public let size: Int
  /// Names the hosts of the ranks, in their order.
  public let hosts: [String]
  /// Ranks that share this one's host.
  public var ranksOnHost: Int { hosts.count { $0 == hosts[rank] } }
  /// The communicator for the engine.
  package let functions: swav_communicator
  private let bridge: CommunicatorBridge?
  private let exitCode: @Sendable (any Error) -> Int32
  private let agreed = Atomic<Bool>(false)
  /// How many failures all ranks have agreed on.
  private let failures = Atomic<Int>(0)
  private let stopped = Mutex<RankFailure?>(nil)

  public var isRoot: Bool { rank == 0 }

  /// A group of the host's own. `exitCode`: what a program ends with after an error, so that all ranks can end with that of the one
  /// that failed. Collective.
  public convenience init(_ communicator: any Communicator, exitCode: @escaping @Sendable (any Error) -> Int32 = { _ in 1 })
    throws
  {
    let bridge = CommunicatorBridge(communicator)
    try self.init(bridge.functions, bridge, exitCode)
  }

  private init(
    _ functions: swav_communicator, _ bridge: CommunicatorBridge?, _ exitCode: @escaping @Sendable (any Error) -> Int32
  ) throws {
    (self.functions, self.bridge, self.exitCode) = (functions, bridge, exitCode)
    (rank, size) = (Int(functions.rank), Int(functions.size))
    let own = Array(ProcessInfo.processInfo.hostName.utf8)
    hosts = try gatherBytes(own, functions).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The processes that a launcher (mpirun, srun) has started together with this one, over the MPI library that is installed; nil where
  /// it started this one alone. Throws where there is no library, or not the launcher's. Collective.
  public static func launched(exitCode: @escaping @Sendable (any Error) -> Int32 = { _ in 1 }) throws -> RankGroup? {
    guard launchedSize > 1 else { return nil }
    var functions = swav_communicator()
    try check(swav_mpi_open(&functions))
    return try RankGroup(functions, nil, exitCode)
  }

  /// How many processes the launcher says there are; 1 without one.
  public static var launchedSize: Int { Int(swav_mpi_ranks()) }

  /// Ends MPI. Before the process ends in order. Collective.
  public static func closeLaunched() throws(EngineError) { try check(swav_mpi_close()) }

  /// Calls `late` with the seconds waited, on a thread of its own, where a call to the other ranks has not come back for `seconds`,
  /// more than 0: a process is stopped, or a host is gone without a word. MPI would wait for ever; ``abortLaunched(exitCode:)`` ends it.
  /// Once for each such call, until ``closeLaunched()``.
  public static func watchLaunched(seconds: Double, late: @escaping @Sendable (Double) -> Void) throws(EngineError) {
    // The library keeps it as long as the process lives.
    let kept = Unmanaged.passRetained(LateHandler(late)).toOpaque()
    try check(
      swav_mpi_watch(
        seconds,
        { context, waited in context.map { Unmanaged<LateHandler>.fromOpaque($0).takeUnretainedValue().late(waited) } },
        kept))
  }

  private final class LateHandler: Sendable {
    let late: @Sendable (Double) -> Void
    init(_ late: @escaping @Sendable (Double) -> Void) { self.late = late }
  }

  /// Ends the processes of all ranks that a launcher started.
  public static func abortLaunched(exitCode: Int32) { swav_mpi_abort(exitCode) }

  /// Whether all ranks know that the work is over: its end was agreed on, or what ended it failed on all of them. Where it is not, others
  /// may be waiting.
  public var isOver: Bool { agreed.load(ordering: .relaxed) }

  /// Which rank was asked to stop, where that ended the work of all.
  public var stoppedBy: RankFailure? { stopped.withLock { $0 } }

  /// Notes that the work is over, on every rank for the same reason.
  package func end() { agreed.store(true, ordering: .relaxed) }
  /// Notes that it goes on all the same: what all ranks threw was caught on all of them.
  package func goOn() { agreed.store(false, ordering: .relaxed) }
}

/// What went wrong on another rank.
public struct RankFailure: Error, Sendable, Equatable, Codable, CustomStringConvertible {
  public var rank: Int
  public var host: String
  /// What a program should end with.
  public var exitCode: Int32
  /// One line.
  public var reason: String
  /// Whether nothing went wrong there: it was asked to stop.
  public var isCalledOff = false

  public var description: String { "rank \(rank) (\(host)): \(reason)" }
}

extension RankGroup {
  /// Bytes of each rank, in their order, of any lengths. Collective.
  package func gather(_ bytes: [UInt8]) throws -> [[UInt8]] { try gatherBytes(bytes, functions) }

  /// A value of each rank. Collective.
  package func gather<T: Codable>(_ value: T) throws -> [T] {
    try gather(Array(JSONEncoder().encode([value]))).map { try JSONDecoder().decode([T].self, from: Data($0))[0] }
  }

  /// Does something on this rank; where that fails on any, it fails on all: where it did with what was thrown, elsewhere with a
  /// ``RankFailure`` of the first such rank, or called off where it was that. Collective. `body` may agree on parts of itself: one that
  /// fails before or between them fails what the others agree on next, whichever part that is.
  public func agree<R>(_ body: () throws -> R) throws -> R {
    let before = failures.load(ordering: .relaxed)
    let own = Result(catching: body)
    var failure: RankFailure?
    if case .failure(let error) = own {
      // Agreed on inside of `body`: everybody has it, and some may have been out here already and gone.
      if isOver, failures.load(ordering: .relaxed) != before { throw error }
      failure = describe(error)
    }
    let all = try gather(failure)
    guard let first = all.compactMap({ $0 }).first else { return try own.get() }
    end()
    failures.add(1, ordering: .relaxed)
    if first.isCalledOff { stopped.withLock { $0 = first } }
    return try own.flatMap { _ in .failure(elsewhere(first)) }.get()
  }

  /// Does something on the root alone, and gives everybody what came of it. Collective.
  public func onRoot<R: Codable>(_ body: () throws -> R) throws -> R {
    var own: R?
    let bytes = try bytesOfRoot {
      let value = try body()
      own = value
      return Array(try JSONEncoder().encode([value]))
    }
    return try own ?? JSONDecoder().decode([R].self, from: Data(bytes))[0]
  }

  /// The same of bytes. Collective.
  package func bytesOfRoot(_ body: () throws -> [UInt8]) throws -> [UInt8] {
    let own = try agree { try isRoot ? body() : [] }
    var length = Int64(own.count)
    try withUnsafeMutableBytes(of: &length) { try broadcast($0) }
    var bytes = isRoot ? own : [UInt8](repeating: 0, count: Int(length))
    if length > 0 { try bytes.withUnsafeMutableBytes { try broadcast($0) } }
    return bytes
  }

  private func broadcast(_ values: UnsafeMutableRawBufferPointer) throws {
    try check(functions.broadcast(functions.context, values.baseAddress, Int64(values.count), 0), functions)
  }

  /// The largest of a number on all ranks. Collective.
  public func largest<T: Codable & Comparable>(_ value: T) throws -> T { try gather(value).reduce(value, max) }

  /// The same for what gives nothing.
  package func doOnRoot(_ body: () throws -> Void) throws { try agree { if isRoot { try body() } } }

  private func describe(_ error: any Error) -> RankFailure {
    if let failure = error as? RankFailure { return failure }
    let isCalledOff = (error as? EngineError)?.code == .cancelled || Cancellation.isCurrentCancelled
    // Agreed on before: this rank throws it because another one was asked.
    if isCalledOff, let first = stoppedBy { return first }
    return RankFailure(
      rank: rank, host: hosts[rank], exitCode: exitCode(error), reason: errorLine(error), isCalledOff: isCalledOff)
  }

  private func elsewhere(_ failure: RankFailure) -> any Error {
    failure.isCalledOff ? EngineError(code: .cancelled, message: "called off") : failure
  }
}

/// Throws what went wrong in a call of the communicator, in its own words.
private func check(_ status: swav_status, _ functions: swav_communicator) throws {
  guard status != SWAV_OK else { return }
  let text = functions.message.flatMap { $0(functions.context) }.map { String(cString: $0) }
  throw EngineError(code: .init(rawValue: status.rawValue), message: text ?? "the communicator failed")
}

/// Of any lengths: the lengths first, then as many bytes of each as the longest has.
private func gatherBytes(_ bytes: [UInt8], _ functions: swav_communicator) throws -> [[UInt8]] {
  let size = Int(functions.size)
  var (length, lengths) = (Int64(bytes.count), [Int64](repeating: 0, count: size))
  try check(functions.gather(functions.context, &length, 8, &lengths), functions)
  let most = Int(lengths.max() ?? 0)
  guard most > 0 else { return [[UInt8]](repeating: [], count: size) }
  let padded = bytes + [UInt8](repeating: 0, count: most - bytes.count)
  var all = [UInt8](repeating: 0, count: most * size)
  try check(functions.gather(functions.context, padded, Int64(most), &all), functions)
  return (0..<size).map { Array(all[$0 * most..<$0 * most + Int(lengths[$0])]) }
}

extension RankGroup {
  /// The part of this machine's cores that this rank should use: those that it may use, divided where ranks on the same host may use the
  /// same ones. Collective.
  public func fairCores() throws -> Int {
    let cores = availableCores()
    let onHost = zip(hosts, try gather(cores)).filter { $0.0 == hosts[rank] }.map(\.1)
    let (asked, there) = (onHost.reduce(0, +), max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), cores))
    return asked > there ? max(1, cores * there / asked) : cores
  }
}
