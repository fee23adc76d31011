import SwAVData
import SwAVEngine
import SwAVEvaluation
import SwAVModel

extension TrainingLoop {
  /// Images of the training set, evenly spaced, that make the bank at most.
  static let bankLimit = 10_000
  /// Images that are looked at before the first step.
  private static let lookLimit = 32

  /// Counted from 1; the last one of a run may end before its time.
  private var epochOfLastStep: Int { (state.step + stepsPerEpoch - 1) / stepsPerEpoch }

  func isEvaluationDue(afterEpoch epoch: Int) -> Bool {
    let every = configuration.knnEvery
    return every > 0 && (epoch + 1) % every == 0
  }

  /// Evaluations from the epoch of the last step on.
  var evaluationsLeft: Int {
    // Of the epochs that end before the last step, which has one of its own.
    let (begin, end) = ((state.step - 1) / stepsPerEpoch, (totalSteps - 1) / stepsPerEpoch)
    let every = configuration.knnEvery
    return every > 0 ? max(0, end / every - begin / every) + 1 : 1
  }

  /// Decodes some of the validation images, so that a set that cannot be measured is known before the first step.
  static func requireReadable(_ source: any ImageSource, _ configuration: PretrainConfiguration) throws {
    let samples = spread(lookLimit, over: source.count)
    let look = try Features.thumbnails(of: source, samples: samples, size: 16, options: configuration.reading)
    guard look.count == 0, let first = look.bad.first else { return }
    throw DataError(
      .unusable,
      "validation: none of \(samples.count) images looked at can be read; the first: \(first.name): \(first.reason)")
  }

  /// The evaluation that is due, if one is. One that fails is a warning: what was learned does not depend on it.
  mutating func evaluateIfOwed(
    _ work: inout Work, _ pace: inout StepClock, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    guard state.owesEvaluation == true, let evaluated else { return }
    let (cancellation, clock) = (cancellation, pretraining.clock)
    var (outcome, network, trouble) = (Measured?.none, work.network, String?.none)
    try pretraining.ranks.doOnRoot {
      do {
        let start = clock()
        try cancellation.watching {
          network = try shown(&work, report)
          outcome = try measure(network, evaluated, try work.probe?.judge(), since: start)
        }
      } catch let error as EngineError where error.code == .cancelled {
        throw error
      } catch {
        trouble = errorLine(error)
      }
    }
    guard let found = outcome else {
      state.owesEvaluation = nil
      pace.skip()
      guard let trouble else { return }
      return try tell(
        .warning("no kNN in epoch \(epochOfLastStep): \(trouble); training does not need it"), &work, report)
    }
    pace.evaluationSeconds = found.seconds
    pace.skip()
    try tellRemarks(of: found.report, &work, report)
    let epoch = epochOfLastStep
    state.owesEvaluation = nil
    state.latestKNN = found.accuracy
    let isBest = found.accuracy > state.bestKNN ?? -1
    if isBest { (state.bestKNN, state.bestKNNEpoch) = (found.accuracy, epoch) }
    let progress = EvaluationProgress(
      step: state.step, epoch: epoch, report: found.report, knn20: found.accuracy, bestKnn20: state.bestKNN ?? found.accuracy,
      bestEpoch: state.bestKNNEpoch ?? epoch, evaluationSeconds: found.seconds)
    try tell(.evaluated(progress), &work, report)
    if isBest { try save(network, aside: files.bestWeights, &work, report) }
    pace.skip()
  }

  /// Where there are no validation images: a score without labels. One that fails is a warning.
  mutating func score(_ work: inout Work, _ pace: inout StepClock, _ report: (PretrainingEvent) throws -> Void) throws {
    let limit = min(1000, state.data.count / 4)
    // Of a handful of images it says nothing.
    guard evaluated == nil, limit >= 50 else { return }
    let (cancellation, clock) = (cancellation, pretraining.clock)
    try pretraining.ranks.doOnRoot {
      let start = clock()
      do {
        try cancellation.watching {
          let network = try shown(&work, report)
          let found = try ViewAgreement.measure(
            network, on: pretraining.images, limit: limit, recipe: configuration.recipe, options: configuration.reading)
          pace.evaluationSeconds = clock() - start
          let progress = ScoreProgress(
            step: state.step, epoch: epochOfLastStep, viewAgreement: found.agreement, images: found.images)
          try tell(.scored(progress), &work, report)
        }
      } catch let error as EngineError where error.code == .cancelled {
        throw error
      } catch {
        try tell(.warning("no score at step \(state.step): \(errorLine(error)); training does not need it"), &work, report)
      }
    }
    pace.skip()
  }

  private struct Measured {
    var report: EvaluationReport
    /// Percent right, 0...100.
    var accuracy: Double
    var seconds: Double
  }

  /// kNN accuracy of the network as it is shown, and that of the probe.
  private func measure(
    _ network: Network, _ images: EvaluationImages, _ probe: ClassifierJudge?, since start: Double
  ) throws -> Measured {
    var evaluation = Evaluation([NearestNeighbours()] + [probe].compactMap { $0 })
    evaluation.trainLimit = TrainingLoop.bankLimit
    evaluation.includesRawPixels = false
    evaluation.reading = configuration.reading
    let report = try evaluation.run(images, network: network)
    return Measured(
      report: report, accuracy: report.results[0].figures[0].value, seconds: pretraining.clock() - start)
  }

  /// What there is to know beside the figures, and images that the evaluation left out: each once.
  private mutating func tellRemarks(
    of evaluation: EvaluationReport, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    let all = evaluation.remarks + evaluation.bad.map { "evaluation leaves out \($0.name): \($0.reason)" }
    for text in all where work.remarks.insert(text).inserted { try tell(.warning(text), &work, report) }
  }
}

extension Pretraining {
  /// What the kNN accuracy is measured on; nil without validation images.
  func evaluationImages() throws(DataError) -> EvaluationImages? {
    guard let validation else { return nil }
    return try EvaluationImages(train: knnTraining ?? (images.classNames.isEmpty ? nil : images), val: validation)
  }
}
