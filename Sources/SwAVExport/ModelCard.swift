import Foundation
import SwAVEngine
import SwAVModel
public import SwAVTraining

/// The page that travels with exported weights: what they are, how to check and to use them, and how they were made.
public struct ModelCard: Sendable {
  /// How the weights were made, where the folder of their run is there.
  public var run: RunFacts?
  /// A line about the licence, as the person who exports states it.
  public var licence: String?

  public init(run: RunFacts? = nil, licence: String? = nil) { (self.run, self.licence) = (run, licence) }

  func text(of network: Network, _ export: NetworkExport, _ files: NetworkExport.Files) throws -> String {
    let (info, input) = (try network.info(), try network.input())
    let name = ModelCard.name(info.configuration)
    let sections = [
      heading(name, export),
      ModelCard.facts(
        info, input, export, files, learned: export.includesHead ? info.parameterCount : try network.backboneParameterCount()),
      ModelCard.check(info, input, export, files),
      ModelCard.preprocessing(info, input), making(), licenceText(),
    ]
    return sections.joined(separator: "\n\n") + "\n"
  }

  private static func name(_ configuration: NetworkConfiguration) -> String {
    let (width, stem) = (configuration.baseWidth, configuration.stem)
    return configuration.architecture.rawValue + (width == 64 ? "" : ", base width \(width)")
      + (stem == .small ? ", small stem" : "")
  }

  /// Of every card.
  static let beginning = "---\nlibrary_name: "

  /// The front matter is what model hubs read.
  private func heading(_ name: String, _ export: NetworkExport) -> String {
    """
    \(ModelCard.beginning)\(export.format == .timm ? "timm" : export.format == .onnx ? "onnx" : "pytorch")
    pipeline_tag: image-feature-extraction
    tags: [swav, self-supervised, resnet]
    ---
    # \(name), trained with SwAV

    A ResNet that learned visual features from unlabelled images by SwAV (Caron et al., NeurIPS 2020), with the package swav
    \(Runtime.versionText).
    """
  }

  private static func facts(
    _ info: Network.Info, _ input: InputDescription, _ export: NetworkExport, _ files: NetworkExport.Files, learned: Int
  ) -> String {
    let configuration = info.configuration
    var rows = [
      ("file", ([files.weights] + [files.data].compactMap { $0 }).map { "`\(base($0))`" }.joined(separator: ", ")),
      ("network", name(configuration) + ", batch-norm epsilon 1e-5, stride on the 3x3 convolution (v1.5)"),
      ("learned numbers", "\(learned)"), ("features", "\(info.featureDim) numbers: the mean of the last map"),
    ]
    if export.format == .onnx {
      let form = export.onnx.usesIntegers ? ", 8-bit integers" : export.onnx.foldsNormalization ? ", batch-norm folded" : ""
      rows.append(("ONNX", "opset \(ONNXBuilder.opset), IR version \(ONNXBuilder.irVersion), batch and image size free\(form)"))
    } else {
      rows.append(("names of tensors", (export.format == .timm ? .timm : export.keys).rawValue))
    }
    if export.includesHead {
      rows.append(("embeddings", "\(configuration.dim) numbers of unit norm, behind the projection head"))
      if !configuration.prototypes.isEmpty {
        let counts = configuration.prototypes.map(String.init).joined(separator: ", ")
        rows.append(("scores", "cosines with the prototypes: \(counts)"))
      }
    }
    return table(rows)
  }

  private static func check(
    _ info: Network.Info, _ input: InputDescription, _ export: NetworkExport, _ files: NetworkExport.Files
  ) -> String {
    let lines = CheckScript(info, input, export, weights: base(files.weights), fixture: base(files.fixture))
    return """
      ## Check

      `\(base(files.fixture))` holds one input, normalised, and what the network gave for it where it was exported. \
      \(lines.expectation)

      ```\(lines.language)
      \(lines.text)
      ```
      """
  }

  private static func preprocessing(_ info: Network.Info, _ input: InputDescription) -> String {
    let (size, resized) = (input.size, Int((Double(input.size) * 256 / 224).rounded()))
    func list(_ values: [Float]) -> String { values.map { "\($0)" }.joined(separator: ", ") }
    let channels = info.configuration.channels
    let colour = channels == 3 ? "RGB" : channels == 1 ? "Gray" : "\(channels) channels"
    // Pillow's convert("L") cuts 16 bits to 8.
    let levels = channels == 1 ? "divided by 255 (pictures of 16 bits as they are, by 65535)" : "divided by 255"
    return """
      ## Images

      \(colour), shorter side to \(resized) pixels (bilinear, antialiased, as Pillow does), centre crop of \(size), \(levels), \
      mean (\(list(input.mean))), standard deviation (\(list(input.std))); [batch, channels, height, width].
      """
  }

  private func making() -> String {
    guard let run else {
      return "## How it was made\n\nNot recorded: these weights were exported without the folder of their run."
    }
    let progress = "step \(run.step)" + (run.totalSteps.map { " of \($0)" } ?? "") + ", \(run.epochs) epochs done"
    let hours = String(format: "%.2f", run.seconds / 3600)
    let parts = [
      "## How it was made",
      ModelCard.table(
        [("images", "\(run.images), unlabelled"), ("training", "\(progress), \(hours) hours")]
          + run.figures.map { ($0.name, $0.value) }),
      "### Machine", ModelCard.table(run.machine.map { ($0.name, $0.value) }),
      "### Settings", ModelCard.table(run.settings.map { ($0.name, "`\($0.value)`") }),
    ]
    return parts.joined(separator: "\n\n")
  }

  private func licenceText() -> String {
    "## Licence\n\n"
      + (licence ?? "Not stated. Weights are made from images: the licences of these apply to what may be done with them.")
  }

  private static func table(_ rows: [(String, String)]) -> String {
    rows.isEmpty
      ? "Not recorded."
      : "| | |\n|---|---|\n" + rows.map { "| \($0) | \($1.replacing("|", with: "\\|")) |" }.joined(separator: "\n")
  }

  /// A path without its folder.
  private static func base(_ path: String) -> String { URL(fileURLWithPath: path).lastPathComponent }
}
