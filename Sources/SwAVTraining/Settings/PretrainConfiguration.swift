import Glibc
public import SwAVAugmentation
import SwAVData
public import SwAVModel

/// Everything that a pretraining run is made of, resolved: no value is left to be chosen.
///
/// ``planned(for:given:)`` makes one; afterwards any property may be changed. As text (YAML, flags) the names are those of
/// ``Setting``. Defaults of the method are the engine's published ones; those that depend on the data are planned.
public struct PretrainConfiguration: Sendable, Equatable {
  // Network.
  public var arch = Architecture.resnet18
  public var stem = Stem.imagenet
  /// Channels of the stem before the width multiplier.
  public var baseWidth = NetworkConfiguration.published.baseWidth
  /// Width of the head's hidden layer; 0: one linear layer.
  public var hidden = Architecture.resnet18.defaultHidden
  /// D, length of an embedding.
  public var dim = NetworkConfiguration.published.dim
  /// K of each set of prototypes.
  public var prototypes = NetworkConfiguration.published.prototypes
  /// No batch-norm between the two layers of the head, as in the published ResNet-50w5.
  public var plainHead = false

  // Weights that a new run begins with; nil: random ones.
  /// A file of weights, or the folder of a run.
  public var initFrom: String?
  /// Of the keys of the encoder that is meant, where the file holds several.
  public var initPrefix: String?
  public var initHead = InitialHead.keep
  public var initPrototypes = InitialPrototypes.keep

  // Views.
  /// Of the images, 1 or 3; others are converted. One channel keeps samples of 16 bits.
  public var channels = Recipe.published.channels
  /// Counts, sizes and area fractions.
  public var crops = Recipe.published.groups
  /// Crops whose codes the others predict.
  public var assign = TrainerConfiguration.published.loss.assignmentCrops
  /// Probabilities.
  public var flip = shortest(Recipe.published.flipProbability)
  public var jitter = shortest(Recipe.published.jitterProbability)
  public var grayscale = shortest(Recipe.published.grayscaleProbability)
  public var blur = shortest(Recipe.published.blurProbability)
  /// Strength of brightness, contrast and saturation; the hue's is a quarter of it.
  public var jitterStrength = shortest(Recipe.published.brightness)
  /// Of samples in 0...1, one for each channel.
  public var mean = Recipe.published.mean.map(shortest)
  public var std = Recipe.published.std.map(shortest)
  public var augmentationPrecision = Recipe.published.precision
  /// How large pictures may be, and what transparent ones lie on.
  public var decoding = DecodingOptions.standard

  // Objective.
  public var epsilon = Codes.published.epsilon
  public var sinkhornIterations = Codes.published.iterations
  public var temperature = TrainerConfiguration.published.loss.temperature
  /// Embeddings kept for each assignment crop; 0: no queue.
  public var queue = TrainerConfiguration.published.queueLength
  /// The first epoch, counted from 0, that fills the queue.
  public var queueStartEpoch = 15

  // Optimiser and schedule.
  /// B, images a step.
  public var batch = TrainerConfiguration.published.batch
  /// See ``TrainerConfiguration/microBatch``.
  public var microBatch = TrainerConfiguration.published.microBatch
  public var length = RunLength.epochs(100)
  public var optimizer = TrainerConfiguration.published.optimizer
  public var trust = TrainerConfiguration.published.trust
  public var momentum = TrainerConfiguration.published.momentum
  public var weightDecay = TrainerConfiguration.published.weightDecay
  public var baseLR = 0.6
  public var finalLR = 0.0006
  /// The rate at which the warm-up begins.
  public var startWarmup = 0.0
  public var warmupEpochs = 0.0
  /// On the way, beside the schedule; a run that goes back after a failure writes them.
  public var rateChanges: [RateChange] = []
  /// Epochs at the start in which the prototypes do not learn.
  public var freezeEpochs = 1.0
  /// The same in steps; where it is set it takes the place of `freezeEpochs`.
  public var freezeSteps: Int?
  public var seed: UInt64 = 0

  // Arithmetic.
  /// See ``TrainerConfiguration/usesWinograd``.
  public var usesWinograd = TrainerConfiguration.published.usesWinograd
  /// See ``TrainerConfiguration/precision``.
  public var precision = TrainerConfiguration.published.precision

  // Weights.
  /// Pixels a side of the images that the weights are meant for afterwards; nil: the largest crop.
  public var inputSize: Int?

  // Data.
  /// How often the images of each source come in an epoch; empty: each once. See ``ImageMixture``.
  public var sourceWeights: [Double] = []
  /// Share of images, 0...1, that may be bad before the run ends with an error; of those tried so far, and of 1000 (or all)
  /// while they are fewer.
  public var maxBad = 0.5
  /// Seconds after which a read is given up and the image counts as bad; 0: never.
  public var readTimeout = Loader.defaultReadTimeout

  /// Where several processes train together: how many neighbouring ones share batch-norm statistics; 0: all, 1: each has its own.
  public var normRanks = 0
  /// In which order sums over processes are made.
  public var rankSums = SumOrder.ordered
  /// Parts of a batch, a multiple of the number of processes, whose sums are added in order; 0: one a process.
  public var sumParts = 0

  // How the run is carried out: a run may go on with other values. All but `recalibrates` and the answers to a failure leave the
  // weights as they are.
  /// Threads that compute; 0: one for each core.
  public var threads = 0
  /// Threads that decode and crop; 0: one for each core.
  public var workers = 0
  /// Checkpoint every so many steps; 0: by time only.
  public var checkpointSteps = 0
  /// Checkpoint when so many minutes have passed; 0: never by time.
  public var checkpointMinutes = 5.0
  /// kNN accuracy every so many epochs where there is a validation set; 0: at the end only.
  public var knnEvery = 1
  /// Whether a linear layer learns the classes of the training images from the features of every step, cut from the gradient; its
  /// accuracy is told after each epoch.
  public var probes = false
  /// Whether weights are written, and their kNN accuracy is measured, with batch-norm buffers re-estimated on centre crops of the
  /// training images. The checkpoint keeps those of training.
  public var recalibrates = true
  /// Keep the weights of every so many epochs in a file of their own; 0: of none.
  public var keepEvery = 0
  /// What a diagnosis leads to.
  public var onCollapse = OnCollapse.warn
  /// What a step that is not finite leads to.
  public var onNotFinite = OnNotFinite.stop

  public init() {}
}

/// In which order processes that train together add up.
public enum SumOrder: String, Codable, Sendable, CaseIterable {
  /// Rank by rank: the same bits over every transport.
  case ordered
  /// As the transport does it: other roundings on other hosts.
  case fast
}

extension PretrainConfiguration {
  /// Sets the number of channels, and where that changes it the published statistics for so many.
  mutating func setChannels(_ count: Int) {
    channels = count
    guard mean.count != count || std.count != count else { return }
    let published = Recipe.publishedStatistics(channels: count)
    (mean, std) = (published.mean.map(shortest), published.std.map(shortest))
  }
}

/// A float that stands for a decimal fraction, as the double that prints alike: 0.1 and not 0.10000000149011612.
private func shortest(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }

extension PretrainConfiguration {
  /// V, views of an image.
  public var cropCount: Int { crops.reduce(0) { $0 + $1.count } }

  /// Pixels a side.
  public var largestCrop: Int { crops.map(\.size).max() ?? 224 }

  public var network: NetworkConfiguration {
    NetworkConfiguration(
      architecture: arch, stem: stem, baseWidth: baseWidth, channels: channels, hidden: hidden, dim: dim,
      prototypes: prototypes, plainHead: plainHead)
  }

  public var recipe: Recipe {
    var recipe = Recipe(groups: crops)
    recipe.flipProbability = Float(flip)
    recipe.jitterProbability = Float(jitter)
    recipe.grayscaleProbability = Float(grayscale)
    recipe.blurProbability = Float(blur)
    recipe.brightness = Float(jitterStrength)
    recipe.contrast = Float(jitterStrength)
    recipe.saturation = Float(jitterStrength)
    recipe.hue = Float(jitterStrength / 4)
    recipe.channels = channels
    recipe.precision = augmentationPrecision
    recipe.decoding = decoding
    recipe.mean = mean.map(Float.init)
    recipe.std = std.map(Float.init)
    return recipe
  }

  /// What evaluation inputs look like; stored with the weights.
  public var input: InputDescription {
    InputDescription(size: inputSize ?? largestCrop, mean: mean.map(Float.init), std: std.map(Float.init))
  }

  public var trainer: TrainerConfiguration {
    var trainer = TrainerConfiguration.published
    trainer.crops = crops
    trainer.batch = batch
    trainer.codes.epsilon = epsilon
    trainer.codes.iterations = sinkhornIterations
    trainer.loss = SwappedLoss(temperature: temperature, assignmentCrops: assign)
    trainer.queueLength = queue
    trainer.optimizer = optimizer
    trainer.trust = trust
    trainer.momentum = momentum
    trainer.weightDecay = weightDecay
    trainer.usesWinograd = usesWinograd
    trainer.microBatch = microBatch
    trainer.precision = precision
    return trainer
  }

  /// The three settings of several processes, as the trainer takes them.
  public var sums: RankSums { RankSums(isFast: rankSums == .fast, normRanks: normRanks, parts: sumParts) }

  /// Parts that the batch is cut into on so many processes.
  func parts(of ranks: Int) -> Int { sumParts == 0 ? ranks : sumParts }

  /// Passes over the images, where the length is said so; to set them is to say it so.
  public var epochs: Int? {
    get { if case .epochs(let epochs) = length { epochs } else { nil } }
    set { if let newValue { length = .epochs(newValue) } }
  }

  /// The steps, where the length is said so, and those that are expected of a run by the clock.
  var plannedSteps: StepPlan? {
    switch length {
    case .epochs: nil
    case .steps(let steps): steps
    case .budget(_, let steps): steps
    }
  }

  /// Seconds from the start of the command to the weights, where the length is said so.
  public var budget: Double? { if case .budget(let seconds, _) = length { seconds } else { nil } }

  /// The steps, as far as they are known.
  public func steps(stepsPerEpoch: Int) -> StepPlan {
    switch length {
    case .epochs(let epochs): StepPlan(total: epochs * stepsPerEpoch)
    case .steps(let steps), .budget(_, .some(let steps)): steps
    case .budget(_, nil): StepPlan(total: stepsPerEpoch)
    }
  }

  /// The rates of a run of so many steps.
  public func schedule(stepsPerEpoch: Int) -> LearningRateSchedule {
    let steps = steps(stepsPerEpoch: stepsPerEpoch).scheduled
    return LearningRateSchedule(
      baseRate: baseLR, finalRate: finalLR, startRate: startWarmup, steps: steps,
      warmupSteps: min(steps, Int((warmupEpochs * Double(stepsPerEpoch)).rounded())))
  }

  /// Steps at the start in which the prototypes do not learn.
  public func frozenSteps(stepsPerEpoch: Int) -> Int {
    freezeSteps ?? Int((freezeEpochs * Double(stepsPerEpoch)).rounded())
  }

  /// The loss of predictions that say nothing: ln K, the mean over the sets of prototypes, as the loss is.
  public var lnK: Double {
    prototypes.isEmpty ? 0 : prototypes.reduce(0) { $0 + log(Double(max(1, $1))) } / Double(prototypes.count)
  }
}
