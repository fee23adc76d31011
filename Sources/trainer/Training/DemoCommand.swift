import ArgumentParser
import Foundation
import SwAV
import SwAVDemo

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "The whole story in a few minutes, without any data.",
    discussion: """
      Renders a few thousand pictures of thirteen kinds of pattern, measures how \
      well an untrained network tells them apart, pretrains it on them without \
      their labels, and measures again. Running the same command again goes on \
      where the last run stopped.
      """)

  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("The folder for pictures and run.", valueName: "dir"))
  var output = "swav-demo"
  @Option(help: ArgumentHelp("Seed of the training; the pictures stay the same.", valueName: "n"))
  var seed: UInt64 = 0
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      var demonstration = Demonstration(directory: output, seed: seed)
      demonstration.configuration.threads = threads.threads
      demonstration.configuration.workers = threads.workers
      let control = StopSignal.installForRun()
      var view = DemoView(demonstration, json: out.json)
      do {
        view.showOpening()
        guard let report = try demonstration.run(control: control, report: { try view.show($0) }) else {
          view.showInterrupted()
          throw ExitCode(StopSignal.exitCode)
        }
        try view.writeReport()
        try view.show(report)
      } catch {
        view.close()
        throw error
      }
    }
  }
}
