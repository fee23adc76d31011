import ArgumentParser
import Foundation
import SwAV
import SwAVBenchmark

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure speed on random pixels, or of loading images.",
    subcommands: [StepBench.self, LayersBench.self, EmbedBench.self, SinkhornBench.self, SearchBench.self, DataBench.self])
}

/// Prints a result: the JSON object, or its keys and values in a column.
func show(_ result: some Encodable, json: Bool) throws {
  if json { return print(try jsonRow("result", result)) }
  let object = try JSONSerialization.jsonObject(with: Data(try jsonLine(result).utf8)) as? [String: Any] ?? [:]
  for (key, value) in object.sorted(by: { $0.key < $1.key }) {
    print(key.padding(toLength: 28, withPad: " ", startingAt: 0) + "\(value)")
  }
}

private func architecture(_ name: String) throws -> Architecture {
  guard let architecture = Architecture(rawValue: name) else {
    throw ValidationError(
      "--arch is '\(name)'; one of \(Architecture.allCases.map(\.rawValue).joined(separator: ", ")) is needed")
  }
  return architecture
}

private func requirePositive(_ flags: (name: String, value: Int)...) throws {
  for flag in flags where flag.value < 1 {
    throw ValidationError("--\(flag.name) is \(flag.value); a number from 1 on is needed")
  }
}

/// The value of `--precision` of training.
private func trainingPrecision(_ name: String) throws -> TrainingPrecision {
  if name == "auto" { return try .automatic() }
  guard let precision = TrainingPrecision(rawValue: name) else {
    throw ValidationError("--precision is '\(name)'; float32, bfloat16 or auto is needed")
  }
  return precision
}

struct StepBench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "step", abstract: "Training steps on random pixels.")
  @Option var arch = "resnet50"
  @Option var crops = "2x224+6x96"
  @Option var batch = 8
  @Option var prototypes = 3000
  @Option var steps = 5
  @Option var optimizer = "sgd"
  @Option(help: "float32, bfloat16 or auto.") var precision = "float32"
  @Option(help: "0: one for each core.") var threads = 0
  @Flag(help: "Say where the time of the step went.") var profile = false
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      try requirePositive(("batch", batch), ("prototypes", prototypes), ("steps", steps))
      guard let optimizer = OptimizerKind(rawValue: optimizer) else {
        throw ValidationError("--optimizer is '\(optimizer)'; larc, sgd or adamw is needed")
      }
      try Runtime.setThreads(threads)
      let result = try Benchmark.step(
        arch: architecture(arch), crops: CropGroup.parse(crops), batch: batch, prototypes: prototypes, optimizer: optimizer,
        steps: steps, precision: trainingPrecision(precision), profiled: profile)
      try show(result, json: out.json)
    }
  }
}

struct LayersBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layers", abstract: "Each convolution of training steps: its algorithm and its speed.")
  @Option var arch = "resnet50"
  @Option var crops = "2x224+6x96"
  @Option var batch = 8
  @Option var steps = 5
  @Option(help: "float32, bfloat16, auto, or both, one after the other.") var precision = "both"
  @Option(help: "0: one for each core.") var threads = 0
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      try requirePositive(("batch", batch), ("steps", steps))
      try Runtime.setThreads(threads)
      for precision in precision == "both" ? TrainingPrecision.allCases : [try trainingPrecision(precision)] {
        let result = try Benchmark.layers(
          arch: architecture(arch), crops: CropGroup.parse(crops), batch: batch, steps: steps, precision: precision)
        print(out.json ? try jsonRow("result", result) : LayersTable.text(result) + "\n")
      }
    }
  }
}

struct EmbedBench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "embed", abstract: "Features of random pixels.")
  @Option var arch = "resnet50"
  @Option var size = 224
  @Option var batch = 8
  @Option var steps = 7
  @Option(help: "float32, int8, bfloat16 or auto.") var precision = "float32"
  @Option(help: "0: one for each core.") var threads = 0
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      try requirePositive(("size", size), ("batch", batch), ("steps", steps))
      let inference = try inferenceNamed(precision)
      try Runtime.setThreads(threads)
      let result = try Benchmark.embed(
        arch: architecture(arch), size: size, batch: batch, inference: inference, steps: steps)
      try show(result, json: out.json)
    }
  }
}

struct SinkhornBench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "sinkhorn", abstract: "Codes, and loss with its gradient.")
  @Option var batch = 4096
  @Option var prototypes = 3000
  @Option var steps = 7
  @Option(help: "0: one for each core.") var threads = 0
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      try requirePositive(("batch", batch), ("prototypes", prototypes), ("steps", steps))
      try Runtime.setThreads(threads)
      try show(try Benchmark.sinkhorn(batch: batch, prototypes: prototypes, steps: steps), json: out.json)
    }
  }
}

struct DataBench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "data", abstract: "Reading, decoding and cropping images.")
  @Option(help: "A folder, list, table, archive or batch, as pretrain takes.") var images = "."
  @Option(help: "A text file of paths, in place of the folder.") var list: String?
  @Option var crops = "2x224+6x96"
  @Option(help: "Images at most, evenly spaced.") var limit = 200
  @Option(name: [.long, .customLong("threads")], help: "Threads that decode.") var workers = 1
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      try requirePositive(("limit", limit), ("workers", workers))
      let source: any ImageSource = try list.map { try ImageList(contentsOf: $0) } ?? openImages(images)
      try show(
        try Benchmark.data(source, crops: CropGroup.parse(crops), limit: limit, workers: workers), json: out.json)
    }
  }
}
