import Glibc
import SwAVData
public import SwAVModel

/// A file of weights, and how far the run was that it comes from.
public struct WeightsFile: Encodable, Sendable, Equatable {
  public let path: String
  /// Whether it is the checkpoint of a run, which holds more than weights.
  public let isCheckpoint: Bool
  /// Steps and epochs done, and steps of the whole run; nil where nothing tells.
  public let step: Int?
  public let totalSteps: Int?
  public let epoch: Int?

  /// Names of weights in a folder that is no run's: what exports write, and hubs hold.
  package static let exported = ["model.safetensors", "model.safetensors.index.json", "model.pth", "pytorch_model.bin"]

  /// Finds weights by path: a file of weights, a checkpoint, the folder of a run, of which the newest weights are taken (those of
  /// the checkpoint, from weights.safetensors where that is of the same step), or the folder of an export.
  public init(at path: String) throws { self = try WeightsFile.find(at: path) }

  private static func find(at path: String) throws -> WeightsFile {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw DataError(.missing, "weights \(path): not there; give a safetensors file, a run's folder, or 'untrained'")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      let state = (try? Trainer.note(of: path)).flatMap { try? TrainingState(note: $0, path: path) }
      return WeightsFile(path, isCheckpoint: state != nil, state: state)
    }
    let files = RunFolder(path: path)
    let hasWeights = fileExists(files.weights)
    guard files.hasCheckpoint else {
      if hasWeights { return WeightsFile(files.weights, isCheckpoint: false, state: nil) }
      guard let name = exported.first(where: { fileExists("\(path)/\($0)") }) else {
        throw DataError(
          .missing,
          "weights \(path): the folder holds neither weights.safetensors nor checkpoint, as a run's does, nor "
            + exported.joined(separator: ", ") + ", as exports do")
      }
      return WeightsFile("\(path)/\(name)", isCheckpoint: false, state: nil)
    }
    let state = try runState(of: files, hasWeights: hasWeights)
    // Before the step of the weights was noted, they were written with the last checkpoint of a process.
    let isCurrent = state.weightsStep.map { $0 == state.step } ?? state.isFinished
    let takesWeights = hasWeights && isCurrent
    return WeightsFile(takesWeights ? files.weights : files.checkpoint, isCheckpoint: !takesWeights, state: state)
  }

  private init(_ path: String, isCheckpoint: Bool, state: TrainingState?) {
    (self.path, self.isCheckpoint) = (path, isCheckpoint)
    (step, totalSteps, epoch) = (state?.step, state?.totalSteps, state?.position.epoch)
  }

  /// A damaged checkpoint is an error, and not a reason to take weights that may be older without a word.
  private static func runState(of files: RunFolder, hasWeights: Bool) throws -> TrainingState {
    do {
      return try files.checkpointState()
    } catch {
      guard hasWeights, case .checkpoint(let path, let reason) = error else { throw error }
      throw PretrainingError.checkpoint(
        path: path, reason: "\(reason); \(files.weights) is there as well, perhaps of an earlier step: give it to take it")
    }
  }

  /// The network, as it was, and what loading found.
  public func open(_ options: LoadOptions = LoadOptions()) throws -> (network: Network, report: LoadReport) {
    try Network.open(path, options)
  }

  /// "step 1250 of 3000, after epoch 12, from the checkpoint"; nil where nothing tells how far the run was.
  public var progress: String? {
    guard let step else { return nil }
    let steps = "step \(step)" + (totalSteps.map { " of \($0)" } ?? "")
    return steps + (epoch.map { ", after epoch \($0)" } ?? "") + (isCheckpoint ? ", from the checkpoint" : "")
  }
}

extension Network {
  /// Opens weights by path, as ``WeightsFile/init(at:)`` finds them.
  public static func open(weightsAt path: String) throws -> Network { try WeightsFile(at: path).open().network }
}
