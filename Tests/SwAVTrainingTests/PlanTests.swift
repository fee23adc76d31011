import SwAVAugmentation
import SwAVData
import SwAVInspection
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct PlanTests {
  private let data = DataFacts(images: 4000, shortSide: 224)

  private func plan(_ values: [(String, String)] = [], _ data: DataFacts? = nil) throws -> PretrainPlan {
    var given = PretrainSettings()
    for (name, value) in values { try given.set(name, to: value) }
    return try PretrainConfiguration.planned(for: data ?? self.data, given: given)
  }

  /// Two cores that make 500 images a second of the network of base width 32 on 2x48+4x24, others in proportion.
  private func speed(_ factor: Double = 1) -> (PretrainConfiguration) throws(PretrainingError) -> SpeedEstimate? {
    { configuration throws(PretrainingError) in
      let rate = factor * 500 * 0.49e9 / configuration.operationsPerImage
      return SpeedEstimate(loadingImagesPerSecond: 2 * rate, trainingImagesPerSecond: 2 * rate, epochSeconds: 1)
    }
  }

  private func plan(
    budget: String, factor: Double = 1, _ values: [(String, String)] = [], _ data: DataFacts? = nil
  ) throws -> PretrainPlan {
    var given = PretrainSettings()
    for (name, value) in [("budget", budget)] + values { try given.set(name, to: value) }
    return try PretrainConfiguration.planned(for: data ?? self.data, given: given, measuring: speed(factor))
  }

  @Test func halfAnHourOfTwoCoresIsManyStepsOfANarrowNetwork() throws {
    let plan = try plan(budget: "30m")
    let configuration = plan.configuration
    #expect(configuration.arch == .resnet18 && configuration.stem == .imagenet && configuration.baseWidth == 32)
    #expect(CropGroup.describe(configuration.crops) == "2x48+4x24")
    #expect(configuration.crops.map(\.minScale) == [0.4, 0.15] && configuration.crops.map(\.maxScale) == [1, 0.4])
    #expect(configuration.jitterStrength == 0.4 && configuration.grayscale == 0.1 && configuration.blur == 0)
    #expect(configuration.batch == 64 && configuration.prototypes == [64] && configuration.hidden == 512)
    #expect(configuration.epsilon == .relative(0.25) && configuration.queue == 0)
    #expect(configuration.optimizer == .adamw && configuration.baseLR == 0.001 && configuration.budget == 1800)
    #expect(configuration.recalibrates && configuration.input.size == 48)
    // 93 % of the time at the rate that was measured.
    let steps = configuration.steps(stepsPerEpoch: 62).total
    #expect(abs(Double(steps) - 0.93 * 1800 * plan.speed.imagesPerSecond / 64) <= 1)
    #expect(plan.decisions.first { $0.name == "base-width" }?.evidence.contains("measured ") == true)
  }

  @Test func moreTimeOrMoreCoresTakeALargerNetworkAndHarderViews() throws {
    let hours = try ["2m", "30m", "2h", "8h", "72h"].map { try plan(budget: $0).configuration }
    let faster = try [0.1, 1, 4, 16, 144].map { try plan(budget: "30m", factor: $0).configuration }
    for list in [hours, faster] {
      for (less, more) in zip(list, list.dropFirst()) {
        #expect(
          less.operationsPerImage <= more.operationsPerImage && less.jitterStrength <= more.jitterStrength
            && less.grayscale <= more.grayscale)
      }
      #expect(list[0].operationsPerImage < list[4].operationsPerImage && list[4].largestCrop > list[1].largestCrop)
      #expect(list[4].jitterStrength > list[0].jitterStrength && list[4].baseWidth > list[1].baseWidth)
    }
    // Time and speed are one thing.
    #expect(hours[2].arch == faster[2].arch && hours[2].baseWidth == faster[2].baseWidth && hours[2].crops == faster[2].crops)
  }

  @Test func viewsAreNotLargerThanTheImages() throws {
    let small = try plan(budget: "8h", [], DataFacts(images: 50_000, shortSide: 32)).configuration
    #expect(CropGroup.describe(small.crops) == "2x48+4x24" && small.stem == .imagenet)
    #expect(try plan(budget: "48h", [], DataFacts(images: 50_000, shortSide: 70)).configuration.largestCrop == 64)
  }

  @Test func smallSetsGetSmallBatchesAndShortFreezing() throws {
    let tiny = try plan(budget: "30m", [], DataFacts(images: 40, shortSide: 100)).configuration
    #expect(tiny.batch == 16 && tiny.prototypes == [10] && tiny.freezeEpochs == 1 && tiny.warmupEpochs == 250)
    let handful = try plan(budget: "30m", [], DataFacts(images: 9, shortSide: 100)).configuration
    #expect(handful.batch == 8 && handful.prototypes == [8] && handful.valuesWithoutEffect(images: 9).isEmpty)
    // Less than one pass: what is counted in epochs is a part of one.
    let huge = try plan(budget: "30m", [], DataFacts(images: 10_000_000, shortSide: 400)).configuration
    #expect(huge.freezeEpochs > 0 && huge.freezeEpochs <= 0.01 && huge.warmupEpochs <= 0.02)
    #expect(huge.valuesWithoutEffect(images: 10_000_000).isEmpty)
  }

  @Test func whatIsGivenStaysAndTheRestIsPlannedAroundIt() throws {
    let wide = try plan(budget: "30m", [("base-width", "64"), ("crops", "2x96+4x48")])
    #expect(wide.configuration.baseWidth == 64 && wide.configuration.largestCrop == 96 && wide.configuration.input.size == 96)
    let narrow = try plan(budget: "30m")
    func steps(_ plan: PretrainPlan) -> Int { plan.configuration.steps(stepsPerEpoch: 62).total }
    #expect(steps(wide) < steps(narrow) / 8)
    // Epochs that are given are made, with the largest network that does so in the time.
    let few = try plan(budget: "2h", [("epochs", "500")]).configuration
    let many = try plan(budget: "2h", [("epochs", "5000")]).configuration
    #expect(few.epochs == 500 && few.budget == nil && many.epochs == 5000)
    #expect(few.operationsPerImage > many.operationsPerImage)
    // Without a time nothing is measured.
    var given = PretrainSettings()
    try given.set("epochs", to: "20")
    let untimed = try PretrainConfiguration.planned(for: data, given: given) { _ throws(PretrainingError) in
      throw .cancelled
    }
    #expect(untimed.configuration.epochs == 20 && untimed.speed.measured == nil)
  }

  @Test func epochsThatTakeLongerThanTheTimeAreMadeAndSaidToBe() throws {
    let plan = try plan(budget: "1m", [("epochs", "1000")])
    #expect(plan.configuration.epochs == 1000)
    // Planned for the images that they show, not for the minute: 1000 times 4000.
    #expect(plan.reasons.contains { $0.contains("4,000,000 images in all") && $0.contains("longer than the time") })
    let notes = plan.notes.filter {
      $0.hasPrefix("epochs 1000 takes about ") && $0.hasSuffix(", more than budget 1m; the epochs count")
    }
    #expect(notes.count == 1, "\(plan.notes)")
    #expect(try self.plan(budget: "48h", [("epochs", "10")]).notes.isEmpty)
  }

  @Test func whatNobodyPublishedIsNotCalledPublished() throws {
    let decisions = try plan(budget: "30m").decisions
    func reason(_ name: String) -> String? { decisions.first { $0.name == name }?.reason }
    #expect(reason("temperature") == "as published" && reason("sinkhorn-iterations") == "as published")
    for name in ["augmentation-precision", "background", "max-pixels", "winograd", "threads"] {
      #expect(reason(name) == "default", "\(name)")
    }
  }

  @Test func aNetworkThatDoesNotFitIsNotTaken() throws {
    var given = PretrainSettings()
    try given.set("budget", to: "48h")
    let roomy = try plan(budget: "48h").configuration
    let speed = speed()
    let cramped = try PretrainConfiguration.planned(for: data, given: given) { configuration throws(PretrainingError) in
      configuration.operationsPerImage >= roomy.operationsPerImage ? nil : try speed(configuration)
    }
    #expect(cramped.configuration.operationsPerImage < roomy.operationsPerImage)
    #expect(cramped.reasons.contains { $0.contains("the next larger does not fit into the memory") })
  }

  @Test func aPresetWithABudgetRunsByTheClock() throws {
    let plan = try plan(budget: "1h", [("preset", "imagenette")])
    #expect(plan.configuration.budget == 3600 && plan.configuration.epochs == nil && plan.speed.measured != nil)
    #expect(plan.configuration.steps(stepsPerEpoch: 62).total > 1000 && plan.configuration.prototypes == [100])
  }

  @Test func theForecastSaysWhatOtherChoicesCost() throws {
    let plan = try plan(budget: "30m", [], DataFacts(images: 4000, shortSide: 50))
    let forecast = Forecast(plan, facts: DataFacts(images: 4000, shortSide: 50))
    #expect(forecast.steps == plan.configuration.steps(stepsPerEpoch: 62).total && forecast.stepsPerEpoch == 62)
    #expect(forecast.planned.isMeasured && forecast.others.allSatisfy { !$0.isMeasured } && forecast.others.count >= 4)
    #expect(abs(forecast.planned.seconds - 0.93 * 1800) < 1 && forecast.planned.memory ?? 0 > 1 << 20)
    // A choice takes time in proportion to its operations.
    for other in forecast.others.dropLast() {
      let ratio = other.operationsPerImage / forecast.planned.operationsPerImage
      #expect(abs(other.seconds / forecast.planned.seconds / ratio - 1) < 1e-9, "\(other.name)")
    }
    #expect(forecast.others[0].name == "two views alone, 2x48")
  }

  @Test func theForecastCountsThreads() throws {
    let facts = DataFacts(images: 4000, shortSide: 50)
    for threads in [1, 3] {
      var given = PretrainSettings()
      for (name, value) in [("threads", "\(threads)"), ("epochs", "2")] { try given.set(name, to: value) }
      let plan = try PretrainConfiguration.planned(for: facts, given: given, on: .here(threads: threads))
      let forecast = Forecast(plan, facts: facts)
      for other in forecast.others.dropLast() {
        let ratio = other.operationsPerImage / forecast.planned.operationsPerImage
        #expect(abs(other.seconds / forecast.planned.seconds / ratio - 1) < 1e-9, "\(other.name)")
      }
    }
  }

  @Test func theForecastCountsThePrecision() throws {
    let facts = DataFacts(images: 4000, shortSide: 50)
    let machine = machine("widened", isFast: false)
    func forecast(_ precision: String) throws -> Forecast {
      var given = PretrainSettings()
      for (name, value) in [("precision", precision), ("epochs", "2")] { try given.set(name, to: value) }
      return try Forecast(
        PretrainConfiguration.planned(for: facts, given: given, on: machine), facts: facts, machine: machine)
    }
    let (floats, halves) = (try forecast("float32"), try forecast("bfloat16"))
    #expect(floats.planned.precision == .float32 && halves.planned.precision == .bfloat16)
    let (whole, less) = (try #require(floats.planned.memory), try #require(halves.planned.memory))
    #expect(less < whole)
    // Each is the last of the other's choices, with the same memory to the byte.
    let (other, back) = (try #require(floats.others.last), try #require(halves.others.last))
    #expect(other.name == "as planned, in bfloat16" && other.memory == less)
    #expect(back.name == "as planned, in float32" && back.memory == whole)
    // Widened: slower than float32, as was measured.
    #expect(abs(other.imagesPerSecond / floats.planned.imagesPerSecond - 0.93) < 1e-9)
    #expect(halves.others.dropLast().allSatisfy { $0.precision == .bfloat16 })
  }

  @Test func automaticPrecisionFollowsTheInstructionSetAndSaysWhy() throws {
    for (body, isFast, chosen, why) in [
      ("amx", true, TrainingPrecision.bfloat16, "products of bfloat16 are faster than float32 here, in tiles (AMX)"),
      ("avx512_bf16", true, .bfloat16, "products of bfloat16 are faster than float32 here, in vectors (AVX512-BF16)"),
      ("widened", false, .float32, "products of bfloat16 are no faster than float32 here, as products of float32"),
    ] {
      for preset in ["auto", "imagenette"] {
        var given = PretrainSettings()
        for (name, value) in [("precision", "auto"), ("preset", preset)] { try given.set(name, to: value) }
        let plan = try PretrainConfiguration.planned(for: data, given: given, on: machine(body, isFast: isFast))
        #expect(plan.configuration.precision == chosen && plan.configuration.trainer.precision == chosen)
        #expect(plan.reasons.contains("precision \(chosen.rawValue): auto: \(why)"), "\(plan.reasons)")
        // What a run is recorded with is what was chosen.
        #expect(plan.configuration.yaml.contains("precision: \(chosen.rawValue)\n"))
      }
    }
  }

  @Test func automaticPrecisionOfARunThatGoesOnIsThatItBeganIn() throws {
    var given = PretrainSettings()
    try given.set("precision", to: "auto")
    func resumed(_ yaml: String, isFast: Bool) throws -> PretrainPlan {
      try PretrainConfiguration.planned(
        for: data, given: given, goingOnWith: PretrainSettings(yaml: yaml, path: "config.yaml"),
        on: machine(isFast ? "avx512_bf16" : "widened", isFast: isFast))
    }
    let half = try resumed("precision: bfloat16", isFast: false)
    #expect(half.configuration.precision == .bfloat16)
    #expect(half.reasons.contains("precision bfloat16: the run began in bfloat16"))
    #expect(try resumed("precision: float32", isFast: true).configuration.precision == .float32)
    // From before there was a choice.
    #expect(try resumed("batch: 64", isFast: true).configuration.precision == .float32)
  }

  private func machine(_ bfloat16: String, isFast: Bool) -> MachineFacts {
    MachineFacts(cores: 2, isa: "avx512", bfloat16: bfloat16, fastBFloat16: isFast)
  }

  @Test func everySettingHasADecisionWithItsReason() throws {
    let plan = try plan()
    let set = Setting.configurationSettings.filter { $0.show(plan.configuration) != nil }
    #expect(plan.decisions.map(\.name) == set.map(\.name))
    #expect(plan.decisions.map(\.value) == set.map { $0.show(plan.configuration) })
    #expect(plan.decisions.allSatisfy { !$0.reason.isEmpty })
    for name in ["arch", "base-width", "crops", "stem", "batch", "prototypes", "queue", "steps", "epsilon", "base-lr"] {
      #expect(plan.decisions.first { $0.name == name }?.source == .planned, "\(name)")
    }
    #expect(
      plan.decisions.first { $0.name == "temperature" }
        == Decision("temperature", value: "0.1", source: .kept, reason: "as published"))
    #expect(plan.reasons.contains { $0.hasPrefix("batch 64: ") } && plan.kept.contains { $0.contains("temperature 0.1") })
  }

  @Test func whatWasGivenIsNotExplained() throws {
    let plan = try plan([("batch_size", "32")])
    let batch = try #require(plan.decisions.first { $0.name == "batch" })
    #expect(batch.source == .given && batch.reason == "given as batch_size" && batch.value == "32")
    #expect(!(plan.reasons + plan.kept).contains { $0.contains("batch 32") })
    #expect(plan.reasons.contains { $0.hasPrefix("crops ") })
  }

  @Test func whatDependsOnAGivenValueFollowsIt() throws {
    let configuration = try plan([("batch", "16"), ("arch", "resnet50"), ("optimizer", "larc")]).configuration
    #expect(configuration.prototypes == [16] && configuration.hidden == 2048)
    #expect(configuration.baseLR == 0.6 * 16 / 256 && configuration.finalLR == configuration.baseLR / 1000)
    #expect(try plan([("base-lr", "0.5")]).configuration.finalLR == 0.0005)
    #expect(try plan([("crops", "2x32")]).configuration.stem == .imagenet)
    #expect(try plan([("crops", "2x32")]).configuration.crops[0].minScale == 0.25)
    #expect(try plan([("epochs", "1")]).configuration.warmupEpochs == 0.15)
  }

  @Test func grayImagesAreToldOfOneChannel() throws {
    let folder = try TemporaryFolder()
    for number in 0..<3 {
      let gray = try Image.encodePNG(Array(repeating: 9, count: 64), width: 8, height: 8, channels: 1)
      try folder.write("gray/\(number).png", gray)
      try folder.write("mixed/\(number).png", gray)
      try folder.write("deep/\(number).pgm", Array("P5 1 1 65535\n".utf8) + [0, 1])
    }
    try folder.write("mixed/color.jpg", try picture(kind: 0, number: 0))
    func advice(_ name: String, _ values: [(String, String)] = []) throws -> [String] {
      try plan(values, DataFacts.look(at: ImageFolder(folder.path + "/" + name), workers: 1)).notes.filter {
        $0.contains("channels 1")
      }
    }
    #expect(try advice("gray").count == 1)
    #expect(try advice("mixed").isEmpty && advice("deep").isEmpty && advice("deep", [("channels", "3")]).isEmpty)
    // Counts of 16 bits are kept, with the statistics of the images: of 8 bits they would be nearly black.
    func deep(_ values: [(String, String)]) throws -> PretrainPlan {
      try plan(values, DataFacts.look(at: ImageFolder(folder.path + "/deep"), workers: 1))
    }
    let planned = try deep([])
    #expect(planned.configuration.channels == 1 && planned.configuration.std.count == 1)
    #expect(abs((planned.configuration.mean.first ?? 0) * 65535 - 1) < 0.01)
    #expect(planned.decisions.first { $0.name == "mean" }?.reason == "of the images looked at")
    // Weights of others have three, and what is given stays.
    let file = ("init-from", folder.path)
    for values in [[file], [("channels", "3")]] {
      let kept = try deep(values).configuration
      #expect(kept.channels == 3 && kept.mean.count == 3, "\(values)")
    }
    #expect(try deep([file]).notes.contains { $0.contains("16 bits, which are reduced") })
  }

  @Test func whatStandsInTheWayIsSaid() throws {
    var facts = DataFacts(images: 4000, shortSide: 100)
    (facts.headers, facts.duplicates) = (4000, 2500)
    #expect(try plan([], facts).notes.filter { $0.contains("2500 are copies of another") }.count == 1)
    facts.duplicates = 100
    #expect(try plan([], facts).notes.isEmpty)
    facts.elongation.median = 4
    #expect(try plan([], facts).notes.filter { $0.contains("4 times as long as wide") }.count == 1)
    #expect(try plan([("min-scale", "0.1,0.05")], facts).notes.isEmpty)
  }
}
