/// When the steps of a run by the clock are planned anew, and to how many.
struct Timetable {
  /// Seconds of the whole run; nil: its steps are given.
  let budget: Double?
  private var lastLook: Double
  private var lastSteps = 0
  private var lastStepSeconds = 0.0
  /// A mean that forgets.
  private var secondsPerStep: Double?

  /// Part of the budget, and of what is left of it, after which it is looked at again.
  private static let interval = 0.02
  private static let closeInterval = 0.1

  init(budget: Double?, secondsDone: Double) { (self.budget, lastLook) = (budget, secondsDone) }

  /// Steps that are left after those done, where there is something to change. `steps` and `stepSeconds` are those of this
  /// process, waiting for images included, `reserve` the seconds that other things take
  /// at the end, `beside` those that they take for each step on the way.
  mutating func stepsLeft(
    planned: Int, now: Double, steps: Int, stepSeconds: Double, reserve: Double, beside: Double = 0
  ) -> Int? {
    guard let budget else { return nil }
    let left = budget - now
    let interval = min(Timetable.interval * budget, Timetable.closeInterval * max(0, left))
    guard steps > lastSteps, left <= reserve || now - lastLook >= interval else { return nil }
    let latest = (stepSeconds - lastStepSeconds) / Double(steps - lastSteps)
    let mean = secondsPerStep.map { ($0 + latest) / 2 } ?? latest
    (secondsPerStep, lastLook, lastSteps, lastStepSeconds) = (mean, now, steps, stepSeconds)
    guard left > reserve else { return 0 }
    let possible = Int((left - reserve) / max(mean + beside, 1e-9))
    // What is within the noise stays, so that a quiet run has a short plan.
    return abs(possible - planned) * 200 > planned + 200 ? possible : nil
  }
}

extension TrainingLoop {
  /// Where the length is a time: as many steps as still fit into it, at the pace of late.
  mutating func replan(
    _ timetable: inout Timetable, _ pace: StepClock, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    guard budget != nil, state.step < totalSteps else { return }
    let evaluation = pace.evaluationSeconds ?? expectedEvaluation(pace)
    let stepsBetween = Double(configuration.knnEvery * stepsPerEpoch)
    // By the root's clock, where there are others.
    let left = try pretraining.ranks.onRoot {
      timetable.stepsLeft(
        planned: totalSteps - state.step, now: pace.secondsInAll, steps: pace.steps, stepSeconds: pace.stepSeconds,
        reserve: evaluation + closing(pace), beside: stepsBetween > 0 ? evaluation / stepsBetween : 0)
    }
    guard let left else { return }
    // The step that was just made may be the last one.
    if left == 0 {
      steps.change(at: state.step - 1, to: state.step)
    } else {
      steps.change(at: state.step, to: state.step + left)
    }
    (state.steps, state.totalSteps) = (steps, totalSteps)
    try tell(.replanned(step: state.step, totalSteps: totalSteps), &work, report)
  }

  /// Seconds of an evaluation before there was one: an image costs a part of what it costs in a step.
  private func expectedEvaluation(_ pace: StepClock) -> Double {
    let images =
      evaluated.map { min(TrainingLoop.bankLimit, $0.train?.count ?? 0) + $0.val.count } ?? min(2000, state.data.count / 2)
    return Double(images) * TrainingLoop.evaluationShare * pace.secondsPerStep / Double(configuration.batch)
  }

  /// Seconds from the last step to the weights.
  private func closing(_ pace: StepClock) -> Double {
    let images = configuration.recalibrates ? min(TrainingLoop.recalibrationLimit, state.data.count) : 0
    return TrainingLoop.writingSeconds
      + Double(images) * TrainingLoop.evaluationShare * pace.secondsPerStep / Double(configuration.batch)
  }

  /// A forward pass of one view, with its decoding, against a step of all of them.
  private static let evaluationShare = 0.2
  private static let writingSeconds = 0.5
}
