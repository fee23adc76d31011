import SwAVData
import SwAVEngine
import SwAVModel

extension RunFolder {
  /// Throws where the folder must not be touched: judged by names alone, before anything in it is read or made.
  func requireUsable(_ resume: Pretraining.Resume) throws(PretrainingError) {
    for file in [log, metrics, events] where FileStatus(file)?.isOutputOfThisProcess == true {
      throw .outputInUse(
        path: file, reason: "the output of this process goes there, and the run writes this file itself; send it elsewhere")
    }
    guard isUsed else { return }
    guard resume == .auto else {
      throw .outputInUse(path: path, reason: "not empty, and resume is never; use another folder, or resume auto")
    }
    guard isRun else {
      throw .outputInUse(
        path: path, reason: "not empty, and not the folder of a run (it has no config.yaml); use an empty or new folder")
    }
  }

  /// The state to go on from; nil for a new run. Read with the lock held.
  func restoredState(_ pretraining: Pretraining, identity: DataIdentity) throws(PretrainingError) -> TrainingState? {
    guard hasCheckpoint else {
      try compareWithFile(pretraining.configuration)
      return nil
    }
    let state = try checkpointState()
    let differences = TrainingState.differences(from: state.configuration, to: pretraining.configuration)
    guard differences.isEmpty else { throw .settingsChanged(path: path, differences: differences) }
    guard state.data == identity else { throw .dataChanged(path: path, reason: RunFolder.explain(state.data, identity)) }
    return state
  }

  /// What the checkpoint says of the run.
  func checkpointState() throws(PretrainingError) -> TrainingState {
    let note: String
    do {
      note = try Trainer.note(of: checkpoint)
    } catch {
      throw .checkpoint(
        path: checkpoint,
        reason: "\(error.message); put a copy of the checkpoint in its place, or start anew in another folder")
    }
    return try TrainingState(note: note, path: checkpoint)
  }

  /// A run that was stopped before its first checkpoint begins anew, if its settings are the same.
  private func compareWithFile(_ configuration: PretrainConfiguration) throws(PretrainingError) {
    guard fileExists(self.configuration) else { return }
    let old = try PretrainSettings(contentsOf: self.configuration)
    let differences = TrainingState.differences(from: old.values.mapValues(\.text), to: configuration)
    guard differences.isEmpty else { throw .settingsChanged(path: path, differences: differences) }
  }

  private static func explain(_ old: DataIdentity, _ new: DataIdentity) -> String {
    old.count == new.count
      ? "there are \(new.count) images as before, but names or sizes have changed; restore them, or use another folder"
      : "\(old.count) images then, \(new.count) now; restore them, or use another folder"
  }
}
