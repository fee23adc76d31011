import SwAVData
import SwAVEngine
import SwAVModel

extension RunFolder {
  /// The state to go on from; nil for a new run. Throws where the folder must not be touched.
  func restoredState(_ pretraining: Pretraining, identity: DataIdentity) throws -> TrainingState? {
    guard isUsed else { return nil }
    guard pretraining.resume == .auto else {
      throw PretrainingError.outputInUse(
        path: path, reason: "not empty, and --resume is never; use another --output, or --resume auto")
    }
    guard isRun else {
      throw PretrainingError.outputInUse(
        path: path, reason: "not empty, and not the folder of a run (it has no config.yaml); use an empty or new folder")
    }
    guard hasCheckpoint else {
      try compareWithFile(pretraining.configuration)
      return nil
    }
    let note: String
    do {
      note = try Trainer.note(of: checkpoint)
    } catch {
      throw PretrainingError.checkpoint(
        path: checkpoint,
        reason: "\(error.message); put a copy of the checkpoint in its place, or start anew with another --output")
    }
    let state = try TrainingState(note: note, path: checkpoint)
    let differences = TrainingState.differences(from: state.configuration, to: pretraining.configuration)
    guard differences.isEmpty else { throw PretrainingError.settingsChanged(path: path, differences: differences) }
    guard state.data == identity else {
      throw PretrainingError.dataChanged(path: path, reason: RunFolder.explain(state.data, identity))
    }
    return state
  }

  /// A run that was stopped before its first checkpoint begins anew, if its settings are the same.
  private func compareWithFile(_ configuration: PretrainConfiguration) throws {
    let old = try PretrainSettings(contentsOf: self.configuration)
    let differences = TrainingState.differences(from: old.values.mapValues(\.text), to: configuration)
    guard differences.isEmpty else { throw PretrainingError.settingsChanged(path: path, differences: differences) }
  }

  private static func explain(_ old: DataIdentity, _ new: DataIdentity) -> String {
    old.count == new.count
      ? "there are \(new.count) images as before, but names or sizes have changed; restore them, or use another --output"
      : "\(old.count) images then, \(new.count) now; restore them, or use another --output"
  }
}
