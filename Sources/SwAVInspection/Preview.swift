import CSwAV
public import SwAVAugmentation
public import SwAVData
public import SwAVEngine

/// A sheet of what the network will see: a row an image, with the whole image and the boxes of its crops on the left, then the
/// crops, each framed in the colour of its box.
///
/// The crops are those of training: image by image in the order of the epoch, with the same random decisions and the same
/// arithmetic, before normalisation. (Of large photographs training decodes a reduced version where every crop shrinks it by
/// four or more; here all of it is decoded.)
public struct Preview: Sendable {
  public var recipe: Recipe
  /// Images, and so rows.
  public var count = 8
  public var seed: UInt64 = 0
  public var epoch = 0
  /// Seconds after which a read is given up and the image passed over; 0: never.
  public var readTimeout = Loader.defaultReadTimeout

  public init(recipe: Recipe) { self.recipe = recipe }

  /// A painted sheet.
  public struct Sheet: Sendable {
    public let width: Int
    public let height: Int
    /// [height][width][3], 8 bits.
    public let samples: [UInt8]
    /// Samples of the rows.
    public let rows: [Int]
    /// Images that came in between and could not be decoded.
    public let bad: [BadSample]

    public func png() throws(EngineError) -> [UInt8] {
      try Image.encodePNG(samples, width: width, height: height, channels: 3)
    }
  }

  /// A larger sheet is refused: 0.6 GB in memory.
  static let maximumPixels = 200_000_000

  /// Paints the first images of the epoch; those that do not decode are passed over. What the calling thread watches
  /// (``Cancellation``) calls it off. Throws `.unusable` when none decodes, or the sheet would be larger than 200 megapixels.
  public func paint(_ source: any ImageSource) throws -> Sheet {
    try onSideThread("the preview") { isCancelled in try paint(source, isCancelled) }
  }

  private func paint(_ source: any ImageSource, _ isCancelled: () -> Bool) throws -> Sheet {
    let layout = PreviewLayout(recipe: recipe, rows: min(count, source.drawCount))
    guard layout.width * layout.height <= Preview.maximumPixels else {
      throw DataError(
        .unusable,
        "the sheet would have \(layout.width) x \(layout.height) pixels; take fewer images, or fewer or smaller crops")
    }
    let reads = TimedReads(source, seconds: readTimeout)
    var canvas = Canvas(width: layout.width, height: layout.height, level: 24)
    var (rows, bad) = ([Int](), [BadSample]())
    for position in 0..<source.drawCount where rows.count < layout.rows {
      if isCancelled() { throw DataError.calledOff("the preview") }
      let draw = EpochOrder.sample(seed: seed, epoch: epoch, count: source.drawCount, position: position)
      let sample = source.sample(ofDraw: draw, seed: seed, epoch: epoch)
      do {
        let picture = try Picture(try reads.bytes(of: sample), recipe: recipe)
        try paint(picture, draw: draw, row: rows.count, layout, &canvas)
        rows.append(sample)
      } catch let error as EngineError where error.code != .format && error.code != .unsupported && error.code != .limit {
        throw error
      } catch let error as DataError where error.kind == .stalled {
        throw error
      } catch {
        bad.append(BadSample(sample: sample, name: source.name(of: sample), reason: "\(error)"))
      }
    }
    guard !rows.isEmpty else {
      throw DataError(.unusable, "none of \(source.count) images can be decoded; the first: \(bad.first?.reason ?? "")")
    }
    return Sheet(
      width: layout.width, height: layout.height(rows: rows.count),
      samples: Array(canvas.samples.prefix(layout.width * layout.height(rows: rows.count) * 3)), rows: rows, bad: bad)
  }

  private func paint(
    _ picture: borrowing Picture, draw: Int, row: Int, _ layout: PreviewLayout, _ canvas: inout Canvas
  ) throws {
    let area = layout.original(row: row, imageWidth: picture.width, imageHeight: picture.height)
    try picture.paintWhole(in: area, &canvas)
    let plans = try (0..<recipe.cropCount).map { crop throws(EngineError) in
      try CropPlan(
        recipe: recipe, seed: seed, epoch: epoch, sample: draw, crop: crop, imageWidth: picture.width,
        imageHeight: picture.height)
    }
    for (crop, plan) in plans.enumerated() {
      let (color, box) = (PreviewLayout.color(of: crop), layout.box(plan, in: area, imageWidth: picture.width))
      // A dark line on both sides shows the coloured one on any ground.
      canvas.frame(box, thickness: 4, (0, 0, 0))
      canvas.frame(box.grown(by: -1), thickness: 2, color)
      let place = layout.place(of: crop, row: row)
      canvas.frame(place, thickness: PreviewLayout.frame, color)
      let inner = place.grown(by: -PreviewLayout.frame)
      canvas.place(try picture.samples(of: plan), side: plan.size, left: inner.left, top: inner.top, scale: layout.scale)
    }
  }
}

/// A decoded image and how its samples become levels of 255.
private struct Picture: ~Copyable {
  private let image: Image
  private let recipe: Recipe
  let width: Int
  let height: Int
  /// Samples at and below `dark` are black, at and above `bright` white. 0 and 1, except that images of 16 bits, of which
  /// instruments may fill the lowest part only, are stretched to what they use.
  private let dark: Float
  private let bright: Float

  init(_ bytes: [UInt8], recipe: Recipe) throws(EngineError) {
    let image = try Image(decoding: bytes, channels: recipe.channels, options: recipe.decoding)
    let info = try image.info()
    var plain = recipe
    (plain.mean, plain.std) = (recipe.mean.map { _ in 0 }, recipe.std.map { _ in 1 })
    var range: (dark: Float, bright: Float) = (0, 1)
    if info.bits == 16 {
      let whole = try CropPlan.whole(size: 64, imageWidth: info.width, imageHeight: info.height)
      let thumbnail = try image.pixels(of: whole, recipe: plain)
      range = (thumbnail.min() ?? 0, thumbnail.max() ?? 1)
      if range.bright <= range.dark { range.bright = range.dark + 1 }
    }
    (width, height) = (info.width, info.height)
    (dark, bright) = range
    self.recipe = plain
    self.image = image
  }

  /// A crop as a person sees it, [size][size][channels].
  func samples(of plan: CropPlan) throws(EngineError) -> [UInt8] {
    try image.pixels(of: plan, recipe: recipe).map { UInt8(min(max(($0 - dark) / (bright - dark), 0), 1) * 255 + 0.5) }
  }

  /// The whole image in a rectangle. The engine makes squares, so the rectangle is laid out with them.
  func paintWhole(in area: Canvas.Rectangle, _ canvas: inout Canvas) throws(EngineError) {
    let side = min(area.width, area.height)
    var plan = swav_crop_plan()
    (plan.width, plan.height) = (Int32(width), Int32(height))
    (plan.resized_width, plan.resized_height, plan.size) = (Int32(area.width), Int32(area.height), Int32(side))
    plan.color_order = (0, 1, 2, 3)
    plan.color_factor = (1, 1, 1, 0)
    for top in Picture.starts(side, covering: area.height) {
      for left in Picture.starts(side, covering: area.width) {
        (plan.offset_x, plan.offset_y) = (Int32(left), Int32(top))
        canvas.place(
          try samples(of: CropPlan(engine: plan)), side: side, left: area.left + left, top: area.top + top)
      }
    }
  }

  /// Where squares begin that cover a length: side by side, and the last one at the end.
  private static func starts(_ side: Int, covering length: Int) -> [Int] {
    Array(stride(from: 0, to: length - side, by: side)) + [length - side]
  }
}
