import Foundation
import SwAVData
import SwAVEngine
import SwAVEvaluation
import SwAVModel

/// One process' part of a run, from opening the folder to the last checkpoint.
struct TrainingLoop: ~Copyable {
  let pretraining: Pretraining
  let configuration: PretrainConfiguration
  let files: RunFolder
  let stepsPerEpoch: Int
  let totalSteps: Int
  let evaluated: EvaluationImages?
  var state: TrainingState
  /// Nil when the run was finished before.
  var work: Work?
  /// Of the last step here.
  var lastLoss: Double?

  /// What is open while the run goes on.
  struct Work: ~Copyable {
    let network: Network
    var trainer: Trainer
    let loader: Loader
    var records: RunRecords
  }

  /// Opens the folder, restores the checkpoint where there is one, makes the memory plan. Trains nothing yet.
  init(_ pretraining: Pretraining) throws {
    let configuration = pretraining.configuration
    let files = RunFolder(path: pretraining.output)
    let images = try pretraining.images.weighted(by: configuration.sourceWeights)
    let count = images.drawCount
    try configuration.validate(for: DataSummary(count: count, typicalSide: 0))
    let evaluated = try pretraining.evaluationImages()
    let identity = try images.identity()
    let restored = try files.restoredState(pretraining, identity: identity)
    let state = restored ?? TrainingState(of: configuration, data: identity)
    let work =
      state.isFinished && fileExists(files.weights)
      ? nil : try Work(pretraining, images, files: files, state: state, isResumed: restored != nil)
    (self.pretraining, self.configuration, self.files, self.evaluated) = (pretraining, configuration, files, evaluated)
    stepsPerEpoch = count / configuration.batch
    totalSteps = stepsPerEpoch * configuration.epochs
    self.state = state
    self.work = work
  }
}

extension TrainingLoop.Work {
  fileprivate init(
    _ pretraining: Pretraining, _ images: any ImageSource, files: RunFolder, state: TrainingState, isResumed: Bool
  ) throws {
    let configuration = pretraining.configuration
    let network = try Network(configuration.network, seed: configuration.seed)
    try network.describeInput(configuration.input)
    var trainer = try Trainer(network, configuration.trainer)
    if isResumed { try trainer.load(files.checkpoint) }
    try makeFolder(files.path)
    let records = try RunRecords(files, state: state)
    let workers = configuration.workers > 0 ? configuration.workers : availableCores()
    let environment = try Environment(images: state.data, workers: workers)
    try replaceFile(files.configuration, with: configuration.yaml)
    try replaceFile(files.environment, with: environment.json)
    var loading = Loader.Configuration(
      recipe: configuration.recipe, seed: configuration.seed, batch: configuration.batch, epochs: configuration.epochs,
      workers: workers, maxBadShare: configuration.maxBad)
    loading.readTimeout = configuration.readTimeout
    loading.start = state.position
    loading.knownBad = state.badSamples
    let loader = try Loader(images, loading)
    (self.network, self.loader) = (network, loader)
    self.trainer = trainer
    self.records = records
  }
}

extension TrainingLoop {
  mutating func run(
    cancellation: Cancellation, report: (PretrainingEvent) throws -> Void
  ) throws -> PretrainingResult {
    guard var work = work.take() else { return result(.alreadyFinished, rate: nil) }
    let schedule = configuration.schedule(stepsPerEpoch: stepsPerEpoch)
    let frozenSteps = configuration.frozenSteps(stepsPerEpoch: stepsPerEpoch)
    var pace = StepClock(batch: configuration.batch, secondsBefore: state.seconds)
    var (monitor, hasAdvised) = (CollapseMonitor(), false)
    try tell(try start(work), &work, report)
    for remark in pretraining.remarks where state.step == 0 { try work.records.log(remark) }
    for remark in pretraining.images.remarks where remark.concernsSamples { try work.records.log("images: " + remark.text) }

    for step in state.step..<totalSteps {
      let epoch = step / stepsPerEpoch
      let input = StepInput(
        learningRate: try schedule.rate(at: step), freezesPrototypes: step < frozenSteps,
        usesQueue: configuration.queue > 0 && epoch >= configuration.queueStartEpoch)
      let found = try work.loader.withNextBatch { batch in try work.trainer.step(crops: batch.crops, input) }
      guard let found else { throw PretrainingError.file(path: files.path, reason: "the loader ended before the last step") }
      pace.tick(waited: work.loader.waited)
      state.advance(stepsPerEpoch: stepsPerEpoch, seconds: pace.secondsInAll)
      lastLoss = found.loss
      try tell(.step(progress(found, input, pace)), &work, report)
      for bad in work.loader.takeNewBadSamples() { try tell(.badSample(bad), &work, report) }
      let warning = monitor.observe(
        loss: found.loss, lnK: configuration.lnK, codeEntropy: found.codeEntropy, scoreSpread: found.scoreSpread,
        configuration: configuration)
      if let warning { try tell(.warning(warning), &work, report) }

      if state.position.batch == 0, !hasAdvised {
        hasAdvised = true
        try tell(advice(work, pace), &work, report)
      }

      let stops = cancellation.isCancelled && state.step < totalSteps
      if !stops, state.position.batch == 0, isEvaluationDue(afterEpoch: epoch) {
        try tell(.evaluated(try evaluate(work.network)), &work, report)
        pace.skip()
      }
      if stops || state.step == totalSteps { break }
      if isCheckpointDue(pace) {
        try saveCheckpoint(&work, report)
        pace.markCheckpoint()
      }
    }
    return try finish(&work, pace, report)
  }

  /// Writes the weights, then the checkpoint: a run counts as finished only once its weights are there.
  private mutating func finish(
    _ work: inout Work, _ pace: StepClock, _ report: (PretrainingEvent) throws -> Void
  ) throws -> PretrainingResult {
    work.loader.stop()
    try work.network.save(to: files.weights)
    state.isFinished = state.step == totalSteps
    try saveCheckpoint(&work, report)
    let outcome: PretrainingResult.Outcome = state.isFinished ? .finished : .interrupted
    try work.records.log("\(outcome.rawValue) at step \(state.step) of \(totalSteps)")
    return result(outcome, rate: pace.meanRate)
  }

  private mutating func saveCheckpoint(_ work: inout Work, _ report: (PretrainingEvent) throws -> Void) throws {
    state.badSamples = work.loader.badSamples
    // Logged first, so that the lengths that the checkpoint remembers include the line.
    try work.records.log("checkpoint at step \(state.step)")
    try work.records.flush(into: &state)
    try work.trainer.save(to: files.checkpoint, note: try state.note)
    try report(.checkpoint(step: state.step))
  }

  private func isCheckpointDue(_ pace: StepClock) -> Bool {
    let (steps, minutes) = (configuration.checkpointSteps, configuration.checkpointMinutes)
    return steps > 0 && state.step % steps == 0 || minutes > 0 && pace.secondsSinceCheckpoint >= 60 * minutes
  }

  private func isEvaluationDue(afterEpoch epoch: Int) -> Bool {
    guard evaluated != nil else { return false }
    let every = configuration.knnEvery
    return epoch + 1 == configuration.epochs || every > 0 && (epoch + 1) % every == 0
  }

  /// Records an event in the run's files and passes it on.
  private func tell(
    _ event: PretrainingEvent, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    try work.records.record(event)
    try report(event)
  }
}

extension TrainingState {
  mutating func advance(stepsPerEpoch: Int, seconds: Double) {
    step += 1
    position = Loader.Position(epoch: step / stepsPerEpoch, batch: step % stepsPerEpoch)
    self.seconds = seconds
  }
}
