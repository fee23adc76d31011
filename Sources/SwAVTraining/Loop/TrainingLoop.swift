import SwAVData
import SwAVEngine
import SwAVEvaluation
import SwAVInspection
import SwAVModel

/// One process' part of a run, from opening the folder to the last checkpoint.
struct TrainingLoop: ~Copyable {
  let pretraining: Pretraining
  let configuration: PretrainConfiguration
  let files: RunFolder
  let stepsPerEpoch: Int
  /// Seconds of a run by the clock; nil: its steps are given. The configuration's, kept here because the compiler of Swift 6.3
  /// crashes, where it optimises, on code that asks the configuration for it.
  let budget: Double?
  /// The steps, those that were planned anew on the way included.
  var steps: StepPlan
  var totalSteps: Int { steps.total }
  /// What the kNN accuracy is measured on; nil without validation images.
  let evaluated: EvaluationImages?
  /// The root's.
  private let lock: RunLock?
  private let lockRemark: String?
  var state: TrainingState
  /// Nil when the run was finished before.
  var work: Work?
  /// Of the last step here.
  var lastLoss: Double?
  /// The step that the checkpoint on the disk is of; nil where there is none.
  var savedStep: Int?
  /// Of the run's control.
  var cancellation = Cancellation()
  /// What `report` threw since the last step, where other ranks have to hear of it first.
  var troubleOfReport: (any Error)?
  /// Whether a checkpoint follows the step under way, by a wish of some rank.
  var checkpointIsAgreed = false
  /// How often the rate was lowered in this process.
  var setbacks = 0
  /// Where the step is that failed, if one did.
  var failedStep: String?

  /// What is open while the run goes on.
  struct Work: ~Copyable {
    let network: Network
    var trainer: Trainer
    let loader: Loader
    /// The root's.
    var records: RunRecords?
    /// The root's, where one is asked for.
    let probe: OnlineProbe?
    /// Of the last step, where there is a probe.
    var samples: [Int] = []
    /// Remarks of evaluations that were told, so that each is told once.
    var remarks: Set<String> = []
    /// What the network of a step looks like in files; see ``TrainingLoop/shown(_:_:)``.
    var recalibrated: (step: Int, network: Network)?
    /// The checkpoint that training goes on from.
    let resumed: CheckpointInfo?
    /// What a new run kept of other weights.
    let initial: InitialReport?
  }

  /// Takes the folder, restores the checkpoint where there is one, makes the memory plan. Trains nothing yet.
  init(_ given: Pretraining) throws {
    var pretraining = given
    var configuration = pretraining.configuration
    let files = RunFolder(path: pretraining.output)
    let ranks = pretraining.ranks
    let images = try ranks.agree { () throws -> any ImageSource in
      let images = try pretraining.images.weighted(by: configuration.sourceWeights)
      try configuration.validate(for: DataFacts(images: images.drawCount, shortSide: 0), ranks: ranks?.size ?? 1)
      return images
    }
    let count = images.drawCount
    let evaluated = try ranks.agree { try pretraining.evaluationImages() }
    // Looks at every file: once is enough.
    let identity = try ranks.onRoot { try images.identity() }
    try ranks?.requireSameImages(images)
    var lock: RunLock?
    var lockRemark: String?
    let found = try ranks.onRoot {
      try files.requireUsable(pretraining.resume)
      try makeFolder(files.path)
      let taken = try RunLock(files)
      lockRemark = taken.remark
      lock = consume taken
      return FoundRun(
        state: try files.restoredState(pretraining, identity: identity), hasWeights: fileExists(files.weights))
    }
    let restored = found.state
    var state = restored ?? TrainingState(of: configuration, data: identity)
    let stepsPerEpoch = count / configuration.batch
    // Those of a run by the clock are its own, and so is its schedule, whatever this process expects of the time.
    if let budget = configuration.budget, let own = state.steps {
      configuration.length = .budget(budget, own)
      pretraining.configuration = configuration
    }
    let steps = configuration.steps(stepsPerEpoch: stepsPerEpoch)
    (state.stepsPerEpoch, state.totalSteps) = (stepsPerEpoch, steps.total)
    if let evaluated, state.step == 0 { try ranks.doOnRoot { try TrainingLoop.requireReadable(evaluated.val, configuration) } }
    let isDone = state.isFinished && found.hasWeights && (evaluated == nil || state.owesEvaluation != true)
    let work =
      isDone ? nil : try Work(pretraining, images, files: files, state: state, steps: steps, isResumed: restored != nil)
    savedStep = restored?.step
    (self.pretraining, self.configuration, self.files, self.evaluated) = (pretraining, configuration, files, evaluated)
    (self.stepsPerEpoch, self.steps, self.state) = (stepsPerEpoch, steps, state)
    budget = configuration.budget
    self.lock = lock
    self.lockRemark = lockRemark
    self.work = work
  }
}

extension TrainingLoop.Work {
  init(
    _ pretraining: Pretraining, _ images: any ImageSource, files: RunFolder, state: TrainingState, steps: StepPlan,
    isResumed: Bool
  ) throws {
    let (configuration, ranks) = (pretraining.configuration, pretraining.ranks)
    var made: Trainer?
    let network = try ranks.agree {
      let network = try Network(configuration.network, seed: configuration.seed)
      try network.describeInput(configuration.input)
      return network
    }
    // Before the trainer takes its memory: clustering needs some as well.
    let initial = isResumed ? nil : try configuration.initialize(network, from: images, ranks: ranks)
    try ranks.agree { made = try Trainer(network, configuration.trainer, ranks: ranks, sums: configuration.sums) }
    guard var trainer = made.take() else { throw EngineError(code: .internal, message: "no trainer was made") }
    let resumed = isResumed ? try ranks.agree { try trainer.load(files.checkpoint) } : nil
    var records: RunRecords?
    var probe: OnlineProbe?
    try ranks.doOnRoot {
      if configuration.probes {
        let made = try OnlineProbe(
          images, dim: try network.info().featureDim, batch: trainer.ownBatch, seed: configuration.seed)
        if isResumed { try made.load(files.probe, step: state.step) }
        probe = made
      }
      let environment = try RunEnvironment(pretraining, images: state.data)
      // First of all: by it the folder is known as that of a run.
      try replaceFile(files.configuration, with: configuration.yaml)
      try replaceFile(files.environment, with: environment.json)
    }
    // A run by the clock ends when it ends.
    let epochs = configuration.budget == nil ? (steps.total - 1) / (images.drawCount / configuration.batch) + 1 : 1 << 31
    var loading = Loader.Configuration(
      recipe: configuration.recipe, seed: configuration.seed, batch: configuration.batch, epochs: epochs,
      workers: configuration.readers, maxBadShare: configuration.maxBad)
    loading.readTimeout = configuration.readTimeout
    loading.start = state.position
    loading.knownBad = state.badSamples
    loading.share = ranks?.share(ofBatch: configuration.batch)
    // After the trainer, whose memory counts as taken. What pictures and evaluations need for a while has a quarter.
    loading.memory = try Runtime.memoryRoom() / (ranks?.ranksOnHost ?? 1) / 4 * 3
    let loader = try ranks.agree { try Loader(images, loading) }
    // Last, as it cuts off what an earlier process wrote beyond its checkpoint.
    try ranks.doOnRoot { records = try RunRecords(files, state: state) }
    (self.network, self.loader) = (network, loader)
    self.trainer = trainer
    self.records = records
    self.probe = probe
    self.resumed = resumed
    self.initial = initial
  }
}

extension PretrainConfiguration {
  /// Threads that read and decode.
  public var readers: Int { workers > 0 ? workers : availableCores() }
}

extension TrainingLoop {
  mutating func run(control: RunControl, report: (PretrainingEvent) throws -> Void) throws -> PretrainingResult {
    guard var work = work.take() else { return result(.alreadyFinished, rate: nil) }
    cancellation = control.cancellation
    var pace = StepClock(
      batch: configuration.batch, secondsBefore: state.seconds + pretraining.secondsBefore, now: pretraining.clock)
    do {
      try begin(&work, report)
      try train(&work, &pace, control, report)
      try finish(&work, &pace, report)
      return result(.finished, rate: pace.meanRate)
    } catch let error as EngineError
      where error.code == .cancelled && (control.isCancelled || pretraining.ranks != nil)
    {
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
    if let lockRemark { try tell(.warning(lockRemark), &work, report) }
    if let warning = work.resumed?.warning { try tell(.warning(warning), &work, report) }
    if state.step > 0, work.probe?.isNew == true {
      try tell(.warning("the linear probe begins anew: what it had learned is not there"), &work, report)
    }
    for remark in pretraining.images.remarks where remark.concernsSamples { work.records?.log("images: " + remark.text) }
    guard state.step == 0 else { return }
    for remark in pretraining.remarks { work.records?.log(remark) }
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
    var timetable = Timetable(budget: budget, secondsDone: pace.secondsInAll)
    while state.step < totalSteps {
      let step = state.step
      let epoch = step / stepsPerEpoch
      let input = StepInput(
        learningRate: try schedule.rate(at: steps.position(of: step)) * rateChanges.factor(at: step),
        freezesPrototypes: step < frozenSteps,
        usesQueue: configuration.queue > 0 && epoch >= configuration.queueStartEpoch)
      guard let found = try makeStep(&work, input, pace, control, report) else {
        monitor = HealthMonitor(configuration)
        continue
      }
      try work.learnClasses()
      pace.tick(waited: work.loader.waited)
      state.advance(stepsPerEpoch: stepsPerEpoch, seconds: pace.secondsInAll)
      lastLoss = found.loss
      try tell(.step(progress(found, input, pace)), &work, report)
      for bad in work.loader.takeNewBadSamples() { try tell(.badSample(bad), &work, report) }
      if try judge(found, input, &monitor, &work, report) {
        monitor = HealthMonitor(configuration)
        continue
      }
      var isEvaluated = false
      if state.position.batch == 0 {
        if !hasAdvised { try tell(.advice(advice(work, pace)), &work, report) }
        hasAdvised = true
        try tellProbe(afterEpoch: epoch + 1, &work, report)
        isEvaluated = isEvaluationDue(afterEpoch: epoch)
        // Before anything that may be called off.
        if isEvaluated, evaluated != nil { state.owesEvaluation = true }
        try keepWeights(afterEpoch: epoch + 1, &work, report)
      }
      try replan(&timetable, pace, &work, report)
      if isEvaluated || state.step == totalSteps {
        if evaluated == nil { try score(&work, &pace, report) } else { state.owesEvaluation = true }
      }
      guard state.step < totalSteps else { break }
      // Before an evaluation, so that whatever becomes of that, the epoch is not lost.
      if isCheckpointWanted(control, pace) || state.owesEvaluation == true {
        try saveCheckpoint(&work, report)
        pace.markCheckpoint()
      }
      try evaluateIfOwed(&work, &pace, report)
    }
  }

  private func isCheckpointWanted(_ control: RunControl, _ pace: StepClock) -> Bool {
    let steps = configuration.checkpointSteps
    if steps > 0 && state.step % steps == 0 { return true }
    return pretraining.ranks == nil ? control.takeCheckpointRequest() || isCheckpointDue(pace) : checkpointIsAgreed
  }

  func isCheckpointDue(_ pace: StepClock) -> Bool {
    configuration.checkpointMinutes > 0 && pace.secondsSinceCheckpoint >= 60 * configuration.checkpointMinutes
  }

  /// Records an event in the run's files and passes it on, with what could not be recorded.
  mutating func tell(_ event: PretrainingEvent, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void) throws {
    guard pretraining.ranks.isRoot else { return }
    do {
      work.records?.record(event)
      try report(event)
      for trouble in work.records?.takeTroubles() ?? [] {
        try report(.warning("\(trouble); the run goes on without what could not be written there"))
      }
    } catch  where pretraining.ranks != nil {
      troubleOfReport = troubleOfReport ?? error
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
