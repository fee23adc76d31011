import Foundation
public import SwAVData
public import SwAVEngine

/// A pretraining run: images, settings, a folder for what comes out.
///
///     let images = try ImageFolder("photos")
///     let plan = try PretrainConfiguration.planned(for: DataSummary(of: images))
///     let run = Pretraining(images: images, configuration: plan.configuration, output: "run")
///     for try await event in run.events() {
///       if case .step(let step) = event { print(step.step, step.loss) }
///     }
///
/// The folder holds config.yaml, metrics.jsonl, log.txt, environment.json, a TensorBoard event file, checkpoint and, at the
/// end, weights.safetensors. The weights depend on the images and the settings of scope `.training` only: not on threads,
/// workers, time, place, or on how often the run was interrupted.
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
  /// Lines for the log at the start: why planned values are what they are.
  public var remarks: [String] = []

  public init(
    images: any ImageSource, validation: (any ImageSource)? = nil, configuration: PretrainConfiguration, output: String,
    resume: Resume = .auto
  ) {
    (self.images, self.validation, self.configuration) = (images, validation, configuration)
    (self.output, self.resume) = (output, resume)
  }

  /// Trains on the calling thread until the last step, or until `cancellation` says so: then the step under way is
  /// finished and a checkpoint written. `report` is called on the same thread; what it throws ends the run.
  public func run(
    cancellation: Cancellation = Cancellation(), report: (PretrainingEvent) throws -> Void = { _ in }
  ) throws -> PretrainingResult {
    try asPretrainingError {
      try Runtime.withThreads(configuration.threads) {
        var loop = try TrainingLoop(self)
        return try loop.run(cancellation: cancellation, report: report)
      }
    }
  }

  /// Trains on a thread of its own and tells what happens. Ending the iteration, or cancelling the task that iterates, ends
  /// the run after the step under way with a checkpoint; iterating anew goes on from there.
  public func events() -> AsyncThrowingStream<PretrainingEvent, any Error> {
    AsyncThrowingStream { continuation in
      let cancellation = Cancellation()
      continuation.onTermination = { _ in cancellation.cancel() }
      let thread = Thread {
        let result = Result { try run(cancellation: cancellation) { continuation.yield($0) } }
        switch result {
        case .success: continuation.finish()
        case .failure(let error): continuation.finish(throwing: error)
        }
      }
      thread.name = "swav-pretrain"
      thread.stackSize = 8 << 20
      thread.start()
    }
  }
}
