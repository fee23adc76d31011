import SwAVAugmentation
public import SwAVData
import SwAVEngine
import SwAVModel

/// How fast a pretraining would go on this machine: measured with a few batches of the real images and a few steps.
public struct SpeedEstimate: Codable, Sendable, Equatable {
  /// Images a second that all workers together read, decode and crop, while nothing else runs.
  public var loadingImagesPerSecond: Double
  /// Images a second of the training steps alone, with all threads.
  public var trainingImagesPerSecond: Double
  /// Seconds of one epoch.
  public var epochSeconds: Double

  /// Both share the cores, so their times add up.
  public var imagesPerSecond: Double { 1 / (1 / loadingImagesPerSecond + 1 / trainingImagesPerSecond) }

  /// A measure for ``PretrainConfiguration/planned(for:given:goingOnWith:on:measuring:)``: on these images, for about `seconds` each
  /// time; `beginning` is called before.
  public static func measuring(
    _ source: any ImageSource, seconds: Double, beginning: @escaping (PretrainConfiguration) -> Void = { _ in }
  ) -> (PretrainConfiguration) throws(PretrainingError) -> SpeedEstimate? {
    { configuration throws(PretrainingError) in
      beginning(configuration)
      do {
        return try measure(source, configuration: configuration, seconds: seconds)
      } catch let error as EngineError where error.code == .memory {
        return nil
      } catch {
        throw PretrainingError(error) ?? .data(DataError(.unusable, "\(error)"))
      }
    }
  }

  /// Images of a batch that is measured at most: the time of an image hardly depends on it, and one of 4096 takes minutes.
  private static let mostImages = 64

  /// Measures for about `seconds`, half of it loading; at least one step after one that warms up. A network and its plan of
  /// memory are made and freed: those of a part of the batch, where that is large.
  public static func measure(
    _ source: any ImageSource, configuration: PretrainConfiguration, seconds: Double = 4
  ) throws -> SpeedEstimate {
    try Runtime.withThreads(configuration.threads) { try measureHere(source, configuration, seconds: seconds) }
  }

  /// With the threads of the caller.
  private static func measureHere(
    _ source: any ImageSource, _ configuration: PretrainConfiguration, seconds: Double
  ) throws -> SpeedEstimate {
    let network = try Network(configuration.network, seed: configuration.seed)
    let (whole, configuration) = (configuration, configuration.part(ofAtMost: mostImages))
    // Less than the batch that is planned may not be a multiple of the parts.
    let isInParts = configuration.batch % configuration.parts(of: 1) == 0
    var trainer = try Trainer(network, configuration.trainer, sums: isInParts ? configuration.sums : RankSums())
    let workers = configuration.workers > 0 ? configuration.workers : availableCores()
    // As many epochs as the measurement may need, and no end for bad files: the report names them.
    var loading = Loader.Configuration(
      recipe: configuration.recipe, seed: configuration.seed, batch: configuration.batch, epochs: 1_000_000, workers: workers,
      maxBadShare: 1)
    loading.memory = try Runtime.memoryRoom()
    let loader = try Loader(source, loading)
    defer { loader.stop() }
    // The first batches fill the loader's slots; from then on batches come as fast as they are made.
    for _ in 0..<loader.configuration.slots { _ = try loader.withNextBatch { _ in } }
    let loadingStart = ContinuousClock.now
    var (batches, loadingSeconds) = (0, 0.0)
    repeat {
      _ = try loader.withNextBatch { _ in }
      batches += 1
      loadingSeconds = (ContinuousClock.now - loadingStart) / .seconds(1)
    } while loadingSeconds < seconds / 2
    let step = try loader.withNextBatch { batch in
      // The workers would compete with the steps for the cores.
      loader.stop()
      return try secondsOfStep(&trainer, batch.crops, configuration, limit: seconds / 2)
    }
    guard let step else { throw DataError(.unusable, "the loader ended early") }
    let size = Double(configuration.batch)
    // Activations of all micro-batches but one are computed twice: four thirds of a step's work, of which a third is forward.
    let microBatches = whole.microBatch > 0 ? Double(whole.batch) / Double(whole.microBatch) : 1
    let work = 1 + (microBatches - 1) / microBatches / 3
    var estimate = SpeedEstimate(
      loadingImagesPerSecond: Double(batches) * size / loadingSeconds, trainingImagesPerSecond: size / step / work,
      epochSeconds: 0)
    estimate.epochSeconds = Double(source.drawCount / whole.batch * whole.batch) / estimate.imagesPerSecond
    return estimate
  }

  private static func secondsOfStep(
    _ trainer: inout Trainer, _ crops: borrowing CropBatch, _ configuration: PretrainConfiguration, limit: Double
  ) throws -> Double {
    let input = StepInput(learningRate: 0)
    _ = try trainer.step(crops, input)
    var times: [Double] = []
    let start = ContinuousClock.now
    repeat {
      let before = ContinuousClock.now
      _ = try trainer.step(crops, input)
      times.append((ContinuousClock.now - before) / .seconds(1))
    } while (ContinuousClock.now - start) / .seconds(1) < limit
    return median(times)
  }
}

extension PretrainConfiguration {
  /// The same with a batch of no more than so many images, at once and without a queue.
  fileprivate func part(ofAtMost most: Int) -> PretrainConfiguration {
    var part = self
    part.batch = min(most, microBatch > 0 ? microBatch : batch)
    part.microBatch = 0
    if part.batch < batch { part.queue = 0 }
    return part
  }

  /// Seconds of one of up to four measurements of the speed: little beside the run.
  public var measuringSeconds: Double { min(5, max(0.5, 0.01 * (budget ?? Planner.defaultBudget))) }
}
