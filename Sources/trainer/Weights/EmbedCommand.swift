import ArgumentParser
import Foundation
import SwAV

struct EmbedCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed",
    abstract: "Write the features of images.",
    discussion: """
      FILE.csv and FILE.jsonl get a line an image: name, class where there is one,
      numbers. FILE.npy and FILE.safetensors get [images][numbers], and
      FILE.names.txt beside them the names in the same order. A file of that name
      is replaced when the new one is whole. Until then FILE.partial has the rows:
      the same command goes on with them after an interruption.

      With - standard input is read to its end first. It is paths, a line each or
      ended by zero bytes (find -print0); or pictures, one directly behind the
      other, which are called -/1, -/2 and so on; or a tar archive.
      """)

  @Argument(
    help: ArgumentHelp(
      "The images, as pretrain takes them, or pictures; -: paths, pictures or a tar archive from standard input.",
      valueName: "images"))
  var images: [String]
  @OptionGroup var network: WeightsOptions
  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("FILE.csv, .jsonl, .npy or .safetensors; - prints JSON lines.", valueName: "file"))
  var output: String
  @Option(
    help: ArgumentHelp("features (backbone), embeddings (head), scores, grid.", valueName: "name"))
  var layer: String?
  @Option(help: ArgumentHelp("Mean of the map behind layer1 to layer4, instead.", valueName: "1-4"))
  var stage: Int?
  @Flag(help: "Scale every row to unit norm.")
  var normalize = false
  @Option(name: [.long, .customLong("dtype")], help: ArgumentHelp("float32 or float16.", valueName: "name"))
  var type = "float32"
  @OptionGroup var inference: InferenceOptions
  @OptionGroup var pictures: PictureOptions
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try Failure.reporting(json: out.json) {
      let settings = try LaunchedRanks.agree {
        let settings = try self.settings()
        if LaunchedRanks.group != nil, settings == nil || images == ["-"] {
          throw ValidationError("- is given; several processes read images from their files and write to a file")
        }
        return settings
      }
      try LaunchedRanks.setThreads(threads.threads)
      if let settings { try write(settings) } else { try printRows() }
    }
  }

  /// nil for JSON lines on standard output.
  private func settings() throws -> FeatureExport.Settings? {
    _ = try (layerOutput(), element(), inference.inference(), pictures.decoding())
    if output == "-" { return nil }
    guard let format = FeatureFormat(path: output) else {
      throw ValidationError(
        "--output is '\(output)'; a name that ends in .csv, .jsonl, .npy or .safetensors, or - is needed")
    }
    let how = [
      try inference.inference().rawValue, inference.calibrate ?? "", try Runtime.info().isa, "\(try pictures.decoding())",
    ]
    var settings = FeatureExport.Settings(
      format, batch: threads.reading.batch, network: try (how + network.identity()).joined(separator: " "))
    (settings.output, settings.element, settings.normalizes) = (try layerOutput(), try element(), normalize)
    (settings.size, settings.inference) = (network.size, try inference.inference())
    return settings
  }

  private func layerOutput() throws -> Output {
    let choices: [String: Output] = [
      "features": .features, "backbone": .features, "embeddings": .embeddings, "head": .embeddings, "scores": .scores,
      "grid": .grid,
    ]
    guard let stage else {
      guard let found = choices[layer ?? "features"] else {
        throw ValidationError("--layer is '\(layer ?? "")'; one of features, embeddings, scores, grid is needed")
      }
      return found
    }
    guard layer == nil else { throw ValidationError("--stage and --layer are given; one of them says what is wanted") }
    let stages: [Output] = [.stage1, .stage2, .stage3, .features]
    guard stages.indices.contains(stage - 1) else { throw ValidationError("--stage is \(stage); 1 to 4 are allowed") }
    guard try stage == 4 || inference.inference() == .float32 else {
      throw ValidationError("--stage is \(stage); with --precision \(inference.precision) only 4 is possible")
    }
    return stages[stage - 1]
  }

  private func element() throws -> FeatureElement {
    guard let found = FeatureElement(rawValue: type) else {
      throw ValidationError("--type is '\(type)'; float32 or float16 is needed")
    }
    return found
  }

  private func source() throws -> any ImageSource {
    // What is printed is rows then, and nothing else.
    let printsRows = output == "-"
    guard images == ["-"] else {
      return printsRows ? try openImages(images, ranks: LaunchedRanks.group) : try out.open(images, labelled: true)
    }
    let source = try imagesFromStandardInput()
    if !printsRows { try out.tellRemarks(of: source, from: "standard input", labelled: true) }
    return source
  }

  private func opened(for source: any ImageSource) throws -> Network {
    let opened = try network.open(json: out.json, says: output != "-")
    guard try inference.inference() == .int8 else { return opened }
    return try opened.calibrated(
      on: try inference.calibration() ?? source, size: network.size, options: threads.reading(pictures))
  }

  private func write(_ settings: FeatureExport.Settings) throws {
    let start = ContinuousClock.now
    var (export, total) = (FeatureExport?.none, 0)
    /// What is left after an end before the end.
    func rest() -> String? {
      guard let export, export.kept > 0 else { return nil }
      return "\(export.kept) of \(total) images are kept in \(output).partial, and the same command goes on with them"
    }
    try endingOnSignal(stopped: rest() ?? "nothing is kept", json: out.json) {
      // A path that cannot be written is told before the images are looked for.
      try LaunchedRanks.onRoot { try requireWritable(output, apartFrom: images + [self.network.weights], json: out.json) }
      let source = try LaunchedRanks.agree { try self.source() }
      try LaunchedRanks.group?.requireSameImages(source)
      // Weights that cannot be read leave no file behind.
      let network = try LaunchedRanks.agree { try self.opened(for: source) }
      let start = try openExport(&export, of: source, settings)
      total = source.count
      guard let opening = export else { return try assist(source, from: start, network, settings) }
      var console = Console(json: out.json)
      defer { console.finishBar() }
      if opening.resumedAt > 0 { try console.tell("note", "going on after \(opening.resumedAt) of \(total) images") }
      if opening.replacedOther {
        try console.tell("note", "\(output).partial was of another command; it is begun anew")
      }
      do {
        try opening.run(network, reading: threads.reading(pictures)) { done in
          console.showProgress("embedding", done: done, total: total)
        } bad: { bad in
          try console.tell(bad)
        }
      } catch let error as FeatureFileError {
        console.finishBar()
        throw Failure(
          code: Failure.code(for: error), message: ["\(error)", rest()].compactMap { $0 }.joined(separator: "; "),
          json: out.json)
      }
    }
    guard let export else { return }
    try report(export, seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  /// The root writes, and says how many images were done before. Collective.
  private func openExport(
    _ export: inout FeatureExport?, of source: any ImageSource, _ settings: FeatureExport.Settings
  ) throws -> Int {
    func open() throws -> FeatureExport { try FeatureExport(source, to: output, settings) }
    guard let group = LaunchedRanks.group else {
      let opening = try open()
      export = opening
      return opening.resumedAt
    }
    return try group.onRoot {
      let opening = try open()
      export = opening
      return opening.resumedAt
    }
  }

  /// Computes this rank's batches for the root.
  private func assist(
    _ source: any ImageSource, from start: Int, _ network: Network, _ settings: FeatureExport.Settings
  ) throws {
    var reading = try threads.reading(pictures)
    reading.batch = settings.batch
    try Features.forEachBatch(
      of: source, from: start, network: network, size: settings.size, output: settings.output, inference: settings.inference,
      options: reading
    ) { _ in }
  }

  private func report(_ export: FeatureExport, seconds: Double) throws {
    if out.json {
      let fields: [String: any Encodable] = [
        "images": export.rows, "dim": export.dim, "bad_images": export.done - export.rows, "resumed_at": export.resumedAt,
        "output": output, "precision": try inference.inference().rawValue, "type_of_numbers": type, "normalized": normalize,
        "images_per_second": Double(export.done - export.resumedAt) / max(seconds, 1e-9),
      ]
      return print(try jsonRow("result", command: "embed", fields: fields))
    }
    print("\(export.rows) images, \(export.dim) numbers each: \(output)")
    if let chosen = try inference.chosen() { print(chosen) }
  }

  /// JSON lines on standard output; what else there is to say goes to standard error.
  private func printRows() throws {
    try endingOnSignal(stopped: "what was printed is whole", json: false) {
      let source = try source()
      let (network, layer) = (try opened(for: source), try layerOutput())
      let rows = FeatureRows(
        .jsonl, of: source, title: layer.rawValue, dim: try network.length(of: layer), element: try element(),
        normalizes: normalize)
      var (printed, bad) = (0, 0)
      struct ReaderLeft: Error {}
      do {
        try Features.forEachBatch(
          of: source, network: network, size: self.network.size, output: layer, inference: try inference.inference(),
          options: threads.reading(pictures)
        ) { batch in
          print(String(decoding: rows.encode(batch).data, as: UTF8.self), terminator: "")
          for image in batch.bad {
            try? FileHandle.standardError.write(contentsOf: Data("left out \(image.name): \(image.reason)\n".utf8))
          }
          (printed, bad) = (printed + batch.count, bad + batch.bad.count)
          guard StandardOutput.isOpen else { throw ReaderLeft() }
        }
      } catch is ReaderLeft {
        return
      }
      guard printed > 0 else { throw DataError(.unusable, "none of \(bad) images could be read") }
    }
  }
}

extension WeightsOptions {
  /// What tells these weights from others: the files by size and time, or how they are made, and which of two encoders.
  func identity() throws -> [String] {
    let made = [weights, arch, stem, "\(channels)", "\(seed)"]
    return (weights == "untrained" ? made : WeightsOptions.identity(of: weights))
      + (choice.prefix.map { ["prefix " + $0] } ?? [])
  }

  /// The same of files alone, however their paths are written.
  static func identity(of weights: String) -> [String] {
    let inFolder = ["weights.safetensors", "weights-best.safetensors", "checkpoint"] + WeightsFile.exported
    let files = [weights] + inFolder.map { weights + "/" + $0 }
    return files.compactMap { file in
      guard let found = try? FileManager.default.attributesOfItem(atPath: file),
        found[.type] as? FileAttributeType == .typeRegular
      else { return nil }
      let path = URL(fileURLWithPath: file).standardizedFileURL.resolvingSymlinksInPath().path
      return "\(path) \(found[.size] ?? 0) \((found[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0)"
    }
  }
}
