import ArgumentParser
import SwAV
import SwAVDiscovery

/// Flags of the verbs that work on an index of images.
struct IndexOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The file of the index.", valueName: "file"))
  var index: String?
  @OptionGroup var pictures: PictureOptions
  @OptionGroup var threads: ThreadOptions

  func reading() throws -> ReadingOptions { try threads.reading(pictures) }

  /// What a stop leaves behind.
  func stopped(at images: [String], weights: String) -> String {
    IndexPlace(weights: weights, images: images, given: index).path.map {
      "what was looked at is in \($0); the same command goes on from there"
    } ?? "the index was to be kept nowhere"
  }

  /// The index of `source`, up to date: the same for all verbs, so that one finds what another has made. `identity` is that of
  /// the weights.
  func upToDate(
    _ source: any ImageSource, at images: [String], _ network: Network, weights: String, identity: [String], size: Int?,
    json: Bool
  ) throws -> ImageIndex {
    let reading = try reading()
    let how = [try Runtime.info().isa, "\(size ?? 0)", "\(reading.decoding)"]
    return try IndexPlace(weights: weights, images: images, given: index).upToDate(
      source, network, size: size, reading: reading, identity: identity + how, json: json)
  }
}
