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
      trainer pretrain DIR --output RUN   learn from a folder of images
      trainer knn --weights RUN --train DIR --val DIR
      trainer embed DIR --weights RUN --output features.csv

      Exit codes: 0 done
      64 wrong flag or value        65 unusable images, weights or checkpoint
      66 input not there            70 defect
      71 out of memory              73 output folder in use
      74 reading or writing failed  76 a value is not finite
      130 or 143: stopped by SIGINT or SIGTERM, after a checkpoint
      """,
    version: Runtime.versionText,
    subcommands: [
      DemoCommand.self, CheckDataCommand.self, PreviewCommand.self, PretrainCommand.self, KNNCommand.self, LinearCommand.self,
      EmbedCommand.self, BenchCommand.self,
      InfoCommand.self,
    ])

  static func main() {
    StandardOutput.occupyClosedDescriptors()
    // A closed pipe is an error of the write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    let code = runCommand()
    Foundation.exit(code == 0 && StandardOutput.hasFailed ? Failure.Code.io.rawValue : code)
  }

  /// The exit code.
  private static func runCommand() -> Int32 {
    do {
      var command = try parseAsRoot()
      try command.run()
      return 0
    } catch let failure as Failure {
      failure.tell()
      return failure.code.rawValue
    } catch {
      let code = exitCode(for: error)
      let text = fullMessage(for: error)
      if code == .success {
        print(text)
      } else if !text.isEmpty {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
      }
      return code.rawValue
    }
  }
}

/// Options of every verb.
struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Print one JSON object a line, the last one the result.")
  var json = false
}

struct ThreadOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads that compute; 0: one for each core.", valueName: "n"))
  var threads = 0

  @Option(help: ArgumentHelp("Threads that read and decode images; 0: one for each core.", valueName: "n"))
  var workers = 0

  func validate() throws {
    guard (0...4096).contains(threads) else { throw ValidationError("--threads is \(threads); 0 to 4096 are allowed") }
    guard (0...1024).contains(workers) else { throw ValidationError("--workers is \(workers); 0 to 1024 are allowed") }
  }

  var reading: ReadingOptions {
    ReadingOptions(workers: workers > 0 ? workers : ProcessInfo.processInfo.activeProcessorCount)
  }
}
