import ArgumentParser
import Foundation
import SwAV

@main
struct TrainerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trainer",
    abstract: "Learn visual features from unlabelled images with SwAV, on the CPU.",
    discussion: """
      trainer demo                        the whole story, without any data
      trainer pretrain DIR --output RUN   learn from images in half an hour
      trainer plan DIR --budget 2h        what that would do, and what it costs
      trainer evaluate knn --weights RUN --train DIR --val DIR
      trainer embed DIR --weights RUN --output features.csv
      trainer export RUN --format timm --output FOLDER

      trainer help pretrain               a command; help settings: all its settings
      trainer help presets                help exit-codes: what a command ends with
      """,
    version: Runtime.versionText,
    subcommands: [
      DemoCommand.self, CheckDataCommand.self, PreviewCommand.self, PlanCommand.self, PretrainCommand.self,
      EvaluateCommand.self, KNNCommand.self, LinearCommand.self,
      EmbedCommand.self, ExportCommand.self, ClusterCommand.self, SearchCommand.self, DedupeCommand.self, LabelCommand.self,
      ReportCommand.self, CompareCommand.self, ExploreCommand.self, InspectCommand.self, ReplayCommand.self, BenchCommand.self,
      InfoCommand.self,
    ])

  static func main() {
    StandardOutput.occupyClosedDescriptors()
    // A closed pipe is an error of the write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    // So is a limit on the size of files (ulimit -f).
    signal(SIGXFSZ, SIG_IGN)
    StopSignal.restoreQuit()
    let code = runCommand()
    let ending = code == 0 && StandardOutput.hasFailed ? Failure.Code.io.rawValue : code
    LaunchedRanks.leave(ending)
    Foundation.exit(ending)
  }

  /// The exit code.
  private static func runCommand() -> Int32 {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      try Failure.reporting(json: arguments.contains("--json")) { try LaunchedRanks.join() }
      var command = try LaunchedRanks.agree { try parsed(arguments) }
      try command?.run()
      return 0
    } catch let failure as RankFailure {
      return failure.exitCode
    } catch let failure as Failure {
      failure.tell()
      return failure.code.rawValue
    } catch {
      let code = exitCode(for: error)
      if code == .success {
        print(fullMessage(for: error))
      } else if !(error is ExitCode) {
        Failure(code: .usage, message: message(for: error), json: arguments.contains("--json")).tell()
      }
      return code.rawValue
    }
  }
}

extension TrainerCommand {
  /// What is to be done; nil where that was to print a help text.
  private static func parsed(_ arguments: [String]) throws -> (any ParsableCommand)? {
    var command: any ParsableCommand
    switch try CommandTarget.find(in: arguments, of: self) {
    case .help(let text):
      print(text)
      return nil
    case .parser: command = try parseAsRoot(arguments)
    case .command(let target, let rest):
      let reader = try CommandLineReader(target, rest)
      command = try parseAsRoot(reader.words)
      if var taker = command as? any SettingsCommand {
        taker.given = reader.settings
        command = taker
      }
      try reader.tellNotes()
    }
    // All others would do the same work in every process.
    if let group = LaunchedRanks.group, !(command is any RankedCommand) {
      let name = type(of: command)._commandName
      throw ValidationError("\(name) runs in one process, and \(group.size) were started; start it without mpirun or srun")
    }
    return command
  }
}

/// A command that several processes carry out together.
protocol RankedCommand: ParsableCommand {}

/// Options of every verb.
struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Print one JSON object a line, the last one the result.")
  var json = false
}

struct ThreadOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads that compute; 0: one a core.", valueName: "n"))
  var threads = 0

  @Option(help: ArgumentHelp("Threads that read images; 0: one a core.", valueName: "n"))
  var workers = 0

  func validate() throws {
    guard (0...4096).contains(threads) else { throw ValidationError("--threads is \(threads); 0 to 4096 are allowed") }
    guard (0...1024).contains(workers) else { throw ValidationError("--workers is \(workers); 0 to 1024 are allowed") }
  }

  var reading: ReadingOptions {
    ReadingOptions(workers: workers > 0 ? workers : availableCores())
  }
}
