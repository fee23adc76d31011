public import SwAVData
public import SwAVEngine

/// A pretraining run: images, settings, a folder for what comes out.
///
///     let images = try ImageFolder("photos")
///     let plan = try PretrainConfiguration.planned(for: DataFacts.look(at: images, workers: 2))
///     let pretraining = Pretraining(images: images, configuration: plan.configuration, output: "run")
///     let result = try pretraining.run { event in
///       if case .step(let step) = event { print(step.step, step.loss) }
///     }
///
/// ``PretrainingRun`` does the same on a thread of its own, for programs that wait with `await`.
///
/// The folder holds config.yaml, metrics.jsonl, log.txt, environment.json, a TensorBoard event file, checkpoint, with a
/// validation set weights-best.safetensors and, when the run has ended, weights.safetensors. The weights depend on the images and the
/// settings of scope `.training` only: not on threads, workers, time, place, or on how often the run was interrupted.
///
/// Nothing is lost on an error: what is not finite, too many bad images, a disk that hangs or is full end the run, where they do,
/// with the last good step as checkpoint and weights; ``PretrainingError/stopped(cause:step:totalSteps:kept:)`` says so. Logs that
/// cannot be written and evaluations that fail are warnings.
public struct Pretraining: Sendable {
  /// What to do when the folder holds a run.
  public enum Resume: String, Sendable, CaseIterable {
    /// Go on with it, if it has the same settings and images.
    case auto
    /// Refuse.
    case never
  }

  public let images: any ImageSource
  /// Labelled images for the kNN accuracy.
  public let validation: (any ImageSource)?
  /// Labelled images that the kNN learns from. Nil: `images`, where they have classes; otherwise each image of `validation` is
  /// asked about among the others.
  public var knnTraining: (any ImageSource)?
  public internal(set) var configuration: PretrainConfiguration
  /// The run's folder; made where it is not there.
  public let output: String
  public let resume: Resume
  /// Where `images` and `validation` are, for who reads of the run later.
  public var imagePaths: [String]?
  public var validationPaths: [String]?
  /// The processes that train together, each of which makes the same pretraining and runs it; nil: this one alone. The root alone
  /// writes files, and `report` is called there alone; the outcome is the same everywhere. Where one fails, all throw: it the error,
  /// the others a ``RankFailure``; what is thrown while the group's `isOver` is false leaves others waiting, and whoever made the
  /// processes has to end them.
  public var ranks: RankGroup?
  /// Lines for the log at the start: why planned values are what they are.
  public var remarks: [String] = []
  /// Seconds of a budget that had passed before the run, with looking at the images and measuring.
  public var secondsBefore = 0.0
  /// Seconds since any point of time; what tells how long things take.
  package var clock: @Sendable () -> Double = Pretraining.systemClock

  private static let systemClock: @Sendable () -> Double = {
    let start = ContinuousClock.now
    return { (ContinuousClock.now - start) / .seconds(1) }
  }()

  public init(
    images: any ImageSource, validation: (any ImageSource)? = nil, configuration: PretrainConfiguration, output: String,
    resume: Resume = .auto
  ) {
    (self.images, self.validation, self.configuration) = (images, validation, configuration)
    (self.output, self.resume) = (output, resume)
  }

  private func train(
    _ control: RunControl, _ report: (PretrainingEvent) throws -> Void
  ) throws -> PretrainingResult {
    var loop = try TrainingLoop(self)
    let result = try loop.run(control: control, report: report)
    ranks?.end()
    return result
  }

  /// Trains on the calling thread until the last step, or until `control` says so. `report` is called on the same thread; what it
  /// throws ends the run, after a checkpoint, and is thrown on.
  ///
  /// Throws ``PretrainingError``, and before the first step ``PretrainingError/cancelled``.
  public func run(
    control: RunControl = RunControl(), report: (PretrainingEvent) throws -> Void = { _ in }
  ) throws -> PretrainingResult {
    try asPretrainingError {
      let cores = try ranks?.fairCores()
      var own = self
      if let cores {
        own.configuration.threads = configuration.threads > 0 ? configuration.threads : cores
        own.configuration.workers = configuration.workers > 0 ? configuration.workers : cores
      }
      return try Runtime.withThreads(own.configuration.threads) {
        // Ranks that train together look at the flag where they agree on what is next.
        guard ranks == nil else { return try own.train(control, report) }
        return try control.cancellation.watching { try own.train(control, report) }
      }
    }
  }
}
