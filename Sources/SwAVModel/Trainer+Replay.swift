import CSwAV
public import SwAVAugmentation
public import SwAVEngine

extension Trainer {
  /// Writes what ``save(to:note:)`` writes and one step's input beside it, whatever the values are: a step that failed left all
  /// state as it was, so the file holds all that it was made of.
  public func saveStep(
    _ crops: borrowing CropBatch, _ input: StepInput, to path: String, note: String
  ) throws(EngineError) {
    try checkShape(of: crops)
    let status = crops.withPointers { pointers in
      pointers.withUnsafeBufferPointer { pointers in
        var engineInput = input.engine(pointers.baseAddress)
        return swav_trainer_save_step(handle, &engineInput, path, note)
      }
    }
    try check(status)
  }

  /// Restores the state of such a file into a trainer of the same configuration, and makes its step: what it reports or throws is
  /// that of the first time, to the bit with the same instruction set.
  public mutating func replay(_ path: String) throws(EngineError) -> StepReport {
    var report = swav_step_report()
    try check(swav_trainer_replay(handle, path, &report))
    return StepReport(report)
  }
}

extension StepInput {
  func engine(_ crops: UnsafePointer<UnsafePointer<Float>?>?) -> swav_step_input {
    swav_step_input(
      crops: crops, learning_rate: learningRate, freeze_prototypes: freezesPrototypes, use_queue: usesQueue, update: true)
  }
}
