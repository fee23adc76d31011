import ArgumentParser
import Foundation
import SwAV

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Make a training step that failed again.",
    discussion: """
      A run that ends because a value is not finite leaves RUN/failed-step: the state
      before the step, its crops and settings. With the same instruction set it fails
      as it did, to the bit, here or on another machine.
      """)

  @Argument(help: ArgumentHelp("The file of the step.", valueName: "file"))
  var file: String
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard FileManager.default.fileExists(atPath: expandingHome(file)) else {
        throw DataError(.missing, "\(file): there is no such file")
      }
      let step = try StepFile(contentsOf: expandingHome(file))
      let replay = try Runtime.withThreads(threads.threads) { try step.replay(expandingHome(file)) }
      if out.json {
        print(try jsonRow("result", command: "replay", replay))
      } else {
        print("step \(replay.step + 1): \(replay.message ?? "no error; loss \(fixed(replay.report?.loss ?? 0, 6))")")
        print(replay.isSame ? "as the first time" : "the first time: \(step.message)")
      }
      guard replay.isSame else {
        throw Failure(code: .data, message: "\(file): the step did not end as the first time", json: out.json)
      }
    }
  }
}
