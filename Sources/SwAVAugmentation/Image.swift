import CSwAV
public import SwAVEngine

/// A decoded picture: 8 or 16 bit samples, [height][width][channels], upright as EXIF or XMP data say.
///
/// Owns its pixels; not copyable, so there is one owner. Use it on one thread at a time.
public struct Image: ~Copyable {
  package let handle: OpaquePointer

  deinit { swav_image_destroy(handle) }

  /// What the header of an encoded image says.
  public struct Info: Sendable, Equatable {
    /// Upright, in pixels.
    public var width: Int
    public var height: Int
    /// 1 gray or 3 RGB.
    public var channels: Int
    /// 8 or 16 a sample.
    public var bits: Int
    /// One of ``formats``.
    public var format: String
    /// Of the stored picture: whether it may be transparent.
    public var hasAlpha: Bool
    /// Four inks in place of colours, and whether they are inverted, as JPEGs with Adobe's marker have them.
    public var inks: Inks
    /// Further frames or pages, which are left out.
    public var hasMore: Bool

    public enum Inks: Sendable { case none, plain, inverted }

    /// Names of the formats, in the order of the engine's numbers; the first one stands for samples that were not decoded.
    public static let formats = ["unknown", "jpeg", "png", "webp", "bmp", "pnm", "gif", "tiff", "heic", "avif"]

    init(_ info: swav_image_info) {
      (width, height) = (Int(info.width), Int(info.height))
      (channels, bits) = (Int(info.channels), Int(info.bits))
      let number = Int(info.format.rawValue)
      format = Info.formats.indices.contains(number) ? Info.formats[number] : Info.formats[0]
      (hasAlpha, hasMore) = (info.has_alpha, info.has_more)
      inks = info.inks == SWAV_INKS_PLAIN ? .plain : info.inks == SWAV_INKS_INVERTED ? .inverted : .none
    }
  }

  /// Decodes a whole image to `channels` channels: 1, 3, or 0 for those that are stored. `bits` is 8, to which 16-bit samples
  /// are reduced, or 0 for what is stored; nil: as training does it, 0 for one channel and 8 otherwise. Throws `.format` for
  /// damaged bytes, `.limit` for more pixels than the options allow.
  public init(
    decoding bytes: [UInt8], channels: Int = 3, bits: Int? = nil, options: DecodingOptions = .standard
  ) throws(EngineError) {
    var options = options.engine(channels: channels, bits: bits ?? (channels == 1 ? 0 : 8))
    var image: OpaquePointer?
    try check(swav_image_decode(bytes, bytes.count, &options, &image))
    guard let image else { throw EngineError(code: .internal, message: "swav_image_decode gave no image") }
    handle = image
  }

  /// Copies 8-bit samples [height][width][channels]; `samples.count` must be their product.
  public init(samples: [UInt8], width: Int, height: Int, channels: Int) throws(EngineError) {
    guard width > 0, height > 0, channels > 0, samples.count == width * height * channels else {
      throw EngineError(
        code: .argument, message: "samples has \(samples.count) bytes; \(width) x \(height) x \(channels) are needed")
    }
    var image: OpaquePointer?
    try check(swav_image_create(samples, Int32(clamping: width), Int32(clamping: height), Int32(clamping: channels), 8, &image))
    guard let image else { throw EngineError(code: .internal, message: "swav_image_create gave no image") }
    handle = image
  }

  /// Reads the header only. Microseconds, whatever the file claims; the first 64 KiB of a file are enough for nearly all.
  public static func probe(_ bytes: [UInt8]) throws(EngineError) -> Info {
    var info = swav_image_info()
    try check(swav_image_probe(bytes, bytes.count, &info))
    return Info(info)
  }

  public func info() throws(EngineError) -> Info {
    var info = swav_image_info()
    try check(swav_image_describe(handle, &info))
    return Info(info)
  }
}

/// Mean and mean square of the samples of each channel, as shares of their maximum, in 0...1.
public struct ChannelMoments: Sendable, Equatable {
  public var mean: [Double]
  public var meanSquare: [Double]
}

extension Image {
  /// Over all pixels. Averaged over images they give normalisation statistics: std = sqrt(meanSquare - mean * mean).
  public func moments() throws(EngineError) -> ChannelMoments {
    let channels = try info().channels
    var moments = ChannelMoments(
      mean: Array(repeating: 0, count: channels), meanSquare: Array(repeating: 0, count: channels))
    try check(swav_image_moments(handle, &moments.mean, &moments.meanSquare))
    return moments
  }

  /// Carries a plan out: 8-bit samples [size][size][channels], what a person sees.
  public func render(_ plan: CropPlan) throws(EngineError) -> [UInt8] {
    var (enginePlan, samples) = (plan.engine, [UInt8](repeating: 0, count: plan.size * plan.size * (try info().channels)))
    try check(swav_crop_render(handle, &enginePlan, &samples))
    return samples
  }

  /// Carries a plan out: float32 [size][size][channels], normalised by the recipe's mean and std.
  public func pixels(of plan: CropPlan, recipe: Recipe) throws(EngineError) -> [Float] {
    var (enginePlan, engineRecipe) = (plan.engine, recipe.engine)
    var pixels = [Float](repeating: 0, count: plan.size * plan.size * recipe.channels)
    try check(swav_crop_execute(handle, &enginePlan, &engineRecipe, &pixels))
    return pixels
  }

  /// Encodes 8-bit samples [height][width][channels] (1 or 3 channels) as baseline JPEG, quality 1...100.
  public static func encodeJPEG(
    _ samples: [UInt8], width: Int, height: Int, channels: Int, quality: Int = 90
  ) throws(EngineError) -> [UInt8] {
    try encode(samples, width: width, height: height, channels: channels) {
      swav_image_encode_jpeg(
        samples, Int32(clamping: width), Int32(clamping: height), Int32(clamping: channels), Int32(clamping: quality), $0, $1,
        $2)
    }
  }

  /// Encodes 8-bit samples [height][width][channels] (1 or 3 channels) as PNG.
  public static func encodePNG(
    _ samples: [UInt8], width: Int, height: Int, channels: Int
  ) throws(EngineError) -> [UInt8] {
    try encode(samples, width: width, height: height, channels: channels) {
      swav_image_encode_png(samples, Int32(clamping: width), Int32(clamping: height), Int32(clamping: channels), $0, $1, $2)
    }
  }

  /// Calls `encoder` with a buffer that fits nearly always, and once more with what it asked for.
  private static func encode(
    _ samples: [UInt8], width: Int, height: Int, channels: Int,
    encoder: (UnsafeMutableRawPointer?, Int, UnsafeMutablePointer<Int>) -> swav_status
  ) throws(EngineError) -> [UInt8] {
    guard width > 0, height > 0, samples.count == width * height * channels else {
      throw EngineError(
        code: .argument, message: "samples has \(samples.count) bytes; \(width) x \(height) x \(channels) are needed")
    }
    var (buffer, size) = ([UInt8](repeating: 0, count: samples.count + 4096), 0)
    var status = encoder(&buffer, buffer.count, &size)
    if status == SWAV_ERROR_LIMIT, size > buffer.count {
      buffer = [UInt8](repeating: 0, count: size)
      status = encoder(&buffer, buffer.count, &size)
    }
    try check(status)
    buffer.removeSubrange(size...)
    return buffer
  }
}
