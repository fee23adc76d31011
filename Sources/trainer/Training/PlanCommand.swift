import ArgumentParser
import Foundation
import SwAV

struct PlanCommand: PlanningCommand {
  static let settings = Setting.all

  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "What pretrain would choose, and what choices cost.",
    discussion: """
      Looks at the images, measures the speed for some seconds, and prints what would
      be chosen and why, operations, memory, speed and time, and what other networks
      and views would take. Nothing is trained.

      SETTINGS are those of pretrain; 'trainer help settings' shows them.
      """)

  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String] = []
  @Option(help: ArgumentHelp("Settings as YAML, by the names of the flags; a flag beats it.", valueName: "file"))
  var config: String?
  @Option(help: ArgumentHelp("Show what up to so many hosts like this one would take, together.", valueName: "n"))
  var hosts = 1
  @Option(help: ArgumentHelp("What connects the hosts, as 25Gb/s.", valueName: "rate"))
  var network = "10Gb/s"
  @Option(help: ArgumentHelp("Of a message between hosts, as 50us.", valueName: "time"))
  var latency = "50us"
  @OptionGroup var out: OutputOptions
  var given = GivenSettings()

  func run() throws {
    try Failure.reporting(json: out.json) {
      let network = try hostNetwork()
      let planned = try planned(try layers(), goingOnWith: nil, isQuiet: false, measures: true)
      try planned.showPlan(json: out.json)
      guard let facts = planned.facts else { return }
      let forecast = Forecast(planned.plan, facts: facts)
      let hosts = hosts > 1 ? try HostForecast.all(upTo: hosts, over: network, planned.plan, images: facts.draws) : []
      if out.json {
        for row in hosts { print(try jsonRow("hosts", row)) }
        return print(try jsonRow("result", command: "plan", forecast))
      }
      for line in forecast.lines + HostForecast.lines(hosts) { print(line) }
    }
  }

  private func hostNetwork() throws -> HostNetwork {
    guard (1...4096).contains(hosts) else { throw ValidationError("--hosts is \(hosts); a number from 1 to 4096 is needed") }
    guard let rate = HostNetwork.rate(network) else {
      throw ValidationError("--network is '\(network)'; \(HostNetwork.allowedRate) is needed")
    }
    guard let time = HostNetwork.latency(latency) else {
      throw ValidationError("--latency is '\(latency)'; \(HostNetwork.allowedLatency) is needed")
    }
    return HostNetwork(bytesPerSecond: rate, latency: time)
  }
}

extension Forecast {
  /// A table for people.
  fileprivate var lines: [String] {
    let head = [
      "", "\(images) images, \(stepsPerEpoch) steps an epoch, \(steps) steps in all, \(duration(planned.seconds)) of steps", "",
      row("", "GFLOP/image", "images/s", "MiB", "an epoch", "epochs", "same images"),
    ]
    return head + ([planned] + others).map(line) + [
      "", "epochs: in the same time; same images: time for as many images as planned. ~: scaled from what was measured.",
    ]
  }

  private func line(_ choice: Choice) -> String {
    row(
      choice.name, fixed(choice.operationsPerImage / 1e9, 2),
      (choice.isMeasured ? "" : "~") + fixed(choice.imagesPerSecond, choice.imagesPerSecond < 10 ? 1 : 0),
      choice.memory.map { fixed(Double($0) / 1_048_576, 0) } ?? "too much", duration(choice.epochSeconds),
      fixed(choice.epochs, choice.epochs < 10 ? 1 : 0), duration(choice.seconds))
  }

  private func row(_ name: String, _ cells: String...) -> String {
    let widths = [11, 9, 8, 9, 8, 12]
    let columns = zip(cells, widths).map { String(repeating: " ", count: max(1, $1 - $0.count)) + $0 }
    return name.padding(toLength: max(name.count, 42), withPad: " ", startingAt: 0) + columns.joined()
  }
}

extension HostForecast {
  /// A table for people; nothing for no hosts.
  fileprivate static func lines(_ all: [HostForecast]) -> [String] {
    guard !all.isEmpty else { return [] }
    let widths = [5, 12, 9, 10, 10, 12, 10, 12, 14]
    func row(_ cells: [String]) -> String {
      zip(cells, widths).map { String(repeating: " ", count: max(1, $1 - $0.count)) + $0 }.joined()
    }
    let head = row(["hosts", "images/host", "step", "network", "images/s", "efficiency", "MiB", "the run", "limit"])
    return ["", head]
      + all.map { one in
        row([
          "\(one.hosts)", "\(one.batch)", fixed(one.stepSeconds, 3) + " s", fixed(one.networkSeconds, 3) + " s",
          fixed(one.imagesPerSecond, one.imagesPerSecond < 10 ? 1 : 0), fixed(100 * one.efficiency, 0) + " %",
          one.memory.map { fixed(Double($0) / 1_048_576, 0) } ?? "too much", duration(one.seconds), one.limit.rawValue,
        ])
      } + [
        "",
        "hosts: computation scaled from this machine, messages from --network and --latency; a larger batch needs fewer of them.",
      ]
  }
}
