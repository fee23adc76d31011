import Foundation
import SwAVData

/// All that a run needs to go on and that is not in the network, the optimiser or the queue. Travels as the note of the
/// checkpoint, so that there is one file and no way for two to disagree.
struct TrainingState: Codable, Sendable, Equatable {
  /// Of this structure.
  var format = 1
  /// Steps done.
  var step = 0
  /// Where the loader goes on.
  var position = Loader.Position(epoch: 0, batch: 0)
  /// The resolved configuration, name and value.
  var configuration: [String: String]
  var data: DataIdentity
  /// Of the run, to tell how far it is. nil in checkpoints from before these were noted, here and below.
  var totalSteps: Int?
  /// The steps as planned so far, where the length is a time.
  var steps: StepPlan?
  /// Of the rate, those of the settings included; nil: those of the settings alone.
  var rateChanges: [RateChange]?
  var stepsPerEpoch: Int?
  /// Lengths of the run's files; what was written later is cut off.
  var metricsBytes = 0
  var eventBytes = 0
  /// Samples found to be bad so far.
  var badSamples: [Int] = []
  var latestKNN: Double?
  var bestKNN: Double?
  var bestKNNEpoch: Int?
  /// The evaluation after the last step was due and is not done.
  var owesEvaluation: Bool?
  /// The step that weights.safetensors is of.
  var weightsStep: Int?
  /// Seconds of training so far, in all processes.
  var seconds = 0.0
  var isFinished = false
}

extension TrainingState {
  /// The beginning of a run.
  init(of configuration: PretrainConfiguration, data: DataIdentity) {
    self.configuration = Dictionary(configuration.named.map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
    self.data = data
  }

  var note: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  init(note: String, path: String) throws(PretrainingError) {
    do {
      self = try JSONDecoder().decode(TrainingState.self, from: Data(note.utf8))
    } catch {
      throw .checkpoint(path: path, reason: "its note is not that of a pretraining run; it was written by another program")
    }
    guard format == 1 else {
      throw .checkpoint(path: path, reason: "written by another version (format \(format)); 1 is understood")
    }
    guard step >= 0, position.epoch >= 0, position.batch >= 0, metricsBytes >= 0 else {
      throw .checkpoint(path: path, reason: "its note is damaged: a count is negative")
    }
  }

  /// Settings of the run that the checkpoint is of, against those of now: "batch 64 -> 32". Threads, workers and logging
  /// do not count. A setting that the run did not know yet stands at its default beside the values that it had, as the size of its
  /// largest crop: a new setting has to have the default that is what runs did without it.
  static func differences(from old: [String: String], to new: PretrainConfiguration) -> [String] {
    var defaults = PretrainConfiguration()
    for setting in Setting.configurationSettings {
      if let value = old[setting.name] { _ = setting.read(&defaults, value) }
    }
    // Where the length is a time the steps are the run's own; and of the ways to say a length only one is set.
    let lengths = ["steps", "epochs"]
    var free: Set<String> = new.budget == nil ? [] : ["steps"]
    if new.changesRates { free.insert("rate-changes") }
    return Setting.configurationSettings.filter { $0.scope == .training && !free.contains($0.name) }.compactMap { setting in
      let before = lengths.contains(setting.name) ? nil : setting.show(defaults)
      let (then, now) = (old[setting.name] ?? before, setting.show(new))
      return then == now ? nil : "\(setting.name) \(then ?? "unset") -> \(now ?? "unset")"
    }
  }
}
