import SwAVAugmentation
import SwAVData
import SwAVModel

extension Setting {
  static let commandSettings: [Setting] = [
    text("images", "images", allowed: "a folder, list, table, archive or batch")
      .says("The images, in place of the argument.").published("data_path").with { $0.isPath = true },
    text("output", "run", allowed: "a folder").says("The run's folder.")
      .published("dump_path").common().with { $0.isPath = true },
    text("val", "images", allowed: "a folder, list, table, archive or batch")
      .says("Labelled images for the kNN accuracy during training.").common().with { $0.isPath = true },
    text("knn-train", "images", allowed: "a folder, list, table, archive or batch")
      .says("Labelled images that this kNN learns from; the images unless given.").with { $0.isPath = true },
    text("resume", "how", allowed: "auto or never")
      .says("auto (default): go on with the run in the folder; never: refuse a used one."),
    text("preset", "name", allowed: "one of \(Preset.all.map(\.name).joined(separator: ", "))")
      .says("Where unset values come from; auto fits the images.").common()
      .with { ($0.spellings, $0.mistaken) = (["recipe"], ["dataset"]) },
    text("nmb-crops", "n", allowed: "a whole number for each group of crops")
      .says("Counts of crops; with size_crops the same as crops.").published("nmb_crops")
      .with { ($0.isList, $0.displaces) = (true, ["crops"]) },
    text("size-crops", "pixels", allowed: "a whole number for each group of crops")
      .says("Sizes of crops; with nmb_crops the same as crops.").published("size_crops")
      .with { ($0.isList, $0.displaces) = (true, ["crops"]) },
  ]

  /// What a new run begins with; unset, and not shown, in one that begins with random weights.
  static let initialSettings: [Setting] = [
    Setting("init-from", allowed: "a file of weights or a run's folder", show: { $0.initFrom }) { configuration, text in
      configuration.initFrom = text
      return true
    }.says("Weights that a new run begins with: a file, or a run.", value: "file").common()
      .mistaken(for: "init", "pretrained", "weights").with { $0.isPath = true },
    Setting("init-prefix", allowed: "the beginning of keys", show: { $0.initPrefix }) { configuration, text in
      configuration.initPrefix = text
      return true
    }.says("Its encoder, where the file holds two.", value: "keys"),
    initial("init-head", \.initHead).says("Its projection head: keep, or random."),
    initial("init-prototypes", \.initPrototypes)
      .says("Its prototypes: keep, random, or kmeans over the images."),
  ].about(.network)

  /// A choice that is shown where there is something to choose.
  private static func initial<V: RawRepresentable & CaseIterable & Sendable>(_ name: String, _ path: Path<V>) -> Setting
  where V.RawValue == String {
    let choice = choice(name, path)
    return Setting(
      name, allowed: choice.allowed, show: { $0.initFrom == nil ? nil : choice.show($0) }, read: choice.read
    ).with { $0.valueName = "what" }
  }

  static let networkSettings: [Setting] = [
    choice("arch", \.arch).says("resnet18, resnet34, resnet50, resnet50w2, w4 or w5.").common()
      .mistaken(for: "architecture", "model", "backbone"),
    choice("stem", \.stem).says("imagenet (7x7, max-pool), or small (3x3) for 32 to 64 pixels."),
    integer("base-width", \.baseWidth, EngineLimits.baseWidth).says("Channels of the stem; 64 is published.").common()
      .mistaken(for: "width"),
    integer("hidden", \.hidden, EngineLimits.hidden).says("Width of the head's hidden layer; 0: one linear layer.")
      .published("hidden_mlp"),
    toggle("plain-head", \.plainHead).says("on: no batch-norm in the head, as the published w5.", value: "which"),
    integer("dim", \.dim, EngineLimits.dim).says("Length of an embedding.").published("feat_dim"),
    list(
      "prototypes", \.prototypes,
      "\(few(EngineLimits.heads)) whole numbers from 2 to \(EngineLimits.prototypes.upperBound), separated by commas"
    ) {
      EngineLimits.heads.contains($0.count) && $0.allSatisfy(EngineLimits.prototypes.contains)
    }.says("Prototypes, K; several sets separated by commas.").published("nmb_prototypes").common()
      .mistaken(for: "clusters", "k"),
  ].about(.network)

  static let viewSettings: [Setting] = [
    Setting("crops", allowed: "groups of COUNTxSIZE joined by +, such as 2x224+6x96", show: { CropGroup.describe($0.crops) }) {
      configuration, text in
      guard var groups = try? CropGroup.parse(text) else { return false }
      // As many groups as before keep their area fractions.
      if groups.count == configuration.crops.count {
        for (index, old) in configuration.crops.enumerated() {
          (groups[index].minScale, groups[index].maxScale) = (old.minScale, old.maxScale)
        }
      }
      configuration.crops = groups
      return true
    }.says("Views of an image, as 2x224+6x96.", value: "groups").common().mistaken(for: "views")
      .with { $0.displaces = ["nmb-crops", "size-crops"] },
    scale("min-scale", \.minScale).says("Smallest area of a view, a number a group.").published("min_scale_crops"),
    scale("max-scale", \.maxScale).says("Largest area of a view, a number a group.").published("max_scale_crops"),
    probability("flip", \.flip).says("Probability of a mirrored view."),
    probability("jitter", \.jitter).says("Probability of colour jitter."),
    number("jitter-strength", \.jitterStrength, .from(0).to(2)).says("Strength of colour jitter.", value: "s"),
    probability("grayscale", \.grayscale).says("Probability of a gray view.").mistaken(for: "gray", "greyscale"),
    probability("blur", \.blur).says("Probability of blur."),
    choice("augmentation-precision", \.augmentationPrecision).says("fast, or exact: Pillow's results to the bit.").ownDefault(),
    // Before mean and std, whose number depends on it.
    Setting("channels", allowed: "1 or 3", show: { "\($0.channels)" }) { configuration, text in
      guard let value = Int(text), value == 1 || value == 3 else { return false }
      configuration.setChannels(value)
      return true
    }.says("Channels of the images: 1, which keeps 16 bits, or 3."),
    list("mean", \.mean, "one number for each channel, separated by commas") { $0.allSatisfy(\.isFinite) }
      .says("Mean of the channels, of samples in 0...1.", value: "value"),
    list("std", \.std, "one number above 0 for each channel, separated by commas") {
      $0.allSatisfy { $0 > 0 && $0.isFinite }
    }.says("Standard deviation of the channels.", value: "value"),
    Setting("background", allowed: "none, \(Background.allowed)", show: { $0.decoding.background?.description ?? "none" }) {
      configuration, text in
      let color = Background(text)
      guard color != nil || text == "none" else { return false }
      configuration.decoding.background = color
      return true
    }.says("What transparent pictures lie on; none: the colours below.", value: "colour").common().ownDefault()
      .mistaken(for: "alpha", "transparent"),
    integer("max-pixels", \.decoding.maximumPixels, DecodingOptions.allowedPixels)
      .says("Pictures of more pixels are refused.").common().ownDefault().mistaken(for: "max-image-pixels"),
  ].about(.views)

  /// The precision that a plan chooses for the machine.
  static let automatic = "auto"

  static let objectiveSettings: [Setting] = [
    list("assign", \.assign, "\(few(EngineLimits.assignmentCrops)) different crop numbers, separated by commas") {
      EngineLimits.assignmentCrops.contains($0.count) && Set($0).count == $0.count && $0.allSatisfy { $0 >= 0 }
    }.says("Views whose codes the others predict.", value: "view").published("crops_for_assign"),
    Setting(
      "epsilon", allowed: "a number from 1e-06 to 1000000, or relative: and such a number", show: { $0.epsilon.description }
    ) {
      configuration, text in
      guard let epsilon = Epsilon(text) else { return false }
      switch epsilon {
      case .fixed(let value), .relative(let value): guard EngineLimits.temperature.contains(value) else { return false }
      }
      configuration.epsilon = epsilon
      return true
    }.says("A number, or relative:0.5: times the spread of the scores.", value: "e"),
    integer("sinkhorn-iterations", \.sinkhornIterations, EngineLimits.iterations).says("Iterations for the codes.")
      .published("sinkhorn_iterations"),
    number("temperature", \.temperature, Bounds(EngineLimits.temperature)).says("Temperature of the predictions.", value: "t"),
    integer("queue", \.queue, EngineLimits.queue).says("Embeddings kept for each assignment view; 0: none.")
      .published("queue_length"),
    integer("queue-start-epoch", \.queueStartEpoch, 0...1_000_000).says(
      "First epoch, from 0, that fills the queue; once full it is used.", value: "epoch"
    )
    .published("epoch_queue_starts"),
    number("freeze-epochs", \.freezeEpochs, .from(0).below(1e9)).says("Epochs before the prototypes learn.")
      .with { $0.displaces = ["freeze-steps"] },
    Setting("freeze-steps", allowed: "a whole number from 0 on", show: { $0.freezeSteps.map(String.init) }) {
      configuration, text in
      // DeepCluster-v2's default is 1e10.
      guard let value = Int(text) ?? Double(text).flatMap({ Int(exactly: $0) }), value >= 0 else { return false }
      configuration.freezeSteps = value
      return true
    }.says("Steps before the prototypes learn, in place of epochs.").published("freeze_prototypes_niters")
      .with { $0.displaces = ["freeze-epochs"] },
  ].about(.objective)

  static let optimizerSettings: [Setting] = batchSettings + lengthSettings + ruleSettings + rateSettings

  private static let batchSettings: [Setting] = [
    integer("batch", \.batch, EngineLimits.batch).says("Images a step.").common().mistaken(for: "batch-size", "bs")
      .published("batch_size", note: "is the whole batch of a step; the published program counts it for each process"),
    integer("micro-batch", \.microBatch, 0...EngineLimits.batch.upperBound)
      .says("Images at a time, for less memory; 0: the whole batch.").ownDefault()
      .mistaken(for: "accumulate", "accumulation-steps", "grad-accum", "micro-batch-size"),
  ].about(.optimizer)

  /// The engine's; beyond it a rate is infinite as a float.
  private static let mostLearningRate = 1e30

  private static let ruleSettings: [Setting] = [
    choice("optimizer", \.optimizer).says("larc, sgd or adamw.").common().mistaken(for: "optim", "optimiser"),
    number("trust", \.trust, .above(0)).says("Trust coefficient of larc.", value: "t"),
    number("momentum", \.momentum, .from(0).below(1)).says("Momentum of larc and sgd.", value: "m"),
    number("weight-decay", \.weightDecay, .from(0)).says("Weight decay.", value: "w").published("wd"),
    number("base-lr", \.baseLR, .above(0).to(mostLearningRate)).says("Learning rate after the warm-up.", value: "lr").published(
      "base_lr"
    ).common()
      .mistaken(for: "lr", "learning-rate"),
    number("final-lr", \.finalLR, .from(0).to(mostLearningRate)).says("Learning rate that the cosine ends at.", value: "lr")
      .published("final_lr")
      .mistaken(for: "min-lr"),
    number("start-warmup", \.startWarmup, .from(0).to(mostLearningRate)).says(
      "Learning rate that the warm-up begins at.", value: "lr"
    )
    .published("start_warmup"),
    number("warmup-epochs", \.warmupEpochs, .from(0).to(1e6)).says("Epochs of linear warm-up.").published("warmup_epochs")
      .mistaken(for: "warmup").with { $0.show = { plain($0.warmupEpochs) } },
    Setting("seed", allowed: "a whole number from 0 on", show: { "\($0.seed)" }) { configuration, text in
      guard let value = UInt64(text) else { return false }
      configuration.seed = value
      return true
    }.says("All random decisions follow from it.").common(),
    // These change how sums are rounded, and so the weights.
    Setting("precision", allowed: "float32, bfloat16 or \(automatic)", show: { $0.precision.rawValue }) { configuration, text in
      // Before this, decidePrecision has replaced `auto`.
      guard let precision = TrainingPrecision(rawValue: text) else { return false }
      configuration.precision = precision
      return true
    }.says("float32; bfloat16: half the memory; auto: that where it is faster.", value: "name").mistaken(for: "amp", "dtype"),
    toggle("winograd", \.usesWinograd).says("on, or off: plain sums, slower; rules its rounding out.", value: "which")
      .ownDefault(),
    Setting(
      "sync-batch-norm", allowed: "all, off, or how many neighbouring processes share statistics",
      show: { $0.normRanks == 0 ? "all" : $0.normRanks == 1 ? "off" : "\($0.normRanks)" }
    ) { configuration, text in
      guard let value = text == "all" ? 0 : text == "off" ? 1 : Int(text), value >= 0, value > 0 || text == "all" else {
        return false
      }
      configuration.normRanks = value
      return true
    }.says("With mpirun: all, off, or how many processes share statistics.", value: "n"),
    choice("rank-sums", \.rankSums).says("With mpirun: ordered, or fast: other last bits on other hosts.").ownDefault(),
    integer("sum-parts", \.sumParts, EngineLimits.parts)
      .says("Parts of a batch, added in order: the same bits on any number of processes that divides it.", value: "n")
      .ownDefault(),
  ].about(.optimizer)

  static let weightsSettings: [Setting] = [
    Setting("input-size", allowed: "a whole number from 16 to 4096", show: { "\($0.inputSize ?? $0.largestCrop)" }) {
      configuration, text in
      guard let size = Int(text), (16...4096).contains(size) else { return false }
      // The largest crop goes without saying, and stays it where the crops change.
      configuration.inputSize = size == configuration.largestCrop ? nil : size
      return true
    }.says("Pixels a side that the weights are used at.", value: "pixels").ownDefault().mistaken(for: "eval-size", "size")
  ].about(.weights)

  static let dataSettings: [Setting] =
    [
      list("source-weights", \.sourceWeights, "a number above 0 and at most 1000 for each source, separated by commas") {
        $0.allSatisfy { $0 > 0 && $0 <= ImageMixture.maximumWeight }
      }.says("How often images of each source come in an epoch.")
    ].about(.data)
    + [
      number("max-bad", \.maxBad, .from(0).to(1), "a share").says(
        "Share of bad images beyond which the run ends.", value: "share"),
      number("read-timeout", \.readTimeout, .from(0), "a number of seconds")
        .says("Seconds after which a read is given up; 0: never.", value: "s"),
    ].about(.data, scope: .running)

  static let executionSettings: [Setting] = [
    integer("threads", \.threads, 0...4096).says("Threads that compute; 0: one for each core."),
    integer("workers", \.workers, 0...1024).says("Threads that read and decode images; 0: one for each core."),
    integer("checkpoint-steps", \.checkpointSteps, 0...StepPlan.most).says("Checkpoint every so many steps; 0: by time only."),
    number("checkpoint-minutes", \.checkpointMinutes, .from(0))
      .says("Checkpoint every so many minutes; 0: never by time.", value: "m"),
    integer("knn-every", \.knnEvery, 0...1_000_000).says("kNN accuracy every so many epochs, if val is given; 0: at the end."),
    toggle("probe", \.probes)
      .says("on: a linear layer learns the folders' classes beside the training.", value: "which")
      .mistaken(for: "linear-probe", "online-probe"),
    toggle("recalibrate", \.recalibrates)
      .says("on, or off: batch-norm of centre crops in what is written and measured.", value: "which"),
    integer("keep-every", \.keepEvery, 0...1_000_000).says("Keep the weights of every so many epochs; 0: none.")
      .published("checkpoint_freq").mistaken(for: "save-every", "save-freq"),
    choice("on-collapse", \.onCollapse)
      .says("warn; stop; rollback: go back, with a third of the rate; remedy: that from here on."),
    choice("on-nonfinite", \.onNotFinite).says("stop, or rollback: to the last checkpoint, a third of the rate."),
  ].about(.execution, scope: .running)
}
