import SwAVData

/// What a plan for training needs to know of images, as one value: how many and how large they are, how they are stored, what
/// colours they have, and how many are there twice.
///
/// ``DataFacts/look(at:pixels:headers:workers:)`` finds it in seconds; a ``DataInspection`` finds the same of all images.
public struct DataFacts: Codable, Sendable, Equatable {
  /// Samples of the source.
  public var images: Int
  /// Draws of an epoch: `images`, unless sources have weights.
  public var draws: Int
  public var classes: Int
  /// Images whose headers were read, evenly spaced: all, unless there are very many.
  public var headers: Int
  /// Of those: files that are no images or cannot be read.
  public var broken: Int
  /// Shorter side in pixels, upright, of the rest.
  public var shortSide: Spread
  /// Longer side in units of the shorter one.
  public var elongation: Spread
  /// Of those: stored as gray, with 16 bits a sample.
  public var gray: Int
  public var deep: Int
  /// Of those: copies of an earlier one, byte for byte.
  public var duplicates: Int
  /// Images whose pixels were looked at: two neighbours each at places that are evenly spaced, or all.
  public var pixels: Int
  /// Of those: files with a good header that do not decode.
  public var undecodable: Int
  /// Of those that decode: such as look like another one of them. Neighbours in a folder are the likeliest.
  public var nearDuplicates: Int
  /// nil where none decodes.
  public var color: ColorFacts?
  /// Of the images whose pixels were looked at, where they were asked for; nil where none decodes.
  public var statistics: ChannelStatistics?

  /// Whether all images looked at are stored as gray, and as gray of 16 bits.
  package var isGray: Bool { gray > 0 && gray == headers - broken }
  package var isDeepGray: Bool { isGray && deep == gray }

  /// How a number is distributed.
  public struct Spread: Codable, Sendable, Equatable {
    public var smallest: Double
    public var tenth: Double
    public var quarter: Double
    public var median: Double
    public var threeQuarters: Double
    public var nineTenths: Double
    public var largest: Double

    /// All 0 without values.
    init(_ values: [Double]) {
      let sorted = values.sorted()
      func quantile(_ share: Double) -> Double {
        sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
      }
      (smallest, tenth, quarter, median) = (quantile(0), quantile(0.1), quantile(0.25), quantile(0.5))
      (threeQuarters, nineTenths, largest) = (quantile(0.75), quantile(0.9), quantile(1))
    }
  }
}

/// The colours of pictures; all are means over pictures, of thumbnails.
public struct ColorFacts: Codable, Sendable, Equatable {
  /// Share of pictures that are gray to the eye, however they are stored.
  public var grayShare: Double
  /// Difference of the largest and the smallest channel, 0...1, and the same as a share of the largest.
  public var chroma: Double
  public var saturation: Double
  /// Standard deviation of the brightness inside a picture, 0...0.5. Near 0: pictures with nothing in them.
  public var contrast: Double
  /// How far the mean colours of the pictures lie apart: the root of the sum of their channels' variances. Large where colour
  /// alone tells pictures apart.
  public var spread: Double
}

extension DataFacts {
  /// Facts that are told and not looked at: so many images in color of one size, all different.
  public init(images: Int, shortSide: Int) {
    (self.images, draws, classes, headers, broken) = (images, images, 0, images, 0)
    (self.shortSide, elongation) = (Spread([Double(shortSide)]), Spread([1]))
    (gray, deep, duplicates, pixels, undecodable, nearDuplicates) = (0, 0, 0, 0, 0, 0)
  }

  init(
    of source: any ImageSource, headers: Int, sizes: [(width: Int, height: Int)], gray: Int, deep: Int,
    duplicates: Int, pixels: Int, undecodable: Int, nearDuplicates: Int, color: ColorFacts?, statistics: ChannelStatistics?
  ) {
    (images, draws, classes) = (source.count, source.drawCount, source.classNames.count)
    (self.headers, broken) = (headers, headers - sizes.count)
    shortSide = Spread(sizes.map { Double(min($0.width, $0.height)) })
    elongation = Spread(sizes.map { Double(max($0.width, $0.height)) / Double(max(1, min($0.width, $0.height))) })
    (self.gray, self.deep, self.duplicates) = (gray, deep, duplicates)
    (self.pixels, self.undecodable, self.nearDuplicates) = (pixels, undecodable, nearDuplicates)
    (self.color, self.statistics) = (color, statistics)
  }
}
