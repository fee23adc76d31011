import SwAVData
import SwAVEvaluation
import SwAVModel

/// Time of the steps of this process. A value: the loop owns it.
struct StepClock {
  private let batch: Int
  private let secondsBefore: Double
  private let began = ContinuousClock.now
  private var mark = ContinuousClock.now
  private var checkpointMark = ContinuousClock.now
  private(set) var waitedInAll = 0.0
  private var steps = 0
  private(set) var stepSeconds = 0.0
  /// Time and waiting of the last steps.
  private var recent: [(seconds: Double, waited: Double)] = []
  /// Steps that the shown rate is the mean of.
  private static let window = 20

  init(batch: Int, secondsBefore: Double) { (self.batch, self.secondsBefore) = (batch, secondsBefore) }

  /// A step is done; `waited` are the seconds that the loader has kept its consumer waiting in all.
  mutating func tick(waited: Double) {
    let now = ContinuousClock.now
    let seconds = (now - mark) / .seconds(1)
    mark = now
    steps += 1
    stepSeconds += seconds
    recent.append((seconds, waited - waitedInAll))
    if recent.count > StepClock.window { recent.removeFirst() }
    waitedInAll = waited
  }

  /// Time since the last step was spent on something else.
  mutating func skip() { mark = .now }

  mutating func markCheckpoint() {
    checkpointMark = .now
    mark = .now
  }

  var secondsSinceCheckpoint: Double { (ContinuousClock.now - checkpointMark) / .seconds(1) }
  var secondsInAll: Double { secondsBefore + (ContinuousClock.now - began) / .seconds(1) }
  var meanRate: Double? { steps == 0 ? nil : Double(steps * batch) / stepSeconds }

  var secondsPerStep: Double { recent.reduce(0) { $0 + $1.seconds } / Double(max(1, recent.count)) }
  var imagesPerSecond: Double { secondsPerStep > 0 ? Double(batch) / secondsPerStep : 0 }
  var dataWaitPercent: Double {
    let all = recent.reduce(0) { $0 + $1.seconds }
    return all > 0 ? min(100, 100 * recent.reduce(0) { $0 + $1.waited } / all) : 0
  }
}

extension TrainingLoop {
  func start(_ work: borrowing Work) throws -> PretrainingEvent {
    .started(
      PretrainingStart(
        configuration: configuration, memory: try work.trainer.memoryPlan(), loaderMemory: work.loader.memory,
        images: state.data.count, stepsPerEpoch: stepsPerEpoch, totalSteps: totalSteps, resumedAt: state.step))
  }

  /// After the first epoch of this process: what limits.
  func advice(_ work: borrowing Work, _ pace: StepClock) -> PretrainingEvent {
    let balance = LoadingBalance(
      stepSeconds: pace.stepSeconds, waitedSeconds: pace.waitedInAll, cost: work.loader.cost,
      workers: work.loader.configuration.workers,
      cores: availableCores())
    return .advice(balance.advice)
  }

  func progress(_ report: StepReport, _ input: StepInput, _ pace: StepClock) -> StepProgress {
    StepProgress(
      step: state.step, totalSteps: totalSteps, epoch: (state.step - 1) / stepsPerEpoch + 1, loss: report.loss,
      lnK: configuration.lnK, lr: input.learningRate, imagesPerSecond: pace.imagesPerSecond,
      dataWait: pace.dataWaitPercent, gradientNorm: report.gradientNorm, codeEntropy: report.codeEntropy,
      scoreSpread: report.scoreSpread, epsilon: report.epsilon, similarity: report.similarity,
      prototypesUsed: report.prototypesUsed, queueUsed: report.queueUsed, seconds: state.seconds,
      secondsLeft: Double(totalSteps - state.step) * pace.secondsPerStep)
  }

  func result(_ outcome: PretrainingResult.Outcome, rate: Double?) -> PretrainingResult {
    PretrainingResult(
      outcome: outcome, step: state.step, totalSteps: totalSteps, epoch: state.step / stepsPerEpoch, loss: lastLoss,
      lnK: configuration.lnK, knn20: state.latestKNN, bestKnn20: state.bestKNN, imagesPerSecond: rate,
      seconds: state.seconds, badImages: state.badSamples.count, peakRssGib: peakResidentGiB(), output: files.path,
      weights: files.weights)
  }

  /// kNN accuracy of the network as it stands. Reads batch-norm buffers and changes none. At most 10,000 training images, evenly
  /// spaced, are learned from.
  mutating func evaluate(_ network: Network) throws -> EvaluationProgress {
    guard let evaluated else { throw PretrainingError.file(path: files.path, reason: "no validation images") }
    let start = ContinuousClock.now
    var evaluation = FrozenEvaluation([NearestNeighbours()])
    evaluation.trainLimit = 10_000
    evaluation.includesRawPixels = false
    evaluation.reading = ReadingOptions(workers: configuration.workers > 0 ? configuration.workers : availableCores())
    evaluation.reading.readTimeout = configuration.readTimeout
    let report = try evaluation.run(evaluated, network: network)
    let (epoch, accuracy) = (state.step / stepsPerEpoch, report.results[0].figures[0].value)
    state.latestKNN = accuracy
    if accuracy > state.bestKNN ?? -1 { (state.bestKNN, state.bestKNNEpoch) = (accuracy, epoch) }
    return EvaluationProgress(
      step: state.step, epoch: epoch, report: report, knn20: accuracy, bestKnn20: state.bestKNN ?? accuracy,
      bestEpoch: state.bestKNNEpoch ?? epoch, evaluationSeconds: (ContinuousClock.now - start) / .seconds(1))
  }
}

extension Pretraining {
  /// What the kNN accuracy is measured on; nil without validation images.
  func evaluationImages() throws(DataError) -> EvaluationImages? {
    guard let validation else { return nil }
    return try EvaluationImages(train: knnTraining ?? (images.classNames.isEmpty ? nil : images), val: validation)
  }
}
