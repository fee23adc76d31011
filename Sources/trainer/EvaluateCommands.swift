import ArgumentParser
import Foundation
import SwAV

/// Which network an evaluation is of.
struct WeightsOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A safetensors file, a run's folder, or untrained.", valueName: "file|run|untrained"))
  var weights: String
  @Option(help: ArgumentHelp("Network of untrained weights.", valueName: "name"))
  var arch = "resnet18"
  @Option(help: ArgumentHelp("Stem of untrained weights: imagenet or small.", valueName: "name"))
  var stem = "imagenet"
  @Option(help: ArgumentHelp("Channels of untrained weights: 1 or 3.", valueName: "n"))
  var channels = 3
  @Option(help: ArgumentHelp("Seed of untrained weights.", valueName: "n"))
  var seed: UInt64 = 0
  @Option(help: ArgumentHelp("Pixels a side of the centre crop; as the weights say unless given.", valueName: "n"))
  var size: Int?

  func validate() throws {
    if let size, !(8...1024).contains(size) { throw ValidationError("--size is \(size); 8 to 1024 are allowed") }
  }

  func open() throws -> Network {
    guard weights == "untrained" else { return try Network.open(weightsAt: weights) }
    guard let architecture = Architecture(rawValue: arch) else {
      throw ValidationError(
        "--arch is '\(arch)'; one of \(Architecture.allCases.map(\.rawValue).joined(separator: ", ")) is needed")
    }
    guard let stem = Stem(rawValue: stem) else {
      throw ValidationError("--stem is '\(stem)'; imagenet or small is needed")
    }
    guard channels == 1 || channels == 3 else { throw ValidationError("--channels is \(channels); 1 or 3 is needed") }
    let network = try Network(
      NetworkConfiguration(architecture: architecture, stem: stem, channels: channels, prototypes: [100]), seed: seed)
    let statistics = Recipe.publishedStatistics(channels: channels)
    try network.describeInput(
      InputDescription(size: try network.input().size, mean: statistics.mean, std: statistics.std))
    return network
  }
}

/// How features are computed.
struct InferenceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("float32, or int8: several times faster, nearly the same.", valueName: "name"))
  var precision = "float32"
  @Option(
    help: ArgumentHelp(
      "Images that int8 is calibrated on, 64 evenly spaced; the (training) images unless given.", valueName: "images"))
  var calibrate: String?

  func inference() throws -> Inference {
    guard let inference = Inference(rawValue: precision) else {
      throw ValidationError("--precision is '\(precision)'; float32 or int8 is needed")
    }
    guard calibrate == nil || inference == .int8 else {
      throw ValidationError("--calibrate is given; it needs --precision int8")
    }
    return inference
  }

  func calibration() throws -> (any ImageSource)? { try calibrate.map { try openImages($0) } }
}

/// Flags that `knn` and `linear` share.
struct EvaluationOptions: ParsableArguments {
  @OptionGroup var network: WeightsOptions
  @Option(
    help: ArgumentHelp("Labelled images that are learned from: DIR/CLASS/FILE, or as pretrain takes.", valueName: "images"))
  var train: String
  @Option(help: ArgumentHelp("Labelled images that are asked about.", valueName: "images"))
  var val: String
  @Flag(help: "Re-estimate batch-norm buffers on centre crops of the training images first.")
  var recalibrate = false
  @OptionGroup var inference: InferenceOptions
  @Flag(inversion: .prefixedNo, help: "Measure 16x16 thumbnails as well.")
  var rawPixels = true
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run(_ evaluation: FrozenEvaluation, command: String) throws {
    try Failure.reporting(json: out.json) {
      try Runtime.setThreads(threads.threads)
      var evaluation = evaluation
      evaluation.size = network.size
      evaluation.recalibrates = recalibrate
      evaluation.inference = try inference.inference()
      evaluation.calibration = try inference.calibration()
      evaluation.includesRawPixels = rawPixels
      evaluation.reading = threads.reading
      let pair = try LabelledPair(train: out.open([train], labelled: true), val: out.open([val], labelled: true))
      let report = try evaluation.run(pair, network: try network.open())
      try show(report, command: command, neighbours: evaluation.nearest.neighbours)
    }
  }

  private func show(_ report: FrozenEvaluation.Report, command: String, neighbours: Int) throws {
    let rows: [(key: String, title: String, value: Double?)] = [
      ("knn\(neighbours)", "\(neighbours)-NN", report.knn), ("linear", "linear", report.linear),
      ("raw_knn\(neighbours)", "\(neighbours)-NN on raw 16x16 thumbnails", report.rawKNN),
      ("raw_linear", "linear on raw 16x16 thumbnails", report.rawLinear),
    ]
    if out.json {
      var object: [String: Any] = [
        "command": command, "weights": network.weights, "train_images": report.trainImages, "val_images": report.valImages,
        "classes": report.classes, "bad_images": report.bad.count, "recalibrated": recalibrate,
        "precision": inference.precision,
      ]
      for row in rows { if let value = row.value { object[row.key] = value } }
      let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
      print(String(decoding: data, as: UTF8.self))
      return
    }
    for bad in report.bad { print("left out \(bad.name): \(bad.reason)") }
    print("\(report.trainImages) training and \(report.valImages) validation images, \(report.classes) classes")
    for row in rows { if let value = row.value { print("\(row.title): \(fixed(value, 2)) %") } }
  }
}

struct KNNCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "knn",
    abstract: "Accuracy of the nearest neighbours on frozen features.",
    discussion: """
      Backbone features of centre crops (shorter side to 256/224 of the input
      size), unit norm, cosine; each of the nearest neighbours votes with
      exp(cosine / temperature).
      """)

  @OptionGroup var options: EvaluationOptions
  @Option(help: ArgumentHelp("Neighbours that vote.", valueName: "n"))
  var neighbours = 20
  @Option(help: ArgumentHelp("Temperature of the votes.", valueName: "t"))
  var temperature: Float = 0.07

  func validate() throws {
    guard neighbours >= 1 else { throw ValidationError("--neighbours is \(neighbours); a number from 1 on is needed") }
    guard temperature > 0 else { throw ValidationError("--temperature is \(temperature); a number above 0 is needed") }
  }

  func run() throws {
    var evaluation = FrozenEvaluation(measures: [.knn])
    evaluation.nearest = NearestNeighbours(neighbours: neighbours, temperature: temperature)
    try options.run(evaluation, command: "knn")
  }
}

struct LinearCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "linear",
    abstract: "Accuracy of a logistic regression on frozen features.",
    discussion: """
      Backbone features of centre crops, standardised; L-BFGS on the mean
      cross-entropy + penalty * |W|^2.
      """)

  @OptionGroup var options: EvaluationOptions
  @Option(help: ArgumentHelp("Weight of the squared norm.", valueName: "p"))
  var penalty = 1e-3
  @Option(help: ArgumentHelp("Iterations at most.", valueName: "n"))
  var iterations = 200

  func validate() throws {
    guard penalty >= 0 else { throw ValidationError("--penalty is \(penalty); a number from 0 on is needed") }
    guard iterations >= 1 else { throw ValidationError("--iterations is \(iterations); a number from 1 on is needed") }
  }

  func run() throws {
    var evaluation = FrozenEvaluation(measures: [.linear])
    evaluation.probe = LinearProbe(penalty: penalty, maxIterations: iterations)
    try options.run(evaluation, command: "linear")
  }
}
