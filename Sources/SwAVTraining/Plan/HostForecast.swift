import Glibc
import SwAVAugmentation
public import SwAVEngine
import SwAVModel

/// What connects hosts.
public struct HostNetwork: Codable, Sendable, Equatable {
  /// Of a host, in each direction.
  public var bytesPerSecond: Double
  /// Seconds that a message takes however short it is.
  public var latency: Double

  public init(bytesPerSecond: Double, latency: Double = HostNetwork.ethernetLatency) {
    (self.bytesPerSecond, self.latency) = (bytesPerSecond, latency)
  }

  /// Of TCP between hosts of one switch, roughly.
  public static let ethernetLatency = 50e-6

  private static let rates: [(unit: String, bytes: Double)] = [
    ("Gb/s", 1e9 / 8), ("Gbit/s", 1e9 / 8), ("Mb/s", 1e6 / 8), ("Mbit/s", 1e6 / 8), ("GB/s", 1e9), ("MB/s", 1e6),
  ]
  private static let times: [(unit: String, seconds: Double)] = [("us", 1e-6), ("ms", 1e-3), ("s", 1)]
  public static let allowedRate = "a rate as 25Gb/s, 100Mb/s or 3GB/s"
  public static let allowedLatency = "a time as 50us or 0.5ms"

  /// Bytes a second of "25Gb/s"; nil where the text is no such rate.
  public static func rate(_ text: String) -> Double? { number(text, rates.map { ($0.unit, $0.bytes) }) }
  /// Seconds of "50us"; nil where the text is no such time.
  public static func latency(_ text: String) -> Double? { number(text, times.map { ($0.unit, $0.seconds) }) }

  private static func number(_ text: String, _ units: [(unit: String, factor: Double)]) -> Double? {
    for (unit, factor) in units where text.hasSuffix(unit) {
      guard let value = Double(text.dropLast(unit.count)), value > 0, value.isFinite else { continue }
      return value * factor
    }
    return nil
  }
}

/// What the planned run would take on several hosts of this one's kind, with one process each. A model, not a measurement: a step is
/// the computation of a host's part of the batch, which is as fast as here, waits for the slowest host, and then for the messages of
/// cpp/comm (sums in the order of the ranks), but for those of gradients that travel while others are computed.
public struct HostForecast: Codable, Sendable, Equatable {
  public enum Limit: String, Codable, Sendable {
    case computation
    /// Bytes of the gradients.
    case bandwidth
    /// Many short messages, of batch-norm and codes.
    case latency
  }

  public var hosts: Int
  /// Images of a step, of one host.
  public var batch: Int
  public var stepSeconds: Double
  /// Of a step, in messages that no computation hides.
  public var networkSeconds: Double
  /// Of a step, in messages of gradients that travel while others are computed.
  public var hiddenSeconds: Double
  public var imagesPerSecond: Double
  /// Images a second of a host against those of one alone.
  public var efficiency: Double
  /// Bytes of a host, as planned; nil: more than there is.
  public var memory: Int?
  /// Seconds of the run.
  public var seconds: Double
  public var limit: Limit

  /// For 1, 2, 4, ... hosts up to `most`, as far as they divide the batch.
  public static func all(
    upTo most: Int, over network: HostNetwork, _ plan: PretrainPlan, images: Int
  ) throws(EngineError) -> [HostForecast] {
    let configuration = plan.configuration
    let traffic = try StepTraffic(of: configuration)
    let steps = configuration.steps(stepsPerEpoch: max(1, images / configuration.batch)).total
    var counts = Array(sequence(first: 1) { $0 < most ? 2 * $0 : nil }).filter { $0 <= most }
    if counts.last != most { counts.append(most) }
    return counts.filter { configuration.batch % $0 == 0 && configuration.sumParts % $0 == 0 }.map { hosts in
      var own = configuration
      own.batch = configuration.batch / hosts
      own.sumParts = configuration.sumParts / hosts
      if own.queue > 0 { own.queue = max(own.batch, own.queue / hosts) }
      return HostForecast(
        hosts: hosts, own, traffic, network, oneHostImagesPerSecond: plan.speed.imagesPerSecond, steps: steps)
    }
  }

  /// Standard deviation of a host's time of a step, as a part of it: as hosts in a shared room have it.
  private static let deviation = 0.02

  private init(
    hosts: Int, _ own: PretrainConfiguration, _ traffic: StepTraffic, _ network: HostNetwork,
    oneHostImagesPerSecond rate: Double, steps: Int
  ) {
    let waiting = 1 + HostForecast.deviation * (2 * log(Double(hosts))).squareRoot()
    let computation = Double(own.batch) / rate * waiting
    hiddenSeconds = min(traffic.gradientSeconds(hosts, network), traffic.overlap(hosts) * computation)
    let bytes = traffic.gradientSeconds(hosts, network) - hiddenSeconds + traffic.shortSeconds(hosts, network)
    let messages = traffic.messageSeconds(hosts, network)
    (self.hosts, batch) = (hosts, own.batch)
    networkSeconds = bytes + messages
    stepSeconds = computation + networkSeconds
    imagesPerSecond = Double(own.batch * hosts) / stepSeconds
    efficiency = imagesPerSecond / Double(hosts) / rate
    memory = Forecast.memory(own)
    seconds = Double(steps) * stepSeconds
    limit = computation >= networkSeconds ? .computation : bytes >= messages ? .bandwidth : .latency
  }
}

/// What the ranks of a step exchange.
struct StepTraffic: Equatable {
  /// Of the gradients.
  var gradientBytes: Double
  /// Sums and maxima that are short enough to be gathered whole, and the bytes of all of them.
  var shortMessages: Double
  var shortBytes: Double
  /// Of a batch, where there are more than hosts: each host sends what each of its parts has.
  var parts = 1
  /// Part of a step's computation during which gradients travel, in a single micro-batch.
  var overlap = 0.0
  /// Of all hosts.
  var microBatches = 1.0

  /// Gradients are exchanged in pieces of so many bytes: usual_bucket of cpp/comm/gradual_sum.h, of floats.
  private static let piece = Double(4 << 20)
  /// Of the computation of a step, what is backward; and of a pass, what is left once the last stage's gradients are whole, which are three
  /// quarters of all.
  private static let (backward, behindLastStage) = (2.0 / 3, 0.75)
  /// Of the loss, figures of health, checks for what is not finite, and what ranks agree on before a step.
  private static let otherMessages = 18.0
  /// Of an assigned crop's codes beside the iterations: score spread, largest scores, marginal error, entropy.
  private static let codeMessages = 5.0

  init(gradientBytes: Double, shortMessages: Double, shortBytes: Double) {
    (self.gradientBytes, self.shortMessages, self.shortBytes) = (gradientBytes, shortMessages, shortBytes)
  }

  init(of configuration: PretrainConfiguration) throws(EngineError) {
    let network = try Network(configuration.network, seed: 0)
    let info = try network.info()
    gradientBytes = 4 * Double(info.parameterCount)
    parts = max(1, configuration.sumParts)
    overlap = StepTraffic.overlap(of: configuration)
    if configuration.microBatch > 0 { microBatches = Double(configuration.batch) / Double(configuration.microBatch) }
    let passes = Double(configuration.crops.count)
    (shortMessages, shortBytes) = (StepTraffic.otherMessages, 8 * StepTraffic.otherMessages)
    let sharesStatistics = configuration.normRanks != 1
    for index in 0..<info.tensorCount where sharesStatistics {
      let tensor = try network.tensor(at: index)
      guard tensor.name.hasSuffix(".running_mean") else { continue }
      // Forward and backward: two sums of doubles a channel each.
      let times = 2 * (tensor.name.hasPrefix("projection_head") ? 1 : passes)
      shortMessages += times
      shortBytes += times * 16 * Double(tensor.values.count)
    }
    for prototypes in configuration.prototypes {
      let codes = Double(configuration.assign.count) * (Double(configuration.sinkhornIterations) + StepTraffic.codeMessages)
      shortMessages += codes
      shortBytes += codes * 8 * Double(prototypes)
    }
  }

  /// A gradient is whole in the last micro-batch's pass over the first crops.
  private static func overlap(of configuration: PretrainConfiguration) -> Double {
    guard configuration.rankSums == .ordered, let first = configuration.crops.first else { return 0 }
    func pixels(_ crops: CropGroup) -> Double { Double(crops.count * crops.size * crops.size) }
    return backward * behindLastStage * pixels(first) / configuration.crops.map(pixels).reduce(0, +)
  }

  /// Gradients of several parts of a host are summed after them all.
  func overlap(_ hosts: Int) -> Double { ownParts(hosts) > 1 ? 0 : overlap / max(1, microBatches / Double(hosts)) }

  /// Gradients go out in slices and come back as sums.
  func gradientSeconds(_ hosts: Int, _ network: HostNetwork) -> Double {
    (ownParts(hosts) + 1) * gradientBytes * Double(hosts - 1) / Double(hosts) / network.bytesPerSecond
  }

  /// Short ones go to everybody.
  func shortSeconds(_ hosts: Int, _ network: HostNetwork) -> Double {
    ownParts(hosts) * shortBytes * Double(hosts - 1) / network.bytesPerSecond
  }

  private func ownParts(_ hosts: Int) -> Double { max(1, Double(parts) / Double(hosts)) }

  /// A short one reaches all in the logarithm of their number; a slice goes to each by itself.
  func messageSeconds(_ hosts: Int, _ network: HostNetwork) -> Double {
    guard hosts > 1 else { return 0 }
    let pieces = (gradientBytes * ownParts(hosts) / StepTraffic.piece).rounded(.up)
    return network.latency * (shortMessages * log2(Double(hosts)).rounded(.up) + 2 * pieces * Double(hosts - 1))
  }
}
