import ArgumentParser
import Foundation
import SwAV

struct EmbedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed",
    abstract: "Write the features of images.",
    discussion: """
      FILE.csv gets a line an image: name, class where there is one, numbers.
      FILE.npy gets float32 [images][numbers], and FILE.npy.names.txt the names in
      the same order.
      """)

  @Argument(help: ArgumentHelp("The images: a folder, list, table, archive or batch, as pretrain takes.", valueName: "images"))
  var images: String
  @OptionGroup var network: WeightsOptions
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where to: FILE.csv or FILE.npy.", valueName: "file"))
  var output: String
  @Option(help: ArgumentHelp("features, embeddings or scores.", valueName: "name"))
  var layer = "features"
  @OptionGroup var inference: InferenceOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard output.hasSuffix(".csv") || output.hasSuffix(".npy") else {
        throw ValidationError("--output is '\(output)'; a name that ends in .csv or .npy is needed")
      }
      guard let layer = Output(rawValue: layer) else {
        throw ValidationError(
          "--layer is '\(layer)'; one of \(Output.allCases.map(\.rawValue).joined(separator: ", ")) is needed")
      }
      try Runtime.setThreads(threads.threads)
      let source = try out.open([images], labelled: true)
      var opened = try network.open()
      if try inference.inference() == .int8 {
        opened = try opened.quantized(
          on: try inference.calibration() ?? source, size: network.size, options: threads.reading)
      }
      let start = ContinuousClock.now
      let features = try Features.extract(
        from: source, network: opened, size: network.size, output: layer, options: threads.reading)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      try write(features, of: source)
      try report(features, seconds: seconds)
    }
  }

  private func write(_ features: Features, of source: any ImageSource) throws {
    let file = URL(fileURLWithPath: output)
    if output.hasSuffix(".csv") { return try Data(features.csv(of: source).utf8).write(to: file, options: .atomic) }
    try features.npy.write(to: file, options: .atomic)
    let names = features.samples.map { source.name(of: $0) + "\n" }.joined()
    try Data(names.utf8).write(to: URL(fileURLWithPath: output + ".names.txt"), options: .atomic)
  }

  private func report(_ features: Features, seconds: Double) throws {
    if out.json {
      let object: [String: Any] = [
        "command": "embed", "images": features.count, "dim": features.dim, "bad_images": features.bad.count,
        "images_per_second": Double(features.count) / seconds, "output": output, "precision": inference.precision,
      ]
      let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
      print(String(decoding: data, as: UTF8.self))
      return
    }
    for bad in features.bad { print("left out \(bad.name): \(bad.reason)") }
    print("\(features.count) images, \(features.dim) numbers each: \(output)")
  }
}
