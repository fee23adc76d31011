import SwAVAugmentation
public import SwAVData
import SwAVEngine

/// What planning needs to know of the images: how many there are and how large they are.
public struct DataSummary: Sendable, Equatable {
  /// Images of an epoch.
  public var count: Int
  /// Median of the shorter sides in pixels.
  public var typicalSide: Int
  /// Whether all images looked at are stored as gray, and whether any of those has 16 bits.
  public var isGray = false
  public var isDeep = false

  public init(count: Int, typicalSide: Int) { (self.count, self.typicalSide) = (count, typicalSide) }

  /// Looks at up to 64 images, evenly spaced. What the calling thread watches (``Cancellation``) calls it off. Throws where none
  /// of them is an image.
  public init(of source: any ImageSource) throws(DataError) {
    do {
      self = try onSideThread("the images") { isCancelled in try DataSummary(of: source, isCancelled) }
    } catch {
      throw error as? DataError ?? DataError(.unusable, "\(error)")
    }
  }

  private init(of source: any ImageSource, _ isCancelled: () -> Bool) throws {
    let samples = spread(64, over: source.count)
    guard !samples.isEmpty else { throw DataError(.unusable, "there are no images") }
    let reads = TimedReads(source, seconds: Loader.defaultReadTimeout)
    var (sides, gray, deep, reason) = ([Int](), 0, 0, "")
    for sample in samples where !isCancelled() {
      do {
        let info = try reads.probe(sample).info
        guard info.width > 0 && info.height > 0 else { continue }
        sides.append(min(info.width, info.height))
        if info.channels == 1 { gray += 1 }
        if info.channels == 1 && info.bits == 16 { deep += 1 }
      } catch let error as DataError where error.kind == .stalled {
        throw error
      } catch {
        if reason.isEmpty { reason = "\(source.name(of: sample)): \(error)" }
      }
    }
    guard !sides.isEmpty else {
      throw DataError(.unusable, "none of \(samples.count) files looked at is an image that can be read; the first: \(reason)")
    }
    count = source.drawCount
    typicalSide = sides.sorted()[sides.count / 2]
    (isGray, isDeep) = (gray == sides.count, gray == sides.count && deep > 0)
  }
}
