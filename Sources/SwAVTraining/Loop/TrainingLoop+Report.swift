import SwAVData
import SwAVEngine
import SwAVModel

extension TrainingLoop {
  func start(_ work: borrowing Work) throws -> PretrainingStart {
    PretrainingStart(
      configuration: configuration, memory: try work.trainer.memoryPlan(), loaderMemory: work.loader.memory,
      images: state.data.count, stepsPerEpoch: stepsPerEpoch, totalSteps: totalSteps, resumedAt: state.step)
  }

  /// After the first epoch of this process: what limits.
  func advice(_ work: borrowing Work, _ pace: StepClock) -> Advice {
    LoadingBalance(
      stepSeconds: pace.stepSeconds, waitedSeconds: pace.waitedInAll, cost: work.loader.cost,
      workers: work.loader.configuration.workers, cores: availableCores()
    ).advice
  }

  func progress(_ report: StepReport, _ input: StepInput, _ pace: StepClock) -> StepProgress {
    let left = budget.map { max(0, $0 - state.seconds) }
    return StepProgress(
      step: state.step, totalSteps: totalSteps, epoch: (state.step - 1) / stepsPerEpoch + 1, loss: report.loss,
      lnK: configuration.lnK, lr: input.learningRate, imagesPerSecond: pace.imagesPerSecond,
      dataWait: pace.dataWaitPercent, gradientNorm: report.gradientNorm, codeEntropy: report.codeEntropy,
      scoreSpread: report.scoreSpread, epsilon: report.epsilon, similarity: report.similarity,
      prototypesUsed: report.prototypesUsed, queueUsed: report.queueUsed,
      predictionEntropy: report.predictionEntropy, seconds: state.seconds,
      secondsLeft: left ?? pace.seconds(steps: totalSteps - state.step, evaluations: evaluationsLeft))
  }

  func result(_ outcome: PretrainingResult.Outcome, rate: Double?) -> PretrainingResult {
    PretrainingResult(
      outcome: outcome, step: state.step, totalSteps: totalSteps, epoch: state.step / stepsPerEpoch, loss: lastLoss,
      lnK: configuration.lnK, knn20: state.latestKNN, bestKnn20: state.bestKNN, imagesPerSecond: rate,
      seconds: state.seconds, badImages: state.badSamples.count, peakRssGib: peakResidentGiB(), output: files.path,
      weights: files.weights, bestWeights: state.bestKNN != nil && fileExists(files.bestWeights) ? files.bestWeights : nil,
      bestEpoch: state.bestKNNEpoch)
  }
}
