import ArgumentParser
import SwAV

/// Flags of the protocols that train by SGD.
struct TrainingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Passes over the images; as published unless given.", valueName: "n"))
  var epochs: Int?
  @Option(help: ArgumentHelp("Images a step.", valueName: "n"))
  var batch = LinearTraining().batch
  @Option(help: ArgumentHelp("Epochs from which the rate is --gamma times it.", valueName: "n,n"))
  var decayEpochs: String?
  @Option(help: ArgumentHelp("That factor.", valueName: "x"))
  var gamma: Double?
  @Option(help: ArgumentHelp("Trainings, of which figures are means.", valueName: "n"))
  var seeds = 1
  @Option(help: ArgumentHelp("Written every epoch; the same command goes on.", valueName: "file"))
  var checkpoint: String?

  func validate() throws {
    guard (1...1000).contains(seeds) else { throw ValidationError("--seeds is \(seeds); 1 to 1000 are allowed") }
    if let epochs, epochs < 1 { throw ValidationError("--epochs is \(epochs); a number from 1 on is needed") }
    guard (1...65536).contains(batch) else { throw ValidationError("--batch is \(batch); 1 to 65536 are allowed") }
    if let gamma, !(gamma > 0 && gamma <= 1) {
      throw ValidationError("--gamma is \(gamma); above 0 and up to 1 is allowed")
    }
    _ = try points()
  }

  private func points() throws -> [Int]? { try decayEpochs.map { try numbers($0, "--decay-epochs", as: "60,80") } }

  /// The published schedule, with what was given in its place. Says where that has no effect.
  func schedule(_ published: RateSchedule, epochs: Int, json: Bool) throws -> RateSchedule {
    let points = try points()
    guard points != nil || gamma != nil else { return published }
    var (shares, factor) = ([Double](), 0.1)
    if case .steps(let at, let by) = published { (shares, factor) = (at, by) }
    if let points { shares = points.map { Double($0) / Double(epochs) } }
    guard shares.isEmpty else { return .steps(at: shares, factor: gamma ?? factor) }
    let note = "--gamma has no effect: the rate follows a cosine; --decay-epochs gives it steps"
    print(json ? try jsonRow("note", ["note": note]) : "note: " + note)
    return published
  }
}

extension TrainingOptions {
  var seedNumbers: [UInt64] { (0..<UInt64(seeds)).map { $0 } }

  /// Throws where the file cannot be written, before hours of work.
  func usableCheckpoint(json: Bool) throws -> String? {
    if let checkpoint { try requireWritable(checkpoint, json: json) }
    return checkpoint
  }
}

/// Flags of the protocols that train a linear layer.
struct LinearTrainingOptions: ParsableArguments {
  @OptionGroup var training: TrainingOptions
  @Option(help: ArgumentHelp("Rate at a batch of 256; as published unless given.", valueName: "x"))
  var rate: Double?
  @Flag(inversion: .prefixedNo, help: "New boxes each epoch, or centre crops: quick.")
  var augment = true

  func validate() throws { try requireRate("--rate", rate) }

  func apply(to judge: inout LinearTraining, json: Bool) throws {
    judge.epochs = training.epochs ?? judge.epochs
    (judge.batch, judge.augments, judge.seeds) = (training.batch, augment, training.seedNumbers)
    judge.rate = rate ?? judge.rate
    judge.schedule = try training.schedule(judge.schedule, epochs: judge.epochs, json: json)
    judge.checkpoint = try training.usableCheckpoint(json: json)
  }
}

private func requireRate(_ flag: String, _ rate: Double?) throws {
  if let rate, !(rate >= 0 && rate.isFinite) {
    throw ValidationError("\(flag) is \(rate); a number from 0 on is needed")
  }
}

struct EvaluateLinear: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "linear",
    abstract: "The paper's linear protocol: SGD on the frozen backbone.",
    discussion: """
      100 epochs of random boxes, flipped or not; rate 0.3 at a batch of 256 by a
      cosine; measured on centre crops after every epoch: last and best are told.
      --tune tries rates and decays on a tenth of the training images first.
      """)
  @OptionGroup var options: EvaluationOptions
  @OptionGroup var layer: LinearTrainingOptions
  @Option(help: ArgumentHelp("Weight decay.", valueName: "x"))
  var decay = LinearTraining().weightDecay
  @Flag(help: "Try 8 rates and 3 decays on training images first.")
  var tune = false
  @Flag(help: "Four windows of the last map: 8192 numbers.")
  var grid = false

  func validate() throws { try requireRate("--decay", Double(decay)) }

  func run() throws {
    try Failure.reporting(json: options.out.json) {
      var judge = LinearTraining()
      try layer.apply(to: &judge, json: options.out.json)
      (judge.weightDecay, judge.usesGrid) = (decay, grid)
      if tune { judge.choices = LinearTraining.standardChoices }
      try options.run([judge], command: "evaluate linear", checkpoint: judge.checkpoint)
    }
  }
}

struct EvaluateTransfer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transfer",
    abstract: "The paper's linear protocol for Places and iNaturalist.",
    discussion: """
      As evaluate linear, with a rate of 0.01 that is divided by 10 three times,
      decay 1e-4, and 28 (places) or 84 (inaturalist) epochs.
      """)
  @OptionGroup var options: EvaluationOptions
  @OptionGroup var layer: LinearTrainingOptions
  @Option(name: .customLong("as"), help: ArgumentHelp("places or inaturalist.", valueName: "name"))
  var like = "places"

  func validate() throws {
    guard LinearTraining.Transfer(rawValue: like) != nil else {
      throw ValidationError("--as is '\(like)'; places or inaturalist is needed")
    }
  }

  func run() throws {
    try Failure.reporting(json: options.out.json) {
      var judge = LinearTraining(transfer: LinearTraining.Transfer(rawValue: like) ?? .places)
      try layer.apply(to: &judge, json: options.out.json)
      try options.run([judge], command: "evaluate transfer", checkpoint: judge.checkpoint)
    }
  }
}

/// Flags of the protocols that train all layers.
struct FineTuningOptions: ParsableArguments {
  @OptionGroup var training: TrainingOptions
  @Option(help: ArgumentHelp("The backbone's rate at a batch of 256.", valueName: "x"))
  var rate: Double?
  @Option(help: ArgumentHelp("The linear layer's.", valueName: "x"))
  var headRate: Double?
  @Option(help: ArgumentHelp("That of all layers from scratch.", valueName: "x"))
  var scratchRate = FineTuning.all().scratchRate
  @Option(help: ArgumentHelp("Weight decay.", valueName: "x"))
  var decay = FineTuning.all().weightDecay
  @Option(help: ArgumentHelp("Label smoothing, 0 to less than 1.", valueName: "x"))
  var smoothing = FineTuning.all().labelSmoothing
  @Flag(inversion: .prefixedNo, help: "Train from scratch as well.")
  var scratch = true
  @Flag(help: "Batch-norm keeps its statistics.")
  var freezeNorms = false

  func validate() throws {
    for (flag, rate) in [
      ("--rate", rate), ("--head-rate", headRate), ("--scratch-rate", scratchRate), ("--decay", Double(decay)),
    ] { try requireRate(flag, rate) }
    guard smoothing >= 0, smoothing < 1 else {
      throw ValidationError("--smoothing is \(smoothing); 0 to less than 1 is allowed")
    }
  }

  func run(_ published: FineTuning, _ options: EvaluationOptions) throws {
    var judge = published
    judge.epochs = training.epochs ?? judge.epochs
    judge.batch = training.batch
    judge.schedule = try training.schedule(judge.schedule, epochs: judge.epochs, json: options.out.json)
    judge.backboneRate = rate ?? judge.backboneRate
    judge.classifierRate = headRate ?? judge.classifierRate
    (judge.scratchRate, judge.weightDecay, judge.labelSmoothing) = (scratchRate, decay, smoothing)
    (judge.comparesScratch, judge.freezesNorms) = (scratch, freezeNorms)
    judge.seeds = training.seedNumbers
    try Failure.reporting(json: options.out.json) {
      judge.checkpoint = try training.usableCheckpoint(json: options.out.json)
      try options.run([judge], command: "evaluate \(judge.name)", checkpoint: judge.checkpoint)
    }
  }
}

struct EvaluateSemi: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "semi",
    abstract: "The paper's semi-supervised protocol: few labels, all layers.",
    discussion: """
      Trains all layers on 1 or 10 % of the labels, as many of every class, for 20
      epochs at two rates, times 0.2 at epochs 12 and 16; and the same network from
      scratch.
      """)
  @OptionGroup var options: EvaluationOptions
  @OptionGroup var tuning: FineTuningOptions
  @Option(help: ArgumentHelp("Percent of --train that has a label.", valueName: "p"))
  var labels = 1.0
  @Option(help: ArgumentHelp("Those that have one instead, a name a line.", valueName: "file"))
  var list: String?

  func validate() throws {
    guard labels > 0, labels <= 100 else {
      throw ValidationError("--labels is \(labels); more than 0 and up to 100 is allowed")
    }
  }

  func run() throws { try tuning.run(FineTuning(semi: list.map(FineTuning.Labels.list) ?? .percent(labels)), options) }
}

struct EvaluateFinetune: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune",
    abstract: "Trains all layers on all labels, and from scratch.",
    discussion: "As evaluate semi with 100 % of the labels and the rates of 10 %; from scratch it is the supervised baseline.")
  @OptionGroup var options: EvaluationOptions
  @OptionGroup var tuning: FineTuningOptions

  func run() throws { try tuning.run(.all(), options) }
}
