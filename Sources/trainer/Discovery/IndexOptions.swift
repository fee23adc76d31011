import ArgumentParser
import SwAV
import SwAVDiscovery

/// Flags of the verbs that work on an index of images.
struct IndexOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Where features are kept for the next command; beside the weights unless given.", valueName: "file"))
  var index: String?
  @OptionGroup var pictures: PictureOptions
  @OptionGroup var threads: ThreadOptions

  func reading() throws -> ReadingOptions { try threads.reading(pictures) }

  private func place(_ images: [String], _ weights: String, _ output: Output) -> IndexPlace {
    IndexPlace(weights: weights, images: images, output: output, given: index)
  }

  /// What a stop leaves behind.
  func stopped(at images: [String], weights: String, output: Output = .features) -> String {
    place(images, weights, output).path.map { "what was looked at is in \($0), and the same command goes on from there" }
      ?? "there is no index of untrained weights unless --index names one"
  }

  /// The index of `source`, up to date: the same for all verbs, so that one finds what another has made. `identity` is that of
  /// the weights.
  func upToDate(
    _ source: any ImageSource, at images: [String], _ network: Network, weights: String, identity: [String], size: Int?,
    output: Output = .features, json: Bool
  ) throws -> ImageIndex {
    let reading = try reading()
    let how = [try Runtime.info().isa, "\(size ?? 0)", "\(reading.decoding)", output.rawValue]
    return try place(images, weights, output).upToDate(
      source, network, size: size, reading: reading, identity: identity + how, json: json)
  }

  /// The features of all images of `source` that can be read, of unit norm, from the index where it has them.
  func features(of source: any ImageSource, at images: [String], _ network: WeightsOptions, json: Bool) throws -> Features {
    let opened = try network.open(json: json)
    return try upToDate(
      source, at: images, opened, weights: network.weights, identity: try network.identity(), size: network.size, json: json
    ).features
  }
}
