package import SwAVEngine

/// The crops of one batch of images, as a training step takes them: groups of crops of one size, in memory that somebody lends.
///
/// A value is made for the length of a call and cannot be copied; its groups have the numbers that they claim to have.
public struct CropBatch: ~Copyable {
  /// Crops of one size.
  public struct Group: Sendable, Equatable {
    /// Crops of each image.
    public var count: Int
    /// Pixels a side.
    public var size: Int

    public init(count: Int, size: Int) { (self.count, self.size) = (count, size) }
  }

  public let groups: [Group]
  /// B.
  public let images: Int
  public let channels: Int
  private let pixels: [UnsafeBufferPointer<Float>]

  /// Lends the memory of `pixels`, one piece a group: [count * images][size][size][channels], crop-major (row v * images + b). It
  /// must not change as long as the batch lives. Throws `.argument` where a piece has another number of values.
  package init(
    lending pixels: [UnsafeBufferPointer<Float>], groups: [Group], images: Int, channels: Int
  ) throws(EngineError) {
    guard pixels.count == groups.count else {
      throw EngineError(code: .argument, message: "crops has \(pixels.count) groups; \(groups.count) are needed")
    }
    for (piece, group) in zip(pixels, groups) {
      let needed = group.count * images * group.size * group.size * channels
      guard piece.count == needed else {
        throw EngineError(code: .argument, message: "a group of crops has \(piece.count) numbers; \(needed) are needed")
      }
    }
    (self.pixels, self.groups, self.images, self.channels) = (pixels, groups, images, channels)
  }

  /// Lends the numbers of group number `index`: [count * images][size][size][channels] float32, crop-major (row v * images + b).
  public borrowing func withPixels<R>(ofGroup index: Int, _ body: (Span<Float>) throws -> R) rethrows -> R {
    try body(pixels[index].span)
  }

  /// A copy of the numbers of group number `index`.
  public borrowing func values(ofGroup index: Int) -> [Float] { Array(pixels[index]) }

  /// The memory of every group, valid while the batch lives.
  package borrowing func withPointers<R, Failure: Error>(
    _ body: ([UnsafePointer<Float>?]) throws(Failure) -> R
  ) throws(Failure) -> R {
    try body(pixels.map(\.baseAddress))
  }
}
