import Foundation
import SwAVData
import SwAVEngine
import SwAVModel

/// What the folder of a run tells of it, read back: settings, figures of the steps, evaluations, and where it was carried out.
public struct RunHistory: Sendable {
  /// The folder.
  public let path: String
  /// Of every setting that config.yaml names, as text.
  public let settings: [String: String]
  public let configuration: PretrainConfiguration
  public let steps: [StepProgress]
  public let evaluations: [Evaluation]
  public let probes: [ProbeProgress]
  /// nil where environment.json is not there, or of another kind.
  public let environment: RunEnvironment?
  /// Lines of the log after "warning: " and "advice: ", each once, in their order.
  public let warnings: [String]
  public let advice: [String]
  /// Whether the last step is done.
  public let isFinished: Bool

  /// A row of metrics.jsonl of an evaluation.
  public struct Evaluation: Codable, Sendable, Equatable {
    public var step: Int
    public var epoch: Int
    /// Percent right, 0...100.
    public var knn20: Double
    /// Of the linear layer that learns beside the training, where there was one.
    public var probe: Double?
    public var evaluationSeconds: Double
    public var majorityShare: Double?
    public var trainImages: Int?
    public var valImages: Int?
    public var classes: Int?
  }

  /// Throws where the folder is none of a run, or its settings cannot be read. Lines of the files that are no rows, as the last one of
  /// a process that was killed, are passed over.
  public init(at path: String) throws {
    let files = RunFolder(path: path)
    guard fileExists(path) else { throw PretrainingError.data(DataError(.missing, "\(path): there is no such folder")) }
    guard let given = try PretrainSettings.ofRun(at: path) else {
      throw PretrainingError.file(path: path, reason: "not the folder of a run: it has no config.yaml")
    }
    var configuration = PretrainConfiguration()
    try given.apply(to: &configuration)
    self.path = path
    self.configuration = configuration
    settings = given.values.mapValues(\.text)
    let rows = try RunHistory.lines(of: files.metrics)
    let decoder = RunHistory.decoder
    steps = rows.filter { $0.contains("\"gradient_norm\"") }.compactMap {
      try? decoder.decode(StepProgress.self, from: Data($0.utf8))
    }
    evaluations = rows.filter { $0.contains("\"evaluation_seconds\"") }.compactMap {
      try? decoder.decode(Evaluation.self, from: Data($0.utf8))
    }
    probes = rows.filter { $0.contains("\"probe_right\"") }.compactMap {
      try? decoder.decode(ProbeProgress.self, from: Data($0.utf8))
    }
    environment = FileManager.default.contents(atPath: files.environment).flatMap {
      try? decoder.decode(RunEnvironment.self, from: $0)
    }
    let log = try RunHistory.lines(of: files.log)
    warnings = RunHistory.remarks(in: log, after: " warning: ")
    advice = RunHistory.remarks(in: log, after: " advice: ")
    // A run by the clock may end with a step that was planned to be one of the last: the settings know then.
    let planned = configuration.plannedSteps?.total ?? .max
    isFinished = steps.last.map { $0.step >= min($0.totalSteps, planned) } ?? false
  }

  /// The last folder of the path: what people call the run.
  public var name: String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// What is wrong with the run, by the figures of its steps: the same as was told while it went on.
  public var diagnoses: [Diagnosis] {
    var monitor = HealthMonitor(configuration)
    return steps.flatMap { monitor.observe(HealthFigures($0)) }
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }

  /// None where there is no file.
  private static func lines(of path: String) throws -> [Substring] {
    guard fileExists(path) else { return [] }
    return String(decoding: try readFile(path), as: UTF8.self).split(whereSeparator: \.isNewline)
  }

  /// What stands behind the mark, which follows the time of a line, each text once.
  private static func remarks(in log: [Substring], after mark: String) -> [String] {
    var seen: Set<Substring> = []
    return log.compactMap { line in
      guard let blank = line.firstIndex(of: " "), line[blank...].hasPrefix(mark) else { return nil }
      let text = line[blank...].dropFirst(mark.count)
      return seen.insert(text).inserted ? String(text) : nil
    }
  }
}

extension HealthFigures {
  fileprivate init(_ step: StepProgress) {
    self.init(
      loss: step.loss, codeEntropy: step.codeEntropy, predictionEntropy: step.predictionEntropy ?? 0,
      scoreSpread: step.scoreSpread, similarity: step.similarity, prototypesUsed: step.prototypesUsed,
      queueUsed: step.queueUsed, gradientNorm: step.gradientNorm, rate: step.lr)
  }
}
