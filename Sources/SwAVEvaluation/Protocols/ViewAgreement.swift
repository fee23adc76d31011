public import SwAVAugmentation
public import SwAVData
import SwAVEngine
public import SwAVModel

/// What features are worth, without labels: how many images are known again by another view of them. Two views of each image are
/// made as for training, and of all second views the nearest to the first is sought.
///
/// How far this and other scores without labels go with accuracy: docs/recipes.md, "Choosing without labels".
public struct ViewAgreement: Codable, Sendable, Equatable {
  /// Percent of the images whose own other view is the nearest, 0...100.
  public var agreement: Double
  /// Images that were looked at.
  public var images: Int

  /// The views: so much of an image, at the size that the network is used at.
  private static let scale = (smallest: 0.4, largest: 1.0)
  private static let batch = 64
  /// The same images and views in every run.
  private static let seed: UInt64 = 0x5eed

  /// Looks at up to `limit` images, drawn as for training. `recipe` says how views look; its crops are not used.
  public static func measure(
    _ network: Network, on source: any ImageSource, limit: Int = 1000, recipe: Recipe, options: ReadingOptions = .init()
  ) throws -> ViewAgreement {
    let size = try network.input().size
    var recipe = recipe
    recipe.groups = [CropGroup(count: 2, size: size, minScale: scale.smallest, maxScale: scale.largest)]
    let batch = max(1, min(ViewAgreement.batch, source.drawCount, limit))
    var loading = Loader.Configuration(
      recipe: recipe, seed: seed, batch: batch, epochs: 1, workers: options.workers, maxBadShare: 1)
    loading.readTimeout = options.readTimeout
    let loader = try Loader(source, loading)
    defer { loader.stop() }
    let dim = try network.length(of: .features)
    var (first, second) = ([Float](), [Float]())
    while first.count / dim + batch <= limit {
      try Cancellation.check()
      let features = try loader.withNextBatch { views in
        try network.embed(
          images: views.crops.values(ofGroup: 0), count: 2 * batch, height: size, width: size)
      }
      guard let features else { break }
      first += features[..<(batch * dim)]
      second += features[(batch * dim)...]
    }
    let count = first.count / dim
    guard count >= 2 else { return ViewAgreement(agreement: 0, images: count) }
    let bank = try LabelledFeatures(
      try Features(dim: dim, values: second), labels: (0..<count).map { Int32($0) }, classes: count)
    let found = try NearestNeighbours(neighbours: 1).predict(try Features(dim: dim, values: first), bank: bank)
    let right = found.enumerated().count { Int($1) == $0 }
    return ViewAgreement(agreement: 100 * Double(right) / Double(count), images: count)
  }
}
