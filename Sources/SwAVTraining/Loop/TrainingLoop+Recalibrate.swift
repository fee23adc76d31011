import SwAVEngine
import SwAVEvaluation
import SwAVModel

// Crops of several sizes have different statistics, and training's running ones are a mixture that fits none of them: features of
// centre crops gain one to three points of accuracy from buffers of their own.
extension TrainingLoop {
  /// Training images, evenly spaced, that the buffers are estimated on at most: an error of 2 % of a deviation, and seconds.
  static let recalibrationLimit = 2048

  /// The network as files and measurements show it: a copy with batch-norm buffers of centre crops of the training images, where
  /// the settings ask for it. What trains keeps its own. Images that cannot be read are a warning, and the network is shown as it
  /// stands.
  mutating func shown(_ work: inout Work, _ report: (PretrainingEvent) throws -> Void) throws -> Network {
    guard configuration.recalibrates, pretraining.ranks.isRoot else { return work.network }
    if let made = work.recalibrated, made.step == state.step { return made.network }
    do {
      let network = try work.network.recalibrated(
        on: pretraining.images, limit: TrainingLoop.recalibrationLimit, options: configuration.reading)
      work.recalibrated = (state.step, network)
      return network
    } catch let error as EngineError where error.code == .cancelled {
      throw error
    } catch {
      try tell(.warning("batch-norm as in training: \(errorLine(error))"), &work, report)
      return work.network
    }
  }
}

extension PretrainConfiguration {
  /// How evaluation and recalibration read images.
  var reading: ReadingOptions {
    var options = ReadingOptions(workers: readers)
    options.readTimeout = readTimeout
    options.decoding = decoding
    return options
  }
}
