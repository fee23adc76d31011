import Glibc
import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVModel

// What becomes of steps that fail, and of runs that are not well.
extension TrainingLoop {
  /// Of the rate, so far.
  var rateChanges: [RateChange] { state.rateChanges ?? configuration.rateChanges }

  private static let factor = 1.0 / 3
  /// A run that goes back more often than that has another disease.
  private static let mostChanges = 3

  /// The step, once there is a batch and all ranks have one. One in which a value is not finite is written to a file where this
  /// process trains alone; nil: the run went back because of it.
  mutating func makeStep(
    _ work: inout Work, _ input: StepInput, _ pace: StepClock, _ control: RunControl,
    _ report: (PretrainingEvent) throws -> Void
  ) throws -> StepReport? {
    guard let outcome = try nextStep(&work, input, pace, control) else {
      throw PretrainingError.file(path: files.path, reason: "the loader ended before the last step")
    }
    if let found = outcome.report { return found }
    guard let failure = outcome.failure else { return nil }
    if let trouble = outcome.trouble {
      try tell(.warning("the step that failed could not be written: \(trouble)"), &work, report)
    }
    failedStep = outcome.file
    guard configuration.onNotFinite == .rollback, try rollBack(&work, to: state.step - 1, failure.message, report) else {
      // What is not finite is so on all ranks.
      pretraining.ranks?.end()
      throw failure
    }
    return nil
  }

  /// Writes the step that fails to a file, where it is a process alone. Nil where the loader has ended.
  private mutating func nextStep(
    _ work: inout Work, _ input: StepInput, _ pace: StepClock, _ control: RunControl
  ) throws -> Outcome? {
    if pretraining.ranks == nil { try Cancellation.check() }
    let (step, configuration) = (state.step, configuration)
    let path = pretraining.ranks == nil ? files.failedStep : nil
    var isAgreed = false
    do {
      return try work.loader.withNextBatch { batch in
        isAgreed = true
        try agreeToStep(control, trouble: nil, isDue: isCheckpointDue(pace))
        if work.probe != nil { work.samples = batch.samples }
        return try TrainingLoop.attempt(&work.trainer, batch.crops, input, step: step, configuration, path)
      }
    } catch {
      // The others wait for what this rank has to say.
      if !isAgreed, pretraining.ranks != nil { try agreeToStep(control, trouble: error, isDue: false) }
      throw error
    }
  }

  /// What became of a step: its report, or why it failed, the file that it is in, and what kept it from being written.
  private struct Outcome {
    var report: StepReport?
    var failure: EngineError?
    var file: String?
    var trouble: String?
  }

  /// `path`: where to write a step in which a value is not finite; nil: nowhere. The clause that catches has no condition, as Swift 6.3
  /// cannot compile one here.
  private static func attempt(
    _ trainer: inout Trainer, _ crops: borrowing CropBatch, _ input: StepInput, step: Int,
    _ configuration: PretrainConfiguration, _ path: String?
  ) throws -> Outcome {
    var outcome = Outcome()
    do {
      outcome.report = try trainer.step(crops, input)
    } catch {
      outcome.failure = error
    }
    if let failure = outcome.failure, failure.code != .numeric { throw failure }
    if let path, let failure = outcome.failure {
      let file = StepFile(step: step, configuration: configuration, message: failure.message)
      outcome.trouble = file.write(trainer, crops, input, to: path)
      outcome.file = outcome.trouble == nil ? path : nil
    }
    return outcome
  }

  /// Looks at the figures of a step, and does what the settings say about a disease; true: the run went back.
  mutating func judge(
    _ found: StepReport, _ input: StepInput, _ monitor: inout HealthMonitor, _ work: inout Work,
    _ report: (PretrainingEvent) throws -> Void
  ) throws -> Bool {
    var look: HealthLook?
    if state.step % HealthLook.interval == 0 {
      let figures = try HealthLook(work.trainer, found, step: state.step)
      try tell(.health(figures), &work, report)
      look = figures
    }
    for diagnosis in monitor.observe(HealthFigures(found, rate: input.learningRate, look: look)) {
      try tell(.diagnosis(diagnosis), &work, report)
      switch configuration.onCollapse {
      case .warn: break
      case .stop: throw unhealthy(diagnosis)
      case .remedy:
        guard changeRate(from: state.step) else { throw unhealthy(diagnosis) }
        try tell(.warning("\(diagnosis.name): from step \(state.step) on the rate is a third"), &work, report)
      case .rollback:
        guard try rollBack(&work, to: state.step - diagnosis.steps, diagnosis.name, report) else {
          throw unhealthy(diagnosis)
        }
        return true
      }
    }
    return false
  }

  /// All ranks have the same figures.
  private func unhealthy(_ diagnosis: Diagnosis) -> PretrainingError {
    pretraining.ranks?.end()
    return .unhealthy(diagnosis)
  }

  /// False: the rate was changed often enough.
  private mutating func changeRate(from step: Int) -> Bool {
    setbacks += 1
    guard setbacks <= TrainingLoop.mostChanges else { return false }
    state.rateChanges = rateChanges + [RateChange(from: step, factor: TrainingLoop.factor)]
    return true
  }

  /// Goes back to the checkpoint, if that is of step `latest` or an earlier one, else to the beginning, and on from there with less of
  /// the rate; false: it did so often enough.
  private mutating func rollBack(
    _ work: inout Work, to latest: Int, _ reason: String, _ report: (PretrainingEvent) throws -> Void
  ) throws -> Bool {
    let (changes, seconds, from) = (rateChanges, state.seconds, state.step)
    setbacks += 1
    guard setbacks <= TrainingLoop.mostChanges else { return false }
    let isResumed = savedStep.map { $0 <= latest } ?? false
    work.loader.stop()
    var earlier = isResumed ? try files.checkpointState() : TrainingState(of: configuration, data: state.data)
    let plan = budget != nil ? earlier.steps ?? StepPlan(total: steps.scheduled) : steps
    (earlier.stepsPerEpoch, earlier.totalSteps, earlier.seconds) = (stepsPerEpoch, plan.total, seconds)
    // Changes later than that have not happened.
    let lasting = changes.filter { $0.from >= earlier.step }.reduce(1) { $0 * $1.factor }
    earlier.rateChanges =
      changes.filter { $0.from < earlier.step }
      + [RateChange(from: earlier.step, factor: lasting * TrainingLoop.factor)]
    let images = try pretraining.images.weighted(by: configuration.sourceWeights)
    do {
      work = try Work(pretraining, images, files: files, state: earlier, steps: plan, isResumed: isResumed)
    } catch {
      // The checkpoint that it goes back to stays the newest. Without one the run is where it was, and that is what is saved.
      if isResumed {
        (state, steps) = (earlier, plan)
        state.weightsStep = state.step
      }
      throw error
    }
    (state, steps) = (earlier, plan)
    if !isResumed {
      unlink(files.checkpoint)
      savedStep = nil
    }
    try tell(
      .warning("back from step \(from) to step \(state.step), with a third of the rate: \(reason)"), &work, report)
    return true
  }
}

extension PretrainConfiguration {
  /// Whether a run may change its rates on its way.
  var changesRates: Bool { onCollapse == .rollback || onCollapse == .remedy || onNotFinite == .rollback }
}
