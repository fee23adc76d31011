import ArgumentParser
import Foundation
import SwAV

struct PreviewCommand: SettingsCommand {
  static let settings =
    Setting.section(.views) + Setting.section(.run).filter { ["preset", "nmb-crops", "size-crops"].contains($0.name) }

  static let configuration = CommandConfiguration(
    commandName: "preview",
    abstract: "Paint what the network will see: boxes and crops.",
    discussion: """
      A row an image, in the order of the first epoch: on the left the image with
      the boxes of its crops, then the crops as training makes them, before
      normalisation, framed in the colour of their box.

      SETTINGS, as of pretrain:
      \(HelpColumns.rows(settings.filter { $0.isCommon || $0.section == .views }))
      """)

  @Argument(help: ArgumentHelp("The images: one source or several, as pretrain takes.", valueName: "images"))
  var images: [String]
  @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where to: FILE.png.", valueName: "file"))
  var output: String
  @Option(help: ArgumentHelp("Images, a row each.", valueName: "n"))
  var count = 6
  @Option(help: ArgumentHelp("All random decisions follow from it.", valueName: "n"))
  var seed: UInt64 = 0
  @Option(help: ArgumentHelp("The epoch, counted from 0.", valueName: "n"))
  var epoch = 0
  @Option(help: ArgumentHelp("A YAML file of settings, as of a run; flags beat it.", valueName: "file"))
  var config: String?
  @OptionGroup var out: OutputOptions
  var given = GivenSettings()

  func run() throws {
    try Failure.reporting(json: out.json) {
      guard output.lowercased().hasSuffix(".png") else {
        throw ValidationError("--output is '\(output)'; a name that ends in .png is needed")
      }
      guard count >= 1 else { throw ValidationError("--count is \(count); a number from 1 on is needed") }
      guard epoch >= 0 else { throw ValidationError("--epoch is \(epoch); a number from 0 on is needed") }
      try requireWritable(output, apartFrom: images, json: out.json)
      try endingOnSignal(stopped: "nothing was painted", json: out.json) {
        let source = try out.open(images)
        var preview = Preview(recipe: try plan(for: source).recipe)
        (preview.count, preview.seed, preview.epoch) = (count, seed, epoch)
        let sheet = try preview.paint(source)
        try Data(try sheet.png()).write(to: URL(fileURLWithPath: output), options: .atomic)
        try report(sheet, preview.recipe, source)
      }
    }
  }

  /// The settings of the file and the flags; the rest as pretrain plans it.
  private func plan(for source: any ImageSource) throws -> PretrainConfiguration {
    var given = try config.map { try PretrainSettings(contentsOf: $0) } ?? PretrainSettings()
    // What views depend on, a planned one on the length as well: other values need not fit the few images that are looked at here.
    let names = PreviewCommand.settings.map(\.name) + ["budget", "epochs"]
    given.keep { names.contains($0.name) }
    given.merge(self.given.flags)
    for (name, value) in [("batch", "2"), ("warmup-epochs", "0")] { try given.set(name, to: value) }
    var facts = try DataFacts.look(at: source, pixels: 16, headers: 64, workers: 2)
    facts.draws = max(2, facts.draws)
    return try PretrainConfiguration.planned(for: facts, given: given).configuration
  }

  private struct Report: Encodable {
    var output: String
    var width: Int
    var height: Int
    var crops: String
    /// Of the rows.
    var images: [String]
    var broken: [String]
  }

  private func report(_ sheet: Preview.Sheet, _ recipe: Recipe, _ source: any ImageSource) throws {
    let (names, crops) = (sheet.rows.map { source.name(of: $0) }, CropGroup.describe(recipe.groups))
    if out.json {
      return print(
        try jsonRow(
          "result", command: "preview",
          Report(
            output: output, width: sheet.width, height: sheet.height, crops: crops, images: names,
            broken: sheet.bad.map(\.name))))
    }
    for bad in sheet.bad { print("left out \(bad.name): \(bad.reason)") }
    for (row, name) in names.enumerated() { print("row \(row + 1): \(name)") }
    print("\(output): \(sheet.width) x \(sheet.height) pixels, crops \(crops), epoch \(epoch), seed \(seed)")
  }
}
