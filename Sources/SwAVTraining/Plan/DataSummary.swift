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

  /// Looks at up to 64 images, evenly spaced. Throws where none of them is an image.
  public init(of source: any ImageSource) throws(DataError) {
    let looked = min(64, source.count)
    guard looked > 0 else { throw DataError(.unusable, "there are no images") }
    var (sides, gray, deep, reason) = ([Int](), 0, 0, "")
    for index in 0..<looked {
      let sample = index * source.count / looked
      do {
        let info = try Image.probe(try source.beginning(of: sample))
        guard info.width > 0 && info.height > 0 else { continue }
        sides.append(min(info.width, info.height))
        if info.channels == 1 { gray += 1 }
        if info.channels == 1 && info.bits == 16 { deep += 1 }
      } catch {
        if reason.isEmpty { reason = "\(source.name(of: sample)): \(error)" }
      }
    }
    guard !sides.isEmpty else {
      throw DataError(.unusable, "none of \(looked) files looked at is an image that can be read; the first: \(reason)")
    }
    count = source.drawCount
    typicalSide = sides.sorted()[sides.count / 2]
    (isGray, isDeep) = (gray == sides.count, gray == sides.count && deep > 0)
  }
}

extension ImageSource {
  /// Enough bytes to read the size from: a file's beginning, or all of a sample.
  fileprivate func beginning(of sample: Int) throws -> [UInt8] {
    let head = try head(of: sample, limit: 1 << 18)
    // Large metadata can push the size of a JPEG further back.
    if (try? Image.probe(head)) != nil { return head }
    return try bytes(of: sample)
  }
}
