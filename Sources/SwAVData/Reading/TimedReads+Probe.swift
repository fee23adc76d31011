package import SwAVAugmentation

extension TimedReads {
  /// What the header of a sample says, and the first bytes that were looked at. Reads little of most files: 4 KiB hold the
  /// headers of nearly all.
  package func probe(_ sample: Int) throws -> (info: Image.Info, beginning: [UInt8]) {
    let beginning = try head(of: sample, limit: 1 << 12)
    if let info = try? Image.probe(beginning) { return (info, beginning) }
    // Large metadata push the size of a JPEG further back, and other formats keep it at the end.
    if beginning.count == 1 << 12, let info = try? Image.probe(try head(of: sample, limit: 1 << 18)) {
      return (info, beginning)
    }
    return (try Image.probe(try bytes(of: sample)), beginning)
  }
}
