package import CSwAV
import SwAVEngine

/// How the arithmetic of a crop is carried out.
public enum AugmentationPrecision: String, Codable, Sendable, CaseIterable {
  /// Vector kernels: a level of 255 off here and there. Images of 16 bits take the exact path.
  case fast
  /// Pillow's results to the bit.
  case exact
}

/// Multi-crop augmentation (paper section 3.2 and appendix A; torchvision and Pillow semantics): what may happen to an
/// image on its way to a crop. Every decision is a pure function of (seed, epoch, sample, crop).
public struct Recipe: Codable, Sendable, Equatable {
  /// Crops in order: all of the first group, then all of the second.
  public var groups: [CropGroup]
  /// 1 or 3; hue, saturation and grayscale need 3 and are skipped for 1.
  public var channels: Int
  /// Width / height of a crop's box, drawn log-uniformly.
  public var minAspect: Float
  public var maxAspect: Float
  public var flipProbability: Float
  public var jitterProbability: Float
  /// Strengths: factors are drawn from max(0, 1 - s) to 1 + s.
  public var brightness: Float
  public var contrast: Float
  public var saturation: Float
  /// The hue moves by up to this part of the circle either way.
  public var hue: Float
  public var grayscaleProbability: Float
  public var blurProbability: Float
  /// Standard deviation of the Gaussian blur, in output pixels.
  public var minSigma: Float
  public var maxSigma: Float
  /// Of samples in 0...1, one for each channel.
  public var mean: [Float]
  public var std: [Float]
  public var precision: AugmentationPrecision
  /// What is decoded, before anything happens to it.
  public var decoding = DecodingOptions.standard

  /// The published recipe, as the engine states it: 2x224 + 6x96.
  public static let published = Recipe(swav_recipe_default())

  /// The published recipe with other crops.
  public init(groups: [CropGroup]) {
    self = .published
    self.groups = groups
  }

  /// The published mean and standard deviation: three numbers each, or for one channel the mean of those three, in thousandths.
  public static func publishedStatistics(channels: Int) -> (mean: [Float], std: [Float]) {
    func values(_ published: [Float]) -> [Float] {
      channels == 1 ? [(published.reduce(0, +) / Float(published.count) * 1000).rounded() / 1000] : published
    }
    return (values(published.mean), values(published.std))
  }

  /// Crops of an image, V in the paper.
  public var cropCount: Int { groups.reduce(0) { $0 + $1.count } }

  /// The group of each crop, in the order of their numbers.
  public var groupOfCrop: [CropGroup] { groups.flatMap { Array(repeating: $0, count: $0.count) } }
}

extension Recipe {
  package init(_ recipe: swav_recipe) {
    let channels = Int(recipe.channels)
    groups = values(recipe.groups, count: Int(recipe.group_count), as: swav_crop_group.self).map {
      // Scales are decimal fractions in the interface of both sides; 0.14 must not read 0.14000000059604645.
      CropGroup(
        count: Int($0.count), size: Int($0.size), minScale: Double("\($0.min_scale)") ?? Double($0.min_scale),
        maxScale: Double("\($0.max_scale)") ?? Double($0.max_scale))
    }
    self.channels = channels
    (minAspect, maxAspect) = (recipe.min_aspect, recipe.max_aspect)
    flipProbability = recipe.flip_probability
    jitterProbability = recipe.jitter_probability
    (brightness, contrast, saturation, hue) = (recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue)
    grayscaleProbability = recipe.grayscale_probability
    blurProbability = recipe.blur_probability
    (minSigma, maxSigma) = (recipe.min_sigma, recipe.max_sigma)
    mean = values(recipe.mean, count: channels, as: Float.self)
    std = values(recipe.std, count: channels, as: Float.self)
    precision = recipe.precision == SWAV_PRECISION_EXACT ? .exact : .fast
  }

  /// How pictures are decoded for the recipe, in the engine's form.
  package var engineDecoding: swav_decode_options { decoding.engine(channels: channels, bits: channels == 1 ? 0 : 8) }

  /// The engine's form. The engine checks the values when it uses them.
  package var engine: swav_recipe {
    var recipe = swav_recipe()
    fill(
      &recipe.groups,
      with: groups.map {
        swav_crop_group(
          count: Int32(clamping: $0.count), size: Int32(clamping: $0.size), min_scale: Float($0.minScale),
          max_scale: Float($0.maxScale))
      })
    recipe.group_count = Int32(clamping: groups.count)
    recipe.channels = Int32(clamping: channels)
    (recipe.min_aspect, recipe.max_aspect) = (minAspect, maxAspect)
    recipe.flip_probability = flipProbability
    recipe.jitter_probability = jitterProbability
    (recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue) = (brightness, contrast, saturation, hue)
    recipe.grayscale_probability = grayscaleProbability
    recipe.blur_probability = blurProbability
    (recipe.min_sigma, recipe.max_sigma) = (minSigma, maxSigma)
    fill(&recipe.mean, with: mean)
    fill(&recipe.std, with: std)
    recipe.precision = precision == .exact ? SWAV_PRECISION_EXACT : SWAV_PRECISION_FAST
    return recipe
  }
}
