public import SwAVData
import SwAVEngine

/// A pretraining run: images, settings, a folder for what comes out.
///
///     let images = try ImageFolder("photos")
///     let plan = try PretrainConfiguration.planned(for: DataSummary(of: images))
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
  public let configuration: PretrainConfiguration
  /// The run's folder; made where it is not there.
  public let output: String
  public let resume: Resume
  /// Where `images` and `validation` are, for who reads of the run later.
  public var imagePaths: [String]?
  public var validationPaths: [String]?
  /// Lines for the log at the start: why planned values are what they are.
  public var remarks: [String] = []

  public init(
    images: any ImageSource, validation: (any ImageSource)? = nil, configuration: PretrainConfiguration, output: String,
    resume: Resume = .auto
  ) {
    (self.images, self.validation, self.configuration) = (images, validation, configuration)
    (self.output, self.resume) = (output, resume)
  }

  /// Trains on the calling thread until the last step, or until `control` says so. `report` is called on the same thread; what it
  /// throws ends the run, after a checkpoint, and is thrown on.
  ///
  /// Throws ``PretrainingError``, and before the first step ``PretrainingError/cancelled``.
  public func run(
    control: RunControl = RunControl(), report: (PretrainingEvent) throws -> Void = { _ in }
  ) throws -> PretrainingResult {
    try asPretrainingError {
      try Runtime.withThreads(configuration.threads) {
        try control.cancellation.watching {
          var loop = try TrainingLoop(self)
          return try loop.run(control: control, report: report)
        }
      }
    }
  }
}
