/// How a run ended.
public struct PretrainingResult: Codable, Sendable, Equatable {
  public enum Outcome: String, Codable, Sendable {
    /// The last step is done and the weights are written.
    case finished
    /// Stopped on request; the checkpoint holds the last step.
    case interrupted
    /// The folder held a finished run; nothing was done.
    case alreadyFinished = "already_finished"
  }

  public var outcome: Outcome
  public var step: Int
  public var totalSteps: Int
  /// Epochs completed.
  public var epoch: Int
  /// Of the last step of this process; nil when there was none.
  public var loss: Double?
  public var lnK: Double
  /// The latest and the best kNN accuracy, where there is a validation set.
  public var knn20: Double?
  public var bestKnn20: Double?
  /// Mean over the steps of this process.
  public var imagesPerSecond: Double?
  public var seconds: Double
  /// Images that were replaced by others.
  public var badImages: Int
  public var peakRssGib: Double
  public var output: String
  public var weights: String
  /// The weights of the best epoch by kNN, where there is a validation set, and that epoch.
  public var bestWeights: String?
  public var bestEpoch: Int?
}
