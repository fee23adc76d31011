package import CSwAV
public import SwAVEngine

/// Every decision about one crop; pixels are touched later, by ``Image/render(_:)`` or ``Image/pixels(of:recipe:)``.
public struct CropPlan: Sendable, Equatable {
  package var engine: swav_crop_plan

  package init(engine: swav_crop_plan) { self.engine = engine }

  /// Decides crop number `crop` of sample `sample` in epoch `epoch`: a pure function of the arguments.
  public init(
    recipe: Recipe, seed: UInt64, epoch: Int, sample: Int, crop: Int, imageWidth: Int, imageHeight: Int
  ) throws(EngineError) {
    var (recipe, plan) = (recipe.engine, swav_crop_plan())
    try check(
      swav_crop_plan_sample(
        &recipe, seed, UInt64(epoch), UInt64(sample), Int32(clamping: crop), Int32(clamping: imageWidth),
        Int32(clamping: imageHeight), &plan))
    engine = plan
  }

  /// The evaluation view: shorter side to round(size * 256 / 224), centre crop of size x size.
  public static func centre(size: Int, imageWidth: Int, imageHeight: Int) throws(EngineError) -> CropPlan {
    var plan = swav_crop_plan()
    try check(
      swav_crop_plan_centre(Int32(clamping: size), Int32(clamping: imageWidth), Int32(clamping: imageHeight), &plan))
    return CropPlan(engine: plan)
  }

  /// The whole image squeezed to size x size: the thumbnail of the raw-pixel floor.
  public static func whole(size: Int, imageWidth: Int, imageHeight: Int) throws(EngineError) -> CropPlan {
    var plan = swav_crop_plan()
    try check(
      swav_crop_plan_whole(Int32(clamping: size), Int32(clamping: imageWidth), Int32(clamping: imageHeight), &plan))
    return CropPlan(engine: plan)
  }

  /// The largest square at the centre of the image, for people to look at.
  package static func square(size: Int, imageWidth: Int, imageHeight: Int) throws(EngineError) -> CropPlan {
    var plan = try whole(size: size, imageWidth: imageWidth, imageHeight: imageHeight).engine
    let side = Int32(clamping: min(imageWidth, imageHeight))
    (plan.left, plan.top) = ((plan.width - side) / 2, (plan.height - side) / 2)
    (plan.width, plan.height) = (side, side)
    return CropPlan(engine: plan)
  }

  /// Pixels a side of the crop.
  public var size: Int { Int(engine.size) }
  /// The source box in the upright image, in pixels.
  public var box: (left: Int, top: Int, width: Int, height: Int) {
    (Int(engine.left), Int(engine.top), Int(engine.width), Int(engine.height))
  }

  public static func == (a: CropPlan, b: CropPlan) -> Bool {
    let (p, q) = (a.engine, b.engine)
    return a.box == b.box && p.size == q.size && p.resized_width == q.resized_width && p.resized_height == q.resized_height
      && p.offset_x == q.offset_x && p.offset_y == q.offset_y && p.flip == q.flip && p.jitter == q.jitter
      && p.grayscale == q.grayscale && p.blur == q.blur && p.color_order == q.color_order
      && p.color_factor == q.color_factor && p.sigma == q.sigma
  }
}

/// The order in which an epoch visits the samples: a permutation that depends on (seed, epoch, count) only.
public enum EpochOrder {
  /// The sample at `position` (0..<count) of epoch `epoch`, in O(1).
  public static func sample(seed: UInt64, epoch: Int, count: Int, position: Int) -> Int {
    Int(swav_epoch_order(seed, UInt64(epoch), UInt64(count), UInt64(position)))
  }
}
