import ArgumentParser
import Foundation
import SwAV
import Synchronization

/// The processes that mpirun or srun started together with this one. The root speaks for all: the others' standard output leads
/// nowhere, and so do errors that all of them know.
enum LaunchedRanks {
  private static let opened = Mutex<RankGroup?>(nil)

  /// Nil: this process alone.
  static var group: RankGroup? { opened.withLock { $0 } }

  /// Joins the others, where there are some. Before anything is printed.
  static func join() throws {
    warnOfMissingPMI()
    let group = try RankGroup.launched { error in Failure.exitCode(for: error) }
    opened.withLock { $0 = group }
    guard let group else { return }
    try RankGroup.watchLaunched(seconds: try patience()) { giveUp(group, after: $0) }
    guard !group.isRoot else { return }
    let nowhere = open("/dev/null", O_WRONLY)
    dup2(nowhere, STDOUT_FILENO)
    close(nowhere)
  }

  /// Of a cluster whose `srun` tells its processes nothing of each other unless asked: MPI then ends the process with advice on how to
  /// build MPI. A note and no error, as MPI libraries that ask Slurm itself do without.
  private static func warnOfMissingPMI() {
    let environment = ProcessInfo.processInfo.environment
    guard RankGroup.launchedSize > 1, environment["SLURM_STEP_ID"] != nil, environment["SLURM_PROCID"] == "0",
      !environment.keys.contains(where: { $0.hasPrefix("PMI") || $0.hasPrefix("OMPI_COMM_WORLD") })
    else { return }
    let text =
      "note: srun gave its processes no PMI, by which those of MPI find each other; if MPI stops here, use srun --mpi=pmix (Open MPI) "
      + "or --mpi=pmi2 (MPICH); srun --mpi=list names what this cluster has\n"
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// Seconds that a rank waits for the others: longer than the root needs for what it does alone, an evaluation of ImageNet by a ResNet-50
  /// on few cores included.
  private static func patience() throws -> Double {
    let name = "SWAV_RANK_PATIENCE"
    guard let text = ProcessInfo.processInfo.environment[name] else { return 14_400 }
    guard let seconds = Double(text), seconds > 0, seconds.isFinite else {
      throw ValidationError("\(name) is '\(text)'; seconds are needed, as 14400")
    }
    return seconds
  }

  /// Ends all ranks: whoever the others wait for cannot be asked.
  private static func giveUp(_ group: RankGroup, after seconds: Double) {
    let text =
      "error: rank \(group.rank) (\(group.hosts[group.rank])): the other ranks have not answered for \(Int(seconds)) s: a process is "
      + "stopped or a host is gone; what was saved stays (SWAV_RANK_PATIENCE sets the seconds)\n"
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    RankGroup.abortLaunched(exitCode: Failure.Code.io.rawValue)
  }

  /// Does something on every rank; where it fails on one, it fails on all.
  static func agree<R>(_ body: () throws -> R) throws -> R { try group?.agree(body) ?? body() }

  /// The root's plan, on every rank: it looks at images, at files of a run and at the machine.
  static func sharing(_ plan: () throws -> PretrainPlan) throws -> PretrainPlan {
    guard let group else { return try plan() }
    return try group.sharing(plan)
  }

  /// Does something on the root alone; where it fails there, it fails on all.
  static func onRoot(_ body: () throws -> Void) throws { try agree { if group?.isRoot ?? true { try body() } } }

  /// Threads that compute on this rank: so many, or 0 for its part of the cores.
  static func setThreads(_ count: Int) throws {
    let cores = try group?.fairCores() ?? 0
    try Runtime.setThreads(count == 0 ? cores : count)
  }

  /// The largest of a number on all ranks: only those that a signal reached know its number.
  static func most(_ value: Int32) throws -> Int32 { try group?.largest(value) ?? value }

  /// Whether this process says what went wrong: the root, where all know it, and else the one that it went wrong on.
  static var speaks: Bool { group.map { $0.isRoot || !$0.isOver } ?? true }

  /// In front of an error that the others do not know.
  static var prefix: String { group.map { $0.isOver ? "" : "rank \($0.rank) (\($0.hosts[$0.rank])): " } ?? "" }

  /// Whether an error is what the other ranks throw where one of them was asked to stop.
  static func wereCalledOff(by error: any Error) -> Bool {
    group?.stoppedBy != nil && (error as? EngineError)?.code == .cancelled
  }

  /// In front of what became of work that a signal ended: the rank that got it; and the exit code of that signal. `own`: this one did.
  static func stop(own: Bool) -> (there: String, exitCode: Int32) {
    guard let group else { return ("", StopSignal.exitCode) }
    let first = group.stoppedBy
    let (rank, code) = (first?.rank ?? group.rank, first?.exitCode ?? StopSignal.exitCode)
    return ("rank \(rank) (\(group.hosts[rank])) was asked to; ", own ? StopSignal.exitCode : code)
  }

  /// Ends MPI before the process ends: in order where all ranks are at their end, else all of them at once.
  static func leave(_ code: Int32) {
    guard let group else { return }
    if code != 0, !group.isOver { return RankGroup.abortLaunched(exitCode: code) }
    try? RankGroup.closeLaunched()
  }
}
