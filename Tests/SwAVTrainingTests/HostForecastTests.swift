import SwAVInspection
import SwAVModel
import Testing

@testable import SwAVTraining

/// What a run would take on several hosts, against sums made by hand.
@Suite struct HostForecastTests {
  @Test func ratesAndTimesAreReadAsPeopleWriteThem() {
    #expect(
      HostNetwork.rate("25Gb/s") == 3.125e9 && HostNetwork.rate("100Mbit/s") == 1.25e7 && HostNetwork.rate("3GB/s") == 3e9)
    for (text, seconds) in [("50us", 5e-5), ("0.5ms", 5e-4), ("2s", 2)] {
      #expect(abs((HostNetwork.latency(text) ?? 0) - seconds) < 1e-12, "\(text)")
    }
    for wrong in ["", "25", "Gb/s", "-1Gb/s", "0Gb/s", "25gb", "nanGb/s"] {
      #expect(HostNetwork.rate(wrong) == nil, "\(wrong)")
    }
    for wrong in ["", "50", "ms", "-1ms", "1h"] { #expect(HostNetwork.latency(wrong) == nil, "\(wrong)") }
  }

  @Test func messagesOfAStepAreCounted() {
    let traffic = StepTraffic(gradientBytes: 32e6, shortMessages: 100, shortBytes: 1e5)
    let network = HostNetwork(bytesPerSecond: 1e9, latency: 1e-4)
    #expect(traffic.gradientSeconds(1, network) == 0 && traffic.shortSeconds(1, network) == 0)
    #expect(traffic.messageSeconds(1, network) == 0)
    // Three quarters of the gradients out and in, the short ones of three others.
    #expect(abs(traffic.gradientSeconds(4, network) - 2 * 32e6 * 0.75 / 1e9) < 1e-12)
    #expect(abs(traffic.shortSeconds(4, network) - 3e5 / 1e9) < 1e-12)
    // Two rounds of each short one, eight pieces of gradients, of 4 MiB, to three others twice.
    #expect(abs(traffic.messageSeconds(4, network) - 1e-4 * (200 + 48)) < 1e-12)
    // Three parts of each host go out, and their sum comes in.
    var inParts = traffic
    inParts.parts = 12
    inParts.overlap = 0.5
    #expect(abs(inParts.gradientSeconds(4, network) - (3 + 1) * 32e6 * 0.75 / 1e9) < 1e-12)
    #expect(abs(inParts.shortSeconds(4, network) - 3 * 3e5 / 1e9) < 1e-12)
    #expect(abs(inParts.messageSeconds(4, network) - 1e-4 * (200 + 6 * 23)) < 1e-12)
    #expect(inParts.overlap(4) == 0 && inParts.overlap(12) == 0.5)
  }

  @Test func gradientsTravelDuringTheLastPassOfTheBackward() throws {
    func overlap(_ values: [(String, String)]) throws -> Double {
      try StepTraffic(of: plan([("crops", "2x64+4x32"), ("batch", "64"), ("epochs", "2")] + values).configuration).overlap(2)
    }
    // Two thirds of a step are backward, two thirds of the pixels are of the first crops, and a quarter of their pass is the last stage's.
    #expect(abs(try overlap([]) - 2.0 / 3 * 2 / 3 * 0.75) < 1e-12)
    #expect(abs(try overlap([("micro-batch", "16")]) - 2.0 / 3 * 2 / 3 * 0.75 / 2) < 1e-12, "four, of which each host has two")
    #expect(try overlap([("rank-sums", "fast")]) == 0)
    // What travels then is no time of the network.
    let planned = try plan([("crops", "2x64+4x32"), ("batch", "64"), ("epochs", "2")])
    let traffic = try StepTraffic(of: planned.configuration)
    let network = HostNetwork(bytesPerSecond: 1e12, latency: 1e-12)
    let two = try HostForecast.all(upTo: 2, over: network, planned, images: 10_000)[1]
    #expect(abs(two.networkSeconds - traffic.shortSeconds(2, network) - traffic.messageSeconds(2, network)) < 1e-12)
  }

  private func plan(_ values: [(String, String)]) throws -> PretrainPlan {
    var given = PretrainSettings()
    for (name, value) in values { try given.set(name, to: value) }
    return try PretrainConfiguration.planned(for: DataFacts(images: 10_000, shortSide: 64), given: given)
  }

  @Test func moreHostsAreFasterUntilTheNetworkLimits() throws {
    let plan = try plan([
      ("base-width", "8"), ("crops", "2x32+2x16"), ("batch", "64"), ("epochs", "2"), ("prototypes", "10"),
    ])
    let fast = try HostForecast.all(upTo: 64, over: HostNetwork(bytesPerSecond: 1e12, latency: 1e-9), plan, images: 10_000)
    #expect(fast.map(\.hosts) == [1, 2, 4, 8, 16, 32, 64] && fast.map(\.batch) == [64, 32, 16, 8, 4, 2, 1])
    #expect(abs(fast[0].efficiency - 1) < 1e-12 && fast[0].networkSeconds == 0)
    #expect(zip(fast, fast.dropFirst()).allSatisfy { $1.seconds < $0.seconds && $1.efficiency < $0.efficiency })
    #expect(fast.allSatisfy { $0.limit == .computation })
    let slow = try HostForecast.all(upTo: 8, over: HostNetwork(bytesPerSecond: 1e5, latency: 1e-9), plan, images: 10_000)
    #expect(slow.dropFirst().allSatisfy { $0.limit == .bandwidth && $0.efficiency < 0.5 })
    let far = try HostForecast.all(upTo: 8, over: HostNetwork(bytesPerSecond: 1e12, latency: 1), plan, images: 10_000)
    #expect(far.dropFirst().allSatisfy { $0.limit == .latency })
    // What does not divide the batch is left out.
    #expect(
      try HostForecast.all(upTo: 6, over: HostNetwork(bytesPerSecond: 1e9), plan, images: 10_000).map(\.hosts) == [1, 2, 4])
  }

  @Test func statisticsOfEachRankAloneNeedNoMessages() throws {
    let shared = try StepTraffic(of: plan([("epochs", "1")]).configuration)
    let own = try StepTraffic(of: plan([("epochs", "1"), ("sync-batch-norm", "off")]).configuration)
    // Twenty batch-norms of two resolutions and that of the head, forward and backward.
    #expect(shared.shortMessages - own.shortMessages == 2 * (20 * 2 + 1))
    #expect(shared.gradientBytes == own.gradientBytes && shared.gradientBytes > 2e6)
  }
}
