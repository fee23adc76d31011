import CSwAV
public import SwAVEngine

/// The entropy regularisation of the codes (paper eq. 3): a number, or a multiple of the spread of the scores.
public enum Epsilon: Sendable, Equatable {
  /// The published form; 0.05 is the published value.
  case fixed(Double)
  /// Times the spread of each assignment crop's own batch scores (standard deviation over images, mean over prototypes).
  case relative(Double)
}

extension Epsilon: LosslessStringConvertible {
  /// "0.05" or "relative:0.5".
  public init?(_ description: String) {
    let prefix = "relative:"
    if description.hasPrefix(prefix) {
      guard let value = Double(description.dropFirst(prefix.count)) else { return nil }
      self = .relative(value)
    } else {
      guard let value = Double(description) else { return nil }
      self = .fixed(value)
    }
  }

  public var description: String {
    switch self {
    case .fixed(let value): "\(value)"
    case .relative(let value): "relative:\(value)"
    }
  }
}

extension Epsilon: Codable {
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let value = Epsilon(text) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is neither a number nor relative:NUMBER"))
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// Codes of a batch by Sinkhorn-Knopp (paper eq. 3 to 5).
public struct Codes: Codable, Sendable, Equatable {
  public var epsilon: Epsilon
  public var iterations: Int
  /// The smallest epsilon that the relative form may come to.
  public var epsilonFloor: Double

  /// 0.05, 3 iterations, floor 1e-3, as the engine states them.
  public static let published: Codes = {
    let config = swav_codes_config_default()
    return Codes(
      epsilon: .fixed(Double("\(config.epsilon)") ?? 0), iterations: Int(config.iterations),
      epsilonFloor: Double("\(config.epsilon_floor)") ?? 0)
  }()

  public init(epsilon: Epsilon, iterations: Int, epsilonFloor: Double) {
    (self.epsilon, self.iterations, self.epsilonFloor) = (epsilon, iterations, epsilonFloor)
  }

  var engine: swav_codes_config {
    var config = swav_codes_config_default()
    switch epsilon {
    case .fixed(let value): (config.epsilon, config.relative) = (Float(value), false)
    case .relative(let value): (config.epsilon, config.relative) = (Float(value), true)
    }
    config.iterations = Int32(clamping: iterations)
    config.epsilon_floor = Float(epsilonFloor)
    return config
  }

  /// Scores [rows][prototypes] -> codes of the last `keep` rows [keep][prototypes], each summing to 1. Earlier rows are the
  /// queue.
  public func codes(for scores: [Float], prototypes: Int, keep: Int? = nil) throws(EngineError) -> [Float] {
    guard prototypes > 0, !scores.isEmpty, scores.count % prototypes == 0 else {
      throw EngineError(
        code: .argument, message: "scores has \(scores.count) numbers; a multiple of \(prototypes) prototypes is needed")
    }
    let rows = scores.count / prototypes
    let kept = keep ?? rows
    guard (1...rows).contains(kept) else {
      throw EngineError(code: .argument, message: "keep is \(kept); 1 to \(rows) rows are allowed")
    }
    var (config, codes) = (engine, [Float](repeating: 0, count: kept * prototypes))
    try check(swav_codes(scores, Int64(rows), Int64(prototypes), Int64(kept), &config, &codes, nil))
    return codes
  }
}

/// Swapped prediction (paper eq. 1, 2 and 6, averaged as published).
public struct SwappedLoss: Codable, Sendable, Equatable {
  public var temperature: Double
  /// Crops whose codes the others predict.
  public var assignmentCrops: [Int]

  public init(temperature: Double = 0.1, assignmentCrops: [Int] = [0, 1]) {
    (self.temperature, self.assignmentCrops) = (temperature, assignmentCrops)
  }

  /// The loss and its gradient. `scores` [crops * batch][prototypes], crop-major; `codes`
  /// [assignmentCrops.count][batch][prototypes]; the gradient has the shape of `scores`.
  public func loss(
    scores: [Float], predicting codes: [Float], crops: Int, batch: Int, prototypes: Int
  ) throws(EngineError) -> (loss: Double, gradient: [Float]) {
    guard crops > 0, batch > 0, prototypes > 0, scores.count == crops * batch * prototypes else {
      throw EngineError(
        code: .argument, message: "scores has \(scores.count) numbers; \(crops) x \(batch) x \(prototypes) are needed")
    }
    guard codes.count == assignmentCrops.count * batch * prototypes else {
      throw EngineError(
        code: .argument,
        message: "codes has \(codes.count) numbers; \(assignmentCrops.count) x \(batch) x \(prototypes) are needed")
    }
    var (loss, gradient) = (0.0, [Float](repeating: 0, count: scores.count))
    let assign = assignmentCrops.map { Int32(clamping: $0) }
    try check(
      swav_swapped_loss(
        scores, Int64(crops), Int64(batch), Int64(prototypes), codes, assign, Int32(assign.count), Float(temperature), &loss,
        &gradient))
    return (loss, gradient)
  }
}
