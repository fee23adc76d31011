import ArgumentParser
import Foundation
import SwAV
import SwAVExport

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write weights for PyTorch, timm, ONNX and others.",
    discussion: """
      safetensors  tensors under torchvision's names
      torch        the same, as torch.load(weights_only=True) reads it
      onnx         a graph with free batch and image size, opset 13
      timm         a folder for timm.create_model("local-dir:...")

      PATH is a folder, or the name of a file that ends in .safetensors, .pth or
      .onnx. Beside the weights lie a card (README.md; of a file FILE.md) that says
      how they were made, and fixture.safetensors (FILE.fixture.safetensors): an
      input and its features, which the lines of Python in the card compare. The
      card knows more when RUN is the folder of a run.
      """)

  @Argument(help: ArgumentHelp("A run's folder, or any file that --weights takes.", valueName: "run|file"))
  var weights: String
  @OptionGroup var choice: PrefixOptions
  @Option(help: ArgumentHelp("safetensors, torch, onnx or timm.", valueName: "name"))
  var format: String
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where it goes: a folder, or a file.", valueName: "path"))
  var output: String
  @Option(help: ArgumentHelp("Names of tensors: torchvision, timm, detectron2 or mmdet.", valueName: "names"))
  var keys = TensorKeys.torchvision.rawValue
  @Flag(help: "With projection head and prototypes.")
  var head = false
  @Flag(help: "onnx: batch-norm folded into the convolutions.")
  var fold = false
  @Option(help: ArgumentHelp("onnx: float32 or int8.", valueName: "name"))
  var precision = "float32"
  @Option(
    help: ArgumentHelp("Images that int8 is calibrated on, 64 evenly spaced; like those to be embedded.", valueName: "images"))
  var calibrate: String?
  @Option(help: ArgumentHelp("Pixels a side of the images that int8 is calibrated on.", valueName: "n"))
  var size: Int?
  @Option(help: ArgumentHelp("A line for the card.", valueName: "text"))
  var licence: String?
  @OptionGroup var threads: ThreadOptions
  @OptionGroup var out: OutputOptions

  func validate() throws {
    if let size, !(8...1024).contains(size) { throw ValidationError("--size is \(size); 8 to 1024 are allowed") }
  }

  func run() throws {
    try Failure.reporting(json: out.json) {
      var export = try settings()
      try Runtime.setThreads(threads.threads)
      let file = try WeightsFile(at: weights)
      for own in [file.path]
        + (isFolder(weights) ? [weights + "/weights.safetensors", weights + "/weights-best.safetensors"] : [])
      {
        try requireApart(output, from: own)
      }
      if isFolder(weights) { export.card.run = try? RunFacts(ofRunAt: weights) }
      let (opened, report) = try choice.explained { try file.open($0) }
      if out.json {
        print(try jsonRow("weights", report))
      } else {
        print("weights: \(file.path)\(file.progress.map { ", " + $0 } ?? ""): \(report.summary)")
      }
      let files = try endingOnSignal(stopped: "nothing was written", json: out.json) {
        try export.write(try calibrated(opened), to: output)
      }
      try show(files)
    }
  }

  private func requireApart(_ output: String, from own: String) throws {
    guard !isFolder(output) else { return }
    try requireWritable(output, apartFrom: [own], json: out.json)
  }

  private func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  private func settings() throws -> NetworkExport {
    func choose<Choice: RawRepresentable & CaseIterable>(_ flag: String, _ value: String, _ type: Choice.Type) throws -> Choice
    where Choice.RawValue == String {
      guard let found = Choice(rawValue: value) else {
        let names = type.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("\(flag) is '\(value)'; one of \(names) is needed")
      }
      return found
    }
    var export = NetworkExport(try choose("--format", format, NetworkExport.Format.self))
    export.keys = try choose("--keys", keys, TensorKeys.self)
    if export.format == .timm && export.keys == .timm { export.keys = .torchvision }
    export.includesHead = head
    export.onnx.foldsNormalization = fold
    guard let precision = Inference(rawValue: precision), precision != .bfloat16 else {
      throw ValidationError("--precision is '\(precision)'; float32 or int8 is needed")
    }
    export.onnx.usesIntegers = precision == .int8
    export.card.licence = licence
    guard export.onnx.usesIntegers == (calibrate != nil) else {
      throw ValidationError(
        export.onnx.usesIntegers
          ? "--precision is int8; --calibrate is needed, with images like those to be embedded"
          : "--calibrate is given; it needs --precision int8")
    }
    return export
  }

  private func calibrated(_ network: Network) throws -> Network {
    guard let images = try calibrate.map({ try openImages($0) }) else { return network }
    return try network.calibrated(on: images, size: size, options: threads.reading)
  }

  private func show(_ files: NetworkExport.Files) throws {
    if out.json { return print(try jsonRow("result", command: "export", files)) }
    print("weights: \(files.weights)\(files.data.map { " with \($0)" } ?? "")")
    if let configuration = files.configuration { print("configuration: \(configuration)") }
    print("card: \(files.card), with the lines that check \(files.fixture)")
  }
}
