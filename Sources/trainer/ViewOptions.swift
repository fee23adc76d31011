import ArgumentParser
import SwAV

/// Flags about the views of an image, as text: the settings read and check them.
struct ViewOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Views of an image, as 2x224+6x96.", valueName: "groups"))
  var crops: String?
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Smallest area of a view, a number a group.", valueName: "share"))
  var minScale: [String] = []
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Largest area of a view, a number a group.", valueName: "share"))
  var maxScale: [String] = []
  @Option(help: ArgumentHelp("Probability of a mirrored view.", valueName: "p"))
  var flip: String?
  @Option(help: ArgumentHelp("Probability of colour jitter.", valueName: "p"))
  var jitter: String?
  @Option(help: ArgumentHelp("Strength of colour jitter.", valueName: "s"))
  var jitterStrength: String?
  @Option(help: ArgumentHelp("Probability of a gray view.", valueName: "p"))
  var grayscale: String?
  @Option(help: ArgumentHelp("Probability of blur.", valueName: "p"))
  var blur: String?
  @Option(help: ArgumentHelp("fast, or exact: Pillow's results to the bit.", valueName: "name"))
  var augmentationPrecision: String?
  @Option(help: ArgumentHelp("Channels of the images: 1, which keeps 16 bits, or 3.", valueName: "n"))
  var channels: String?
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Mean of the channels, of samples in 0...1.", valueName: "value"))
  var mean: [String] = []
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Standard deviation of the channels.", valueName: "value"))
  var std: [String] = []

  /// The flags that were given.
  func settings() throws -> PretrainSettings {
    let single: [(String, String?)] = [
      ("crops", crops), ("flip", flip), ("jitter", jitter), ("jitter-strength", jitterStrength), ("grayscale", grayscale),
      ("blur", blur), ("augmentation-precision", augmentationPrecision), ("channels", channels),
    ]
    let lists = [("min-scale", minScale), ("max-scale", maxScale), ("mean", mean), ("std", std)]
    var settings = PretrainSettings()
    for (name, value) in single { if let value { try settings.set(name, to: value, origin: "--\(name)") } }
    for (name, values) in lists where !values.isEmpty {
      try settings.set(name, to: values.joined(separator: ","), origin: "--\(name)")
    }
    return settings
  }
}
