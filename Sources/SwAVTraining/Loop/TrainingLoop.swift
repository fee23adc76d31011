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
  /// What the kNN accuracy is measured on; nil without validation images.
  let evaluated: EvaluationImages?
  private let lock: RunLock
  var state: TrainingState
  /// Nil when the run was finished before.
  var work: Work?
  /// Of the last step here.
  var lastLoss: Double?
  /// The step that the checkpoint on the disk is of; nil where there is none.
  var savedStep: Int?

  /// What is open while the run goes on.
  struct Work: ~Copyable {
    let network: Network
    var trainer: Trainer
    let loader: Loader
    var records: RunRecords
    /// What evaluations remarked and was told.
    var remarks: Set<String> = []
    /// What the network of a step looks like in files; see ``TrainingLoop/shown(_:_:)``.
    var recalibrated: (step: Int, network: Network)?
    /// The checkpoint that training goes on from.
    let resumed: CheckpointInfo?
    /// What a new run kept of other weights.
    let initial: InitialReport?
  }

  /// Takes the folder, restores the checkpoint where there is one, makes the memory plan. Trains nothing yet.
  init(_ pretraining: Pretraining) throws {
    let configuration = pretraining.configuration
    let files = RunFolder(path: pretraining.output)
    let images = try pretraining.images.weighted(by: configuration.sourceWeights)
    let count = images.drawCount
    try configuration.validate(for: DataSummary(count: count, typicalSide: 0))
    let evaluated = try pretraining.evaluationImages()
    try files.requireUsable(pretraining.resume)
    try makeFolder(files.path)
    let lock = try RunLock(files)
    let identity = try images.identity()
    let restored = try files.restoredState(pretraining, identity: identity)
    var state = restored ?? TrainingState(of: configuration, data: identity)
    let stepsPerEpoch = count / configuration.batch
    let totalSteps = stepsPerEpoch * configuration.epochs
    (state.stepsPerEpoch, state.totalSteps) = (stepsPerEpoch, totalSteps)
    if let evaluated, state.step == 0 { try TrainingLoop.requireReadable(evaluated.val, configuration) }
    let isDone = state.isFinished && fileExists(files.weights) && (evaluated == nil || state.owesEvaluation != true)
    let work = isDone ? nil : try Work(pretraining, images, files: files, state: state, isResumed: restored != nil)
    savedStep = restored?.step
    (self.pretraining, self.configuration, self.files, self.evaluated) = (pretraining, configuration, files, evaluated)
    (self.stepsPerEpoch, self.totalSteps, self.state) = (stepsPerEpoch, totalSteps, state)
    self.lock = lock
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
    // Before the trainer takes its memory: clustering needs some as well.
    let initial = isResumed ? nil : try configuration.initialize(network, from: images)
    var trainer = try Trainer(network, configuration.trainer)
    let resumed = isResumed ? try trainer.load(files.checkpoint) : nil
    let environment = try RunEnvironment(pretraining, images: state.data)
    // First of all: by it the folder is known as that of a run.
    try replaceFile(files.configuration, with: configuration.yaml)
    try replaceFile(files.environment, with: environment.json)
    let records = try RunRecords(files, state: state)
    var loading = Loader.Configuration(
      recipe: configuration.recipe, seed: configuration.seed, batch: configuration.batch, epochs: configuration.epochs,
      workers: configuration.readers, maxBadShare: configuration.maxBad)
    loading.readTimeout = configuration.readTimeout
    loading.start = state.position
    loading.knownBad = state.badSamples
    let loader = try Loader(images, loading)
    (self.network, self.loader) = (network, loader)
    self.trainer = trainer
    self.records = records
    self.resumed = resumed
    self.initial = initial
  }
}

extension PretrainConfiguration {
  /// Threads that read and decode.
  var readers: Int { workers > 0 ? workers : availableCores() }
}

extension TrainingLoop {
  mutating func run(control: RunControl, report: (PretrainingEvent) throws -> Void) throws -> PretrainingResult {
    guard var work = work.take() else { return result(.alreadyFinished, rate: nil) }
    var pace = StepClock(batch: configuration.batch, secondsBefore: state.seconds)
    do {
      try begin(&work, report)
      try train(&work, &pace, control, report)
      try finish(&work, &pace, report)
      return result(.finished, rate: pace.meanRate)
    } catch let error as EngineError where error.code == .cancelled && control.isCancelled {
      do {
        return try stop(&work, pace, report)
      } catch {
        throw keep(error, &work, report)
      }
    } catch {
      throw keep(error, &work, report)
    }
  }

  /// Says what is about to happen, and does what an earlier process owes.
  private mutating func begin(_ work: inout Work, _ report: (PretrainingEvent) throws -> Void) throws {
    try tell(.started(try start(work)), &work, report)
    if let remark = lock.remark { try tell(.warning(remark), &work, report) }
    if let warning = work.resumed?.warning { try tell(.warning(warning), &work, report) }
    for remark in pretraining.images.remarks where remark.concernsSamples { work.records.log("images: " + remark.text) }
    guard state.step == 0 else { return }
    for remark in pretraining.remarks { work.records.log(remark) }
    if let initial = work.initial { try tell(.initialized(initial), &work, report) }
    for setting in configuration.valuesWithoutEffect(images: stepsPerEpoch * configuration.batch) {
      try tell(.withoutEffect(setting), &work, report)
    }
  }

  private mutating func train(
    _ work: inout Work, _ pace: inout StepClock, _ control: RunControl, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    let schedule = configuration.schedule(stepsPerEpoch: stepsPerEpoch)
    let frozenSteps = configuration.frozenSteps(stepsPerEpoch: stepsPerEpoch)
    var (monitor, hasAdvised) = (HealthMonitor(configuration), false)
    if state.step < totalSteps { try evaluateIfOwed(&work, &pace, report) }
    for step in state.step..<totalSteps {
      try Cancellation.check()
      let epoch = step / stepsPerEpoch
      let input = StepInput(
        learningRate: try schedule.rate(at: step), freezesPrototypes: step < frozenSteps,
        usesQueue: configuration.queue > 0 && epoch >= configuration.queueStartEpoch)
      let found = try work.loader.withNextBatch { batch in try work.trainer.step(batch.crops, input) }
      guard let found else { throw PretrainingError.file(path: files.path, reason: "the loader ended before the last step") }
      pace.tick(waited: work.loader.waited)
      state.advance(stepsPerEpoch: stepsPerEpoch, seconds: pace.secondsInAll)
      lastLoss = found.loss
      try tell(.step(progress(found, input, pace)), &work, report)
      for bad in work.loader.takeNewBadSamples() { try tell(.badSample(bad), &work, report) }
      for diagnosis in monitor.observe(HealthFigures(found, rate: input.learningRate)) {
        try tell(.diagnosis(diagnosis), &work, report)
        if configuration.onCollapse == .stop { throw PretrainingError.unhealthy(diagnosis) }
      }
      if state.position.batch == 0 {
        if !hasAdvised { try tell(.advice(advice(work, pace)), &work, report) }
        hasAdvised = true
        if isEvaluationDue(afterEpoch: epoch) { state.owesEvaluation = true }
        try keepWeights(afterEpoch: epoch + 1, &work, report)
      }
      guard state.step < totalSteps else { break }
      // Before an evaluation, so that whatever becomes of that, the epoch is not lost.
      if control.takeCheckpointRequest() || state.owesEvaluation == true || isCheckpointDue(pace) {
        try saveCheckpoint(&work, report)
        pace.markCheckpoint()
      }
      try evaluateIfOwed(&work, &pace, report)
    }
  }

  private func isCheckpointDue(_ pace: StepClock) -> Bool {
    let (steps, minutes) = (configuration.checkpointSteps, configuration.checkpointMinutes)
    return steps > 0 && state.step % steps == 0 || minutes > 0 && pace.secondsSinceCheckpoint >= 60 * minutes
  }

  /// Records an event in the run's files and passes it on, with what could not be recorded.
  func tell(_ event: PretrainingEvent, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void) throws {
    work.records.record(event)
    try report(event)
    for trouble in work.records.takeTroubles() {
      try report(.warning("\(trouble); the run goes on without what could not be written there"))
    }
  }
}

extension TrainingState {
  mutating func advance(stepsPerEpoch: Int, seconds: Double) {
    step += 1
    position = Loader.Position(epoch: step / stepsPerEpoch, batch: step % stepsPerEpoch)
    self.seconds = seconds
  }
}
