import ArgumentParser
import Foundation
import SwAV

/// Which network an evaluation is of.
struct WeightsOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("safetensors, PyTorch's, a run's folder or untrained.", valueName: "file|run|untrained"))
  var weights: String
  @OptionGroup var choice: PrefixOptions
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

  /// What a row of `--json` says of the weights: which they are, and what loading found.
  private struct Row: Encodable {
    let file: WeightsFile
    let loaded: LoadReport

    private enum Key: CodingKey { case loaded }

    func encode(to encoder: any Encoder) throws {
      try file.encode(to: encoder)
      var keys = encoder.container(keyedBy: Key.self)
      try keys.encode(loaded, forKey: .loaded)
    }
  }

  /// Opens the network and, unless nothing is to be printed, says which weights they are and what loading found.
  func open(json: Bool, says: Bool = true) throws -> Network {
    guard weights == "untrained" else {
      let file = try WeightsFile(at: weights)
      let (network, report) = try choice.explained { try file.open($0) }
      guard says else { return network }
      if json {
        print(try jsonRow("weights", Row(file: file, loaded: report)))
      } else {
        print("weights: \(file.path)\(file.progress.map { ", " + $0 } ?? ""): \(report.summary)")
      }
      return network
    }
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

/// The value of `--precision`.
func inferenceNamed(_ name: String) throws -> Inference {
  if name == "auto" { return try .automatic() }
  guard let inference = Inference(rawValue: name) else {
    throw ValidationError("--precision is '\(name)'; float32, int8, bfloat16 or auto is needed")
  }
  return inference
}

/// How features are computed.
struct InferenceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "float32, int8 (much faster), bfloat16, or auto: that where it is faster.",
      valueName: "name"))
  var precision = "float32"
  @Option(
    help: ArgumentHelp(
      "Images that int8 is calibrated on, 64 evenly spaced; the (training) images unless given.", valueName: "images"))
  var calibrate: String?

  func inference() throws -> Inference {
    let inference = try inferenceNamed(precision)
    guard calibrate == nil || inference == .int8 else {
      throw ValidationError("--calibrate is given; it needs --precision int8")
    }
    return inference
  }

  /// What `auto` stood for.
  func chosen() throws -> String? {
    guard precision == "auto" else { return nil }
    let isFast = try Runtime.info().fastBFloat16
    return "precision: \(try inference().rawValue), as this processor multiplies bfloat16 \(isFast ? "faster" : "no faster")"
  }

  func calibration() throws -> (any ImageSource)? { try calibrate.map { try openImages($0) } }
}

/// Flags that `knn` and `linear` share.
struct EvaluationOptions: ParsableArguments {
  @OptionGroup var network: WeightsOptions
  @Option(
    help: ArgumentHelp("Labelled images that are learned from: DIR/CLASS/FILE, or as pretrain takes.", valueName: "images"))
  var train: String?
  @Option(help: ArgumentHelp("Labelled images that are asked about.", valueName: "images"))
  var val: String
  @Flag(help: "Re-estimate batch-norm buffers on centre crops of the training images first.")
  var recalibrate = false
  @OptionGroup var inference: InferenceOptions
  @Flag(inversion: .prefixedNo, help: "Measure 16x16 thumbnails as well.")
  var rawPixels = true
  @OptionGroup var pictures: PictureOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run(_ judge: any EvaluationProtocol) throws {
    try Failure.reporting(json: out.json) {
      guard train != nil || !judge.needsTrainingImages else {
        throw ValidationError("--train is missing; \(judge.name) learns from labelled images")
      }
      try Runtime.setThreads(threads.threads)
      var evaluation = FrozenEvaluation([judge])
      evaluation.size = network.size
      evaluation.recalibrates = recalibrate
      evaluation.inference = try inference.inference()
      evaluation.calibration = try inference.calibration()
      evaluation.includesRawPixels = rawPixels
      evaluation.reading = threads.reading
      evaluation.reading.decoding = try pictures.decoding()
      let report = try endingOnSignal(stopped: "nothing was measured", json: out.json) {
        let images = try EvaluationImages(
          train: train.map { try out.open([$0], labelled: true) }, val: out.open([val], labelled: true))
        let network = try network.open(json: out.json)
        var console = Console(json: out.json)
        defer { console.finishBar() }
        return try evaluation.run(images, network: network) { console.showProgress($0, done: $1, total: $2) }
      }
      try show(report, judge)
    }
  }

  private func show(_ report: EvaluationReport, _ judge: any EvaluationProtocol) throws {
    if out.json {
      for bad in report.bad { print(try jsonRow("bad_image", ["bad_image": bad.name, "reason": bad.reason])) }
      for remark in report.remarks { print(try jsonRow("warning", ["warning": remark])) }
      let settings: [String: any Encodable] = [
        "weights": network.weights, "recalibrated": recalibrate, "precision": try inference.inference().rawValue,
      ]
      return print(try jsonRow("result", command: judge.name, fields: settings.merging(report.fields) { $1 }))
    }
    for bad in report.bad { print("left out \(bad.name): \(bad.reason)") }
    for line in report.lines { print(line) }
    if let chosen = try inference.chosen() { print(chosen) }
  }
}

struct KNNCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "knn",
    abstract: "Accuracy of the nearest neighbours on frozen features.",
    discussion: """
      Backbone features of centre crops (shorter side to 256/224 of the input
      size), unit norm, cosine; each of the nearest neighbours votes with
      exp(cosine / temperature). Without --train each validation image is asked
      about among the others. Classes are matched by name. Beside the share that is
      right stand the mean of the classes and the share of the largest class.
      """)

  @OptionGroup var options: EvaluationOptions
  @Option(help: ArgumentHelp("Neighbours that vote.", valueName: "n"))
  var neighbours = NearestNeighbours().neighbours
  @Option(help: ArgumentHelp("Temperature of the votes.", valueName: "t"))
  var temperature = NearestNeighbours().temperature

  func validate() throws {
    guard neighbours >= 1 else { throw ValidationError("--neighbours is \(neighbours); a number from 1 on is needed") }
    guard temperature > 0 else { throw ValidationError("--temperature is \(temperature); a number above 0 is needed") }
  }

  func run() throws {
    try options.run(NearestNeighbours(neighbours: neighbours, temperature: temperature))
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
  var penalty = LinearProbe().penalty
  @Option(help: ArgumentHelp("Iterations at most.", valueName: "n"))
  var iterations = LinearProbe().maxIterations

  func validate() throws {
    guard penalty >= 0 else { throw ValidationError("--penalty is \(penalty); a number from 0 on is needed") }
    guard iterations >= 1 else { throw ValidationError("--iterations is \(iterations); a number from 1 on is needed") }
  }

  func run() throws {
    try options.run(LinearProbe(penalty: penalty, maxIterations: iterations))
  }
}
