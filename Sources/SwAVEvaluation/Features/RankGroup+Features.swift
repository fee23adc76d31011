import Foundation
import SwAVData
import SwAVEngine

extension RankGroup {
  /// What belongs to the rows of a batch.
  private struct Labels: Codable {
    var samples: [Int]
    var contents: [UInt64]
    var bad: [BadSample]
  }

  /// The batches of all ranks that have one, in their order. Collective.
  func gather(_ own: Features?, dim: Int) throws -> [Features] {
    let labels = try gather(own.map { Labels(samples: $0.samples, contents: $0.contents, bad: $0.bad) })
    let values = try gather(own?.values.withUnsafeBytes { Array($0) } ?? [])
    return zip(labels, values).compactMap { labels, bytes in
      guard let labels else { return nil }
      let rows = [Float](unsafeUninitializedCapacity: bytes.count / MemoryLayout<Float>.stride) { rows, count in
        count = bytes.count / MemoryLayout<Float>.stride
        bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(rows).copyMemory(from: $0) }
      }
      return Features(unchecked: dim, rows, labels.samples, labels.contents, labels.bad)
    }
  }
}
