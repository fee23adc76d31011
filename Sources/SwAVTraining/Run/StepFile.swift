import Foundation
import SwAVAugmentation
import SwAVEngine
public import SwAVModel

/// One training step as a file: the state before it, the crops, the settings, and what it ended with. A run writes it where a step
/// fails because a value is not finite.
public struct StepFile: Codable, Sendable, Equatable {
  /// Of this structure.
  var format = 1
  /// Steps done before it.
  public var step: Int
  /// The resolved configuration, name and value.
  public var configuration: [String: String]
  /// The error that it ended with.
  public var message: String

  /// What making the step again came to.
  public struct Replay: Codable, Sendable, Equatable {
    public var step: Int
    /// The error; nil where there was none this time.
    public var message: String?
    /// Where there was no error.
    public var report: StepReport?
    /// Whether it ended as the first time.
    public var isSame: Bool
  }

  init(step: Int, configuration: PretrainConfiguration, message: String) {
    (self.step, self.message) = (step, message)
    self.configuration = Dictionary(configuration.named.map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
  }

  /// Reads what the file says of its step.
  public init(contentsOf path: String) throws(PretrainingError) {
    do {
      self = try JSONDecoder().decode(StepFile.self, from: Data(try Trainer.note(of: path).utf8))
    } catch let error as EngineError {
      throw .engine(error)
    } catch {
      throw .checkpoint(path: path, reason: "it holds no step that failed")
    }
    guard format == 1 else {
      throw .checkpoint(path: path, reason: "written by another version (format \(format)); 1 is understood")
    }
  }

  /// Gives what kept it from being written, if something did.
  func write(
    _ trainer: borrowing Trainer, _ crops: borrowing CropBatch, _ input: StepInput, to path: String
  ) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      try trainer.saveStep(crops, input, to: path, note: String(decoding: try encoder.encode(self), as: UTF8.self))
      return nil
    } catch {
      return errorLine(error)
    }
  }

  /// Makes the step of the file at `path`, of which this was read, again.
  public func replay(_ path: String) throws -> Replay {
    var (given, configuration) = (PretrainSettings(), PretrainConfiguration())
    for (name, value) in self.configuration { try given.set(name, to: value, origin: "\(path): \(name)") }
    try given.apply(to: &configuration)
    var trainer = try Trainer(
      try Network(configuration.network, seed: configuration.seed), configuration.trainer, sums: configuration.sums)
    switch StepFile.outcome(of: path, &trainer) {
    case .success(let report): return Replay(step: step, message: nil, report: report, isSame: false)
    case .failure(let error) where error.code == .numeric:
      return Replay(step: step, message: error.message, report: nil, isSame: error.message == message)
    case .failure(let error): throw error
    }
  }

  private static func outcome(of path: String, _ trainer: inout Trainer) -> Result<StepReport, EngineError> {
    do throws(EngineError) {
      return .success(try trainer.replay(path))
    } catch {
      return .failure(error)
    }
  }
}
