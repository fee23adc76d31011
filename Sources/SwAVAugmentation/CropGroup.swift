import CSwAV

/// Crops of one size: `count` views of `size` x `size` pixels, each covering an area fraction of the image drawn uniformly
/// from `minScale` to `maxScale` (paper section 3.2).
public struct CropGroup: Codable, Sendable, Equatable {
  public var count: Int
  /// Pixels a side.
  public var size: Int
  public var minScale: Double
  public var maxScale: Double

  public init(count: Int, size: Int, minScale: Double, maxScale: Double) {
    self.count = count
    self.size = size
    self.minScale = minScale
    self.maxScale = maxScale
  }
}

/// Text that is not a list of crops.
public struct CropSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
  public let text: String
  /// What is wrong with it and what would be right.
  public let reason: String
  public var description: String { "crops '\(text)': \(reason)" }
}

extension CropGroup {
  /// The area fractions of the paper for group number `index` of `count`: large crops (0.14, 1), small ones (0.05, 0.14);
  /// a single group covers (0.08, 1).
  public static func publishedScale(group index: Int, of count: Int) -> (min: Double, max: Double) {
    if count == 1 { return (0.08, 1) }
    return index == 0 ? (0.14, 1) : (0.05, 0.14)
  }

  /// Reads "2x224+6x96": counts and sizes, groups joined by "+". Scales are the published ones.
  ///
  /// A group has 1 to 64 crops of 8 to 1024 pixels, and there are 1 to 8 groups.
  public static func parse(_ text: String) throws(CropSyntaxError) -> [CropGroup] {
    let parts = text.split(separator: "+", omittingEmptySubsequences: false)
    guard parts.count <= SWAV_MAX_GROUPS else {
      throw CropSyntaxError(text: text, reason: "\(parts.count) groups; 1 to \(SWAV_MAX_GROUPS) are allowed")
    }
    var groups: [CropGroup] = []
    for part in parts {
      let numbers = part.split(separator: "x", omittingEmptySubsequences: false)
      guard numbers.count == 2, let count = decimal(numbers[0]), let size = decimal(numbers[1]) else {
        throw CropSyntaxError(text: text, reason: "'\(part)' is not COUNTxSIZE; write it as 2x224+6x96")
      }
      guard (1...Int(SWAV_MAX_GROUP_CROPS)).contains(count) else {
        throw CropSyntaxError(
          text: text, reason: "\(count) crops in '\(part)'; 1 to \(SWAV_MAX_GROUP_CROPS) are allowed")
      }
      guard (8...1024).contains(size) else {
        throw CropSyntaxError(text: text, reason: "\(size) pixels in '\(part)'; 8 to 1024 are allowed")
      }
      let scale = publishedScale(group: groups.count, of: parts.count)
      groups.append(CropGroup(count: count, size: size, minScale: scale.min, maxScale: scale.max))
    }
    return groups
  }

  /// "2x224+6x96", which ``parse(_:)`` reads.
  public static func describe(_ groups: [CropGroup]) -> String {
    groups.map { "\($0.count)x\($0.size)" }.joined(separator: "+")
  }
}

/// Digits only: `Int` would also take a sign.
private func decimal(_ text: Substring) -> Int? {
  text.allSatisfy(\.isASCII) && text.allSatisfy(\.isNumber) ? Int(text) : nil
}
