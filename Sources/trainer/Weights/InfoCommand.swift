import ArgumentParser
import SwAV

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Version, processor, instruction set and threads.",
    discussion: "The environment variable SWAV_MAX_ISA (amx, avx512_bf16, avx512, avx2, baseline) caps the extensions in use.",
    aliases: ["doctor"])

  @OptionGroup var out: OutputOptions

  private struct Report: Encodable {
    var version: String
    var cpu: String
    var isa: String
    var threads: Int
    var threadsFrom: String
    var features: String
    var used: String
    var bfloat16: String
    var fastBfloat16: Bool  // its key is fast_bfloat16
    var build: String
  }

  /// Extensions that the processor has and the cap forbids.
  private func leftOut(_ report: Report) -> [Substring] {
    let used = Set(report.used.split(separator: " "))
    return report.features.split(separator: " ").filter { !used.contains($0) }
  }

  func run() throws {
    try Failure.reporting(json: out.json) {
      let info = try Runtime.info()
      let report = Report(
        version: Runtime.versionText, cpu: info.cpu, isa: info.isa, threads: info.threads,
        threadsFrom: info.threadsFrom, features: info.features, used: info.used, bfloat16: info.bfloat16,
        fastBfloat16: info.fastBFloat16, build: info.build)
      if out.json { return print(try jsonRow("result", command: "info", report)) }
      print("swav \(report.version), built with \(report.build)")
      print("processor: \(report.cpu)")
      print("kernels: \(report.isa), with \(report.used.isEmpty ? "no extension" : report.used)")
      if report.used != report.features { print("left out by SWAV_MAX_ISA: \(leftOut(report).joined(separator: " "))") }
      print("bfloat16: \(report.bfloat16), \(report.fastBfloat16 ? "faster" : "no faster") than float32")
      print("threads: \(report.threads) (\(report.threadsFrom))")
    }
  }
}
