import SwAVAugmentation

/// Mean and standard deviation of the channels, of samples in 0...1: what the settings `channels`, `mean` and `std` take.
///
/// Every image counts the same, whatever its size, as every image gives the same number of crops.
public struct ChannelStatistics: Codable, Sendable, Equatable {
  /// 1 or 3.
  public var channels: Int
  public var mean: [Double]
  public var std: [Double]
}

/// Sums over images. Gray and coloured ones are kept apart until it is known which the statistics are for.
struct MomentSums: Sendable {
  private struct Sum: Sendable {
    var images = 0
    var mean = [0.0, 0, 0]
    var meanSquare = [0.0, 0, 0]

    mutating func add(_ other: Sum) {
      images += other.images
      for channel in 0..<3 {
        mean[channel] += other.mean[channel]
        meanSquare[channel] += other.meanSquare[channel]
      }
    }
  }

  private var gray = Sum()
  private var color = Sum()

  mutating func add(_ moments: ChannelMoments) {
    func spread(_ values: [Double]) -> [Double] { values.count == 3 ? values : Array(repeating: values[0], count: 3) }
    let sum = Sum(images: 1, mean: spread(moments.mean), meanSquare: spread(moments.meanSquare))
    if moments.mean.count == 3 { color.add(sum) } else { gray.add(sum) }
  }

  mutating func add(_ other: MomentSums) {
    gray.add(other.gray)
    color.add(other.color)
  }

  /// Nil where nothing was added. With `channels` 0 it is 1 where all images were gray and 3 otherwise.
  func statistics(channels: Int) -> ChannelStatistics? {
    var all = gray
    all.add(color)
    guard all.images > 0 else { return nil }
    let used = channels == 0 ? (color.images == 0 ? 1 : 3) : channels
    let mean = all.mean.prefix(used).map { $0 / Double(all.images) }
    let std = zip(all.meanSquare, mean).map { square, mean in
      max(0, square / Double(all.images) - mean * mean).squareRoot()
    }
    return ChannelStatistics(channels: used, mean: mean, std: std)
  }
}
