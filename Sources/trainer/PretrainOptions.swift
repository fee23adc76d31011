import ArgumentParser
import SwAV

/// Flags of `pretrain`, as text: the settings read and check them, so that a flag and a line of a file are treated alike.
struct PretrainOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Where unset values come from: small (fits the images) or published.", valueName: "name"))
  var recipe: String?
  @Option(help: ArgumentHelp("resnet18, resnet34, resnet50, resnet50w2, resnet50w4 or resnet50w5.", valueName: "name"))
  var arch: String?
  @Option(help: ArgumentHelp("imagenet (7x7, max-pool) or small (3x3, for images of 32 to 64 pixels).", valueName: "name"))
  var stem: String?
  @Option(help: ArgumentHelp("Channels of the stem; 64 is published.", valueName: "n"))
  var baseWidth: String?
  @Option(help: ArgumentHelp("Width of the head's hidden layer: 2048 from ResNet-50 on, 512 below.", valueName: "n"))
  var hidden: String?
  @Option(help: ArgumentHelp("Length of an embedding.", valueName: "n"))
  var dim: String?
  @Option(help: ArgumentHelp("Prototypes, K; several sets separated by commas.", valueName: "n"))
  var prototypes: String?

  @OptionGroup var views: ViewOptions
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Views whose codes the others predict.", valueName: "view"))
  var assign: [String] = []

  @Option(help: ArgumentHelp("A number, or relative:0.5: times the spread of the scores.", valueName: "e"))
  var epsilon: String?
  @Option(help: ArgumentHelp("Iterations for the codes.", valueName: "n"))
  var sinkhornIterations: String?
  @Option(help: ArgumentHelp("Temperature of the predictions.", valueName: "t"))
  var temperature: String?
  @Option(help: ArgumentHelp("Embeddings kept for each assignment view; 0: none.", valueName: "n"))
  var queue: String?
  @Option(help: ArgumentHelp("First epoch, from 0, that uses the queue.", valueName: "epoch"))
  var queueStartEpoch: String?

  @Option(help: ArgumentHelp("Images a step.", valueName: "n"))
  var batch: String?
  @Option(help: ArgumentHelp("Passes over the images.", valueName: "n"))
  var epochs: String?
  @Option(help: ArgumentHelp("larc, sgd or adamw.", valueName: "name"))
  var optimizer: String?
  @Option(help: ArgumentHelp("Trust coefficient of larc.", valueName: "t"))
  var trust: String?
  @Option(help: ArgumentHelp("Momentum of larc and sgd.", valueName: "m"))
  var momentum: String?
  @Option(help: ArgumentHelp("Weight decay.", valueName: "w"))
  var weightDecay: String?
  @Option(help: ArgumentHelp("Learning rate after the warm-up.", valueName: "lr"))
  var baseLr: String?
  @Option(help: ArgumentHelp("Learning rate that the cosine ends at.", valueName: "lr"))
  var finalLr: String?
  @Option(help: ArgumentHelp("Learning rate that the warm-up begins at.", valueName: "lr"))
  var startWarmup: String?
  @Option(help: ArgumentHelp("Epochs of linear warm-up.", valueName: "n"))
  var warmupEpochs: String?
  @Option(help: ArgumentHelp("Epochs before the prototypes learn.", valueName: "n"))
  var freezeEpochs: String?
  @Option(help: ArgumentHelp("Steps before the prototypes learn, in place of epochs.", valueName: "n"))
  var freezeSteps: String?
  @Option(help: ArgumentHelp("All random decisions follow from it.", valueName: "n"))
  var seed: String?
  @Option(help: ArgumentHelp("on (default), or off: plain sums, slower; rules its rounding out.", valueName: "which"))
  var winograd: String?

  @Option(parsing: .upToNextOption, help: ArgumentHelp("How often images of each source come in an epoch.", valueName: "n"))
  var sourceWeights: [String] = []
  @Option(help: ArgumentHelp("Share of bad images beyond which the run ends; 0.5 unless given.", valueName: "share"))
  var maxBad: String?
  @Option(help: ArgumentHelp("Seconds after which a read is given up; 0: never; 60 unless given.", valueName: "s"))
  var readTimeout: String?
  @Option(help: ArgumentHelp("Threads that compute; 0: one for each core.", valueName: "n"))
  var threads: String?
  @Option(help: ArgumentHelp("Threads that read and decode images; 0: one for each core.", valueName: "n"))
  var workers: String?
  @Option(help: ArgumentHelp("Checkpoint every so many steps; 0: by time only.", valueName: "n"))
  var checkpointSteps: String?
  @Option(help: ArgumentHelp("Checkpoint every so many minutes; 0: never by time.", valueName: "m"))
  var checkpointMinutes: String?
  @Option(help: ArgumentHelp("kNN accuracy every so many epochs, with --val.", valueName: "n"))
  var knnEvery: String?
}

extension PretrainOptions {
  /// The flags that were given.
  func settings() throws -> PretrainSettings {
    let single: [(String, String?)] = [
      ("recipe", recipe), ("arch", arch), ("stem", stem), ("base-width", baseWidth), ("hidden", hidden), ("dim", dim),
      ("prototypes", prototypes), ("epsilon", epsilon),
      ("sinkhorn-iterations", sinkhornIterations), ("temperature", temperature), ("queue", queue),
      ("queue-start-epoch", queueStartEpoch), ("batch", batch), ("epochs", epochs), ("optimizer", optimizer),
      ("trust", trust), ("momentum", momentum), ("weight-decay", weightDecay), ("base-lr", baseLr),
      ("final-lr", finalLr), ("start-warmup", startWarmup), ("warmup-epochs", warmupEpochs),
      ("freeze-epochs", freezeEpochs), ("freeze-steps", freezeSteps), ("seed", seed), ("winograd", winograd),
      ("max-bad", maxBad), ("read-timeout", readTimeout), ("threads", threads), ("workers", workers),
      ("checkpoint-steps", checkpointSteps), ("checkpoint-minutes", checkpointMinutes), ("knn-every", knnEvery),
    ]
    let lists = [("assign", assign), ("source-weights", sourceWeights)]
    var settings = try views.settings()
    for (name, value) in single { if let value { try settings.set(name, to: value, origin: "--\(name)") } }
    for (name, values) in lists where !values.isEmpty {
      try settings.set(name, to: values.joined(separator: ","), origin: "--\(name)")
    }
    return settings
  }
}

/// Spellings of the published program for flags above.
struct PublishedOptions: ParsableArguments {
  @Option(name: .customLong("nmb_prototypes"), help: .hidden) var prototypes: String?
  @Option(name: .customLong("nmb_crops"), parsing: .upToNextOption, help: .hidden) var cropCounts: [String] = []
  @Option(name: .customLong("size_crops"), parsing: .upToNextOption, help: .hidden) var cropSizes: [String] = []
  @Option(name: .customLong("min_scale_crops"), parsing: .upToNextOption, help: .hidden) var minScale: [String] = []
  @Option(name: .customLong("max_scale_crops"), parsing: .upToNextOption, help: .hidden) var maxScale: [String] = []
  @Option(name: .customLong("crops_for_assign"), parsing: .upToNextOption, help: .hidden) var assign: [String] = []
  @Option(name: .customLong("queue_length"), help: .hidden) var queue: String?
  @Option(name: .customLong("epoch_queue_starts"), help: .hidden) var queueStart: String?
  @Option(name: .customLong("base_lr"), help: .hidden) var baseLR: String?
  @Option(name: .customLong("final_lr"), help: .hidden) var finalLR: String?
  @Option(name: .customLong("start_warmup"), help: .hidden) var startWarmup: String?
  @Option(name: .customLong("warmup_epochs"), help: .hidden) var warmupEpochs: String?
  @Option(name: .customLong("freeze_prototypes_niters"), help: .hidden) var freezeSteps: String?
  @Option(name: .customLong("sinkhorn_iterations"), help: .hidden) var iterations: String?
  @Option(name: .customLong("hidden_mlp"), help: .hidden) var hidden: String?
  @Option(name: .customLong("feat_dim"), help: .hidden) var dim: String?
  @Option(name: .customLong("wd"), help: .hidden) var weightDecay: String?
  @Option(name: .customLong("batch_size"), help: .hidden) var batch: String?
  @Option(name: .customLong("dump_path"), help: .hidden) var output: String?

  func settings() throws -> PretrainSettings {
    let single: [(String, String?)] = [
      ("nmb_prototypes", prototypes), ("queue_length", queue), ("epoch_queue_starts", queueStart), ("base_lr", baseLR),
      ("final_lr", finalLR), ("start_warmup", startWarmup), ("warmup_epochs", warmupEpochs),
      ("freeze_prototypes_niters", freezeSteps), ("sinkhorn_iterations", iterations), ("hidden_mlp", hidden),
      ("feat_dim", dim), ("wd", weightDecay), ("batch_size", batch),
    ]
    let lists = [
      ("nmb_crops", cropCounts), ("size_crops", cropSizes), ("min_scale_crops", minScale),
      ("max_scale_crops", maxScale), ("crops_for_assign", assign),
    ]
    var settings = PretrainSettings()
    for (name, value) in single { if let value { try settings.set(name, to: value, origin: "--\(name)") } }
    for (name, values) in lists where !values.isEmpty {
      try settings.set(name, to: values.joined(separator: ","), origin: "--\(name)")
    }
    return settings
  }
}
