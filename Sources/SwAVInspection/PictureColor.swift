import SwAVAugmentation
import SwAVEngine

/// The colours of a picture, of a thumbnail of it.
struct PictureColor: Sendable, Equatable {
  /// Mean difference of the largest and the smallest channel, 0...1: 0 for gray.
  var chroma: Double
  /// The same as a share of the largest channel; black counts as 0.
  var saturation: Double
  /// Standard deviation of the brightness, 0...0.5.
  var contrast: Double
  /// Mean of red, green and blue, 0...1.
  var mean: SIMD3<Double>

  /// Pixels a side of the thumbnail.
  static let side = 32

  init(of image: borrowing Image) throws(EngineError) {
    let info = try image.info()
    let plan = try CropPlan.whole(size: PictureColor.side, imageWidth: info.width, imageHeight: info.height)
    var recipe = Recipe.published
    (recipe.channels, recipe.mean, recipe.std) =
      (info.channels, Array(repeating: 0, count: info.channels), Array(repeating: 1, count: info.channels))
    self.init(try image.pixels(of: plan, recipe: recipe), channels: info.channels)
  }

  /// `samples` are [pixels][channels] in 0...1; channels is 1 or 3.
  init(_ samples: [Float], channels: Int) {
    let count = samples.count / channels
    var (chroma, saturation, mean) = (0.0, 0.0, SIMD3<Double>())
    var (light, lightSquare) = (0.0, 0.0)
    for pixel in 0..<count {
      let color = SIMD3<Double>((0..<3).map { Double(samples[pixel * channels + $0 % channels]) })
      let spread = color.max() - color.min()
      chroma += spread
      if color.max() > 0 { saturation += spread / color.max() }
      mean += color
      let brightness = (color * SIMD3(0.299, 0.587, 0.114)).sum()
      light += brightness
      lightSquare += brightness * brightness
    }
    let scale = 1 / Double(max(1, count))
    (self.chroma, self.saturation, self.mean) = (chroma * scale, saturation * scale, mean * scale)
    contrast = max(0, lightSquare * scale - light * light * scale * scale).squareRoot()
  }

  /// Two levels of 255, on average: less than what compression leaves in gray pictures that are stored as colour ones.
  static let grayChroma = 2.0 / 255

  /// Gray to the eye, however it is stored.
  var isGray: Bool { chroma <= PictureColor.grayChroma }
}

/// Sums over pictures.
struct ColorSums: Sendable {
  private var pictures = 0
  private var gray = 0
  private var chroma = 0.0
  private var saturation = 0.0
  private var contrast = 0.0
  private var mean = SIMD3<Double>()
  private var meanSquare = SIMD3<Double>()

  init() {}

  mutating func add(_ color: PictureColor) {
    pictures += 1
    if color.isGray { gray += 1 }
    chroma += color.chroma
    saturation += color.saturation
    contrast += color.contrast
    mean += color.mean
    meanSquare += color.mean * color.mean
  }

  mutating func add(_ other: ColorSums) {
    pictures += other.pictures
    gray += other.gray
    chroma += other.chroma
    saturation += other.saturation
    contrast += other.contrast
    mean += other.mean
    meanSquare += other.meanSquare
  }

  /// nil without pictures.
  var facts: ColorFacts? {
    guard pictures > 0 else { return nil }
    let scale = 1 / Double(pictures)
    let variance = (meanSquare * scale - mean * scale * mean * scale).sum()
    return ColorFacts(
      grayShare: Double(gray) * scale, chroma: chroma * scale, saturation: saturation * scale, contrast: contrast * scale,
      spread: max(0, variance).squareRoot())
  }
}
