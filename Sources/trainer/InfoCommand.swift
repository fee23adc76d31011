import ArgumentParser
import SwAV

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Version, processor, instruction set and threads.",
    discussion: "The environment variable SWAV_MAX_ISA (avx512, avx2, baseline) caps the instruction set.",
    aliases: ["doctor"])

  @OptionGroup var out: OutputOptions

  private struct Report: Encodable {
    var version: String
    var cpu: String
    var isa: String
    var threads: Int
    var threadsFrom: String
    var features: String
    var build: String
  }

  func run() throws {
    try Failure.reporting(json: out.json) {
      let info = try Runtime.info()
      let report = Report(
        version: Runtime.versionText, cpu: info.cpu, isa: info.isa, threads: info.threads,
        threadsFrom: info.threadsFrom, features: info.features, build: info.build)
      if out.json { return print(try jsonRow("result", command: "info", report)) }
      print("swav \(report.version), built with \(report.build)")
      print("processor: \(report.cpu)")
      print("kernels: \(report.isa) of \(report.features)")
      print("threads: \(report.threads) (\(report.threadsFrom))")
    }
  }
}
