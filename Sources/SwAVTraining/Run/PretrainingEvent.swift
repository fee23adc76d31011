public import SwAVData
public import SwAVEvaluation
public import SwAVModel

/// What a run tells while it goes on.
public enum PretrainingEvent: Sendable {
  /// Everything is ready for the first step.
  case started(PretrainingStart)
  /// A new run that begins with other weights: what it kept of them.
  case initialized(InitialReport)
  case step(StepProgress)
  /// From here on the run has another number of steps, as its length is a time.
  case replanned(step: Int, totalSteps: Int)
  /// kNN accuracy on the validation images.
  case evaluated(EvaluationProgress)
  /// What the features are worth where there are no validation images.
  case scored(ScoreProgress)
  /// After an epoch: what the linear layer beside the training knows.
  case probed(ProbeProgress)
  /// A checkpoint with so many steps is on the disk.
  case checkpoint(step: Int)
  /// An image that was replaced by another one; each is named once.
  case badSample(BadSample)
  /// Something that went wrong without ending the run; one line.
  case warning(String)
  /// At the start: a value that does nothing in this run.
  case withoutEffect(SettingWithoutEffect)
  /// Figures that are too dear for every step.
  case health(HealthLook)
  /// Something is wrong with what is learned; each disease is told once by a process.
  case diagnosis(Diagnosis)
  /// Which of the two limits, the step or loading, and what helps; after the first epoch of a process.
  case advice(Advice)
}

public struct PretrainingStart: Sendable {
  public var configuration: PretrainConfiguration
  public var memory: MemoryPlan
  /// Bytes of the loader's slots.
  public var loaderMemory: Int
  public var images: Int
  public var stepsPerEpoch: Int
  public var totalSteps: Int
  /// Steps done by earlier processes; 0 for a new run.
  public var resumedAt: Int
}

/// One step; also a row of `metrics.jsonl`, in snake case.
public struct StepProgress: Codable, Sendable, Equatable {
  /// Steps done, this one included.
  public var step: Int
  public var totalSteps: Int
  /// The epoch of this step, counted from 1.
  public var epoch: Int
  public var loss: Double
  public var lnK: Double
  public var lr: Double
  /// Mean of the last steps, data included.
  public var imagesPerSecond: Double
  /// Percent of that time in which the step waited for data, 0...100.
  public var dataWait: Double
  public var gradientNorm: Double
  public var codeEntropy: Double
  public var scoreSpread: Double
  public var epsilon: Double
  public var similarity: Double
  public var prototypesUsed: Int
  public var queueUsed: Bool
  /// nil in rows from before it was recorded.
  public var predictionEntropy: Double?
  /// Seconds of training so far, in all processes.
  public var seconds: Double
  /// Seconds until the end at the present rate, evaluations included once there was one.
  public var secondsLeft: Double
}

/// A score without labels, after an epoch; also a row of `metrics.jsonl`.
public struct ScoreProgress: Codable, Sendable, Equatable {
  /// Steps done.
  public var step: Int
  /// Epochs done.
  public var epoch: Int
  /// Percent of images that are known again by another view.
  public var viewAgreement: Double
  public var images: Int
}

/// The linear layer that learns classes beside the training, after an epoch; also a row of `metrics.jsonl`.
public struct ProbeProgress: Codable, Sendable, Equatable {
  /// Steps done.
  public var step: Int
  /// Epochs done.
  public var epoch: Int
  /// Percent of the epoch's images, as cropped for training, whose class it knew before it learned from them.
  public var probeRight: Double
  public var images: Int
}

/// An evaluation after an epoch; also a row of `metrics.jsonl`.
public struct EvaluationProgress: Sendable, Equatable {
  /// Steps done.
  public var step: Int
  /// Epochs done.
  public var epoch: Int
  public var report: EvaluationReport
  /// Percent right of the validation images, 0...100: 20 nearest neighbours on backbone features.
  public var knn20: Double
  public var bestKnn20: Double
  public var bestEpoch: Int
  public var evaluationSeconds: Double

  /// The keys of a row: those of the report and of this.
  public var fields: [String: any Encodable & Sendable] {
    let own: [String: any Encodable & Sendable] = [
      "step": step, "epoch": epoch, "best_knn20": bestKnn20, "best_epoch": bestEpoch,
      "evaluation_seconds": evaluationSeconds,
    ]
    return report.fields.merging(own) { $1 }
  }
}
