package import SwAVEngine

/// A batch of normalised images [count][height][width][channels] in memory that somebody lends for the length of a call; it has
/// the numbers that it claims to have.
package struct ImageBatch: ~Copyable {
  let pixels: UnsafeBufferPointer<Float>
  package let count: Int
  let (height, width): (Int32, Int32)
  private let channels: Int

  /// Throws `.argument` unless `pixels` are that many whole images.
  package init(
    lending pixels: UnsafeBufferPointer<Float>, count: Int, height: Int, width: Int, channels: Int
  ) throws(EngineError) {
    var (needed, overflows) = (1, false)
    for extent in [count, height, width, channels] {
      let (product, overflow) = needed.multipliedReportingOverflow(by: extent)
      (needed, overflows) = (product, overflows || overflow || extent < 1)
    }
    guard !overflows, pixels.count == needed else {
      let right = overflows ? "\(count) x \(height) x \(width) x \(channels) are none that can be" : "\(needed) are needed"
      throw EngineError(code: .argument, message: "images has \(pixels.count) numbers; \(right)")
    }
    (self.pixels, self.count, self.channels) = (pixels, count, channels)
    (self.height, self.width) = (Int32(clamping: height), Int32(clamping: width))
  }

  func checkChannels(of network: Network) throws(EngineError) {
    let needed = try network.info().configuration.channels
    guard channels == needed else {
      throw EngineError(code: .argument, message: "images have \(channels) channels; the network takes \(needed)")
    }
  }
}
