public import Foundation

/// The built command, run as a process of its own.
public struct TrainerProcess {
  public struct Outcome: Sendable {
    /// As a shell gives it: 128 + signal for a process that a signal ended.
    public var code: Int32
    public var output: String
    public var errors: String

    /// The lines of standard output that are JSON objects.
    public var objects: [[String: Any]] {
      output.split(separator: "\n").compactMap {
        (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
      }
    }
  }

  /// Beside the test bundle, where the package manager puts products.
  public static let path: String = {
    let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    return folder.appendingPathComponent("trainer").path
  }()

  /// Runs the command, by way of a launcher where one is given, and waits. `whileRunning` gets the process after its start.
  public static func run(
    _ arguments: [String], launcher: [String] = [], environment: [String: String] = [:], in folder: String? = nil,
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: launcher.first ?? path)
    process.arguments = launcher.dropFirst() + (launcher.isEmpty ? [] : [path]) + arguments
    // A known width: help text is wrapped to it.
    process.environment = ProcessInfo.processInfo.environment.merging(["COLUMNS": "80"]) { $1 }.merging(environment) { $1 }
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    // Files and not pipes: a pipe that nobody empties would stop the process.
    let base = NSTemporaryDirectory() + "swav-process-" + UUID().uuidString
    let (outputPath, errorPath) = (base + ".out", base + ".err")
    for path in [outputPath, errorPath] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
    defer { for path in [outputPath, errorPath] { try? FileManager.default.removeItem(atPath: path) } }
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: outputPath))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errorPath))
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // A process that does not end fails its test; it must not outlive it.
    let deadline = DispatchWorkItem { kill(process.processIdentifier, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 120, execute: deadline)
    defer { deadline.cancel() }
    try whileRunning(process)
    process.waitUntilExit()
    let signalled = process.terminationReason == .uncaughtSignal
    return Outcome(
      code: process.terminationStatus + (signalled ? 128 : 0),
      output: try String(contentsOfFile: outputPath, encoding: .utf8),
      errors: try String(contentsOfFile: errorPath, encoding: .utf8))
  }

  /// The flags of a network with random weights, for pictures of 32 pixels.
  public static let untrained = ["--weights", "untrained", "--stem", "small", "--size", "32"]

  /// Where mpirun is installed; nil where it is not.
  public static let mpirun: String? = ["/usr/bin/mpirun", "/usr/local/bin/mpirun"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// Runs the command as so many ranks on this machine, by Open MPI's launcher. Its own checks of cores and users are for clusters.
  /// `script`: what bash does in each of them, with the command in "$@".
  public static func ranks(
    _ count: Int, _ arguments: [String], script: String? = nil, environment: [String: String] = [:], in folder: String,
    whileRunning: (Process) throws -> Void = { _ in }
  ) throws -> Outcome {
    var launcher = [mpirun ?? "mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "\(count)"]
    if let script { launcher += ["bash", "-c", script, "rank"] }
    // One copy between processes needs a right that containers take away.
    let open = ["OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_mpi_yield_when_idle": "1"]
    return try run(
      arguments, launcher: launcher, environment: open.merging(environment) { $1 }, in: folder, whileRunning: whileRunning)
  }

  /// Process ids of what a process has started.
  public static func children(of process: Process) -> [pid_t] {
    let id = process.processIdentifier
    let text = (try? String(contentsOfFile: "/proc/\(id)/task/\(id)/children", encoding: .utf8)) ?? ""
    return text.split(separator: " ").compactMap { pid_t($0) }
  }

  /// Runs a script of bash in which `trainer` is the command, for redirections and pipes; gives its exit code and errors. After five
  /// minutes all that it started is ended.
  public static func shell(_ script: String, in folder: String) throws -> (code: Int32, errors: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["-s", "KILL", "300", "/bin/bash", "-c", "trainer() { \"$TRAINER\" \"$@\"; }; " + script]
    process.environment = ProcessInfo.processInfo.environment.merging(["COLUMNS": "80", "TRAINER": path]) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let errors = NSTemporaryDirectory() + "swav-shell-" + UUID().uuidString
    _ = FileManager.default.createFile(atPath: errors, contents: nil)
    defer { try? FileManager.default.removeItem(atPath: errors) }
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOfFile: errors, encoding: .utf8))
  }
}
