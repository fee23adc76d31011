import ArgumentParser
import Foundation
import SwAV

/// Which network an evaluation is of.
struct WeightsOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A run, safetensors, PyTorch's file, or untrained.", valueName: "run|file"))
  var weights: String
  @OptionGroup var choice: PrefixOptions
  // What untrained weights are of, for floors; --help-hidden shows them.
  @Option(help: ArgumentHelp("Network of untrained weights.", valueName: "name", visibility: .hidden))
  var arch = "resnet18"
  @Option(help: ArgumentHelp("Their stem: imagenet or small.", valueName: "name", visibility: .hidden))
  var stem = "imagenet"
  @Option(help: ArgumentHelp("Their channels: 1 or 3.", valueName: "n", visibility: .hidden))
  var channels = 3
  @Option(help: ArgumentHelp("Their seed.", valueName: "n", visibility: .hidden))
  var seed: UInt64 = 0
  @Option(help: ArgumentHelp("Pixels a side; as the weights say unless given.", valueName: "n"))
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
  @Option(help: ArgumentHelp("float32, int8, bfloat16 or auto.", valueName: "name"))
  var precision = "float32"
  @Option(help: ArgumentHelp("Images for int8's ranges; those at hand if not given.", valueName: "images"))
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
    return "precision \(try inference().rawValue): \(try Runtime.info().bfloat16Remark)"
  }

  func calibration() throws -> (any ImageSource)? { try calibrate.map { try openImages($0) } }
}
