import ArgumentParser
import SwAV

/// Which pictures are decoded, and what transparent ones lie on: settings of pretrain, as flags of the other verbs.
struct PictureOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Largest pictures that are taken. (default: 178956970)", valueName: "n"))
  var maxPixels: Int?
  @Option(help: ArgumentHelp("Behind transparent pictures: white, gray, #ff8000.", valueName: "colour"))
  var background: String?

  func validate() throws { _ = try decoding() }

  func decoding() throws -> DecodingOptions {
    var decoding = DecodingOptions.standard
    if let maxPixels {
      let allowed = DecodingOptions.allowedPixels
      guard allowed.contains(maxPixels) else {
        throw ValidationError("--max-pixels is \(maxPixels); \(allowed.lowerBound) to \(allowed.upperBound) are allowed")
      }
      decoding.maximumPixels = maxPixels
    }
    if let background, background != "none" {
      guard let color = Background(background) else {
        throw ValidationError("--background is '\(background)'; none, \(Background.allowed) is needed")
      }
      decoding.background = color
    }
    return decoding
  }
}

extension ThreadOptions {
  /// How `pictures` are read.
  func reading(_ pictures: PictureOptions) throws -> ReadingOptions {
    var options: ReadingOptions = reading
    options.decoding = try pictures.decoding()
    options.ranks = LaunchedRanks.group
    return options
  }
}
