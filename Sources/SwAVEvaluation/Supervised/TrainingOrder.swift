import Glibc
import SwAVAugmentation
import SwAVData

/// Labelled samples that are learned from, in an order of their own each epoch: a pure function of the seed.
struct TrainingSet {
  /// Of the source; those that could be read.
  let samples: [Int]
  /// Of each of them.
  let labels: [Int32]

  var count: Int { samples.count }

  /// Positions of an epoch, 0..<count, shuffled.
  func order(seed: UInt64, epoch: Int) -> [Int] {
    (0..<count).map { EpochOrder.sample(seed: seed, epoch: epoch, count: count, position: $0) }
  }

  func subset(_ positions: [Int]) -> TrainingSet {
    TrainingSet(samples: positions.map { samples[$0] }, labels: positions.map { labels[$0] })
  }

  /// Parts of it as positions: of every class `share` of its images, one at least where it has two, drawn by the seed; and the rest.
  func split(share: Double, seed: UInt64) -> (drawn: [Int], rest: [Int]) {
    let drawn = Set(
      positionsOfClasses.flatMap { positions -> [Int] in
        guard positions.count > 1 else { return [] }
        let wanted = min(positions.count - 1, max(1, Int((Double(positions.count) * share).rounded())))
        return draw(wanted, of: positions, seed: seed)
      })
    return ((0..<count).filter(drawn.contains), (0..<count).filter { !drawn.contains($0) })
  }

  var positionsOfClasses: [[Int]] {
    var found: [Int32: [Int]] = [:]
    for (position, label) in labels.enumerated() { found[label, default: []].append(position) }
    return found.keys.sorted().compactMap { found[$0] }
  }
}

/// `count` of `items`, drawn without replacement; ascending by their places.
func draw<T>(_ count: Int, of items: [T], seed: UInt64) -> [T] {
  (0..<min(count, items.count)).map { EpochOrder.sample(seed: seed, epoch: 0, count: items.count, position: $0) }.sorted().map {
    items[$0]
  }
}

/// A learning rate over epochs.
public enum RateSchedule: Sendable, Equatable {
  /// rate / 2 (1 + cos(pi epoch / epochs)): towards 0.
  case cosine
  /// Times `factor` from each of these shares of the epochs on.
  case steps(at: [Double], factor: Double)

  /// What the rate is multiplied by in `epoch` of `epochs`, from 0.
  public func factor(epoch: Int, of epochs: Int) -> Double {
    switch self {
    case .cosine: 0.5 * (1 + cos(Double.pi * Double(epoch) / Double(epochs)))
    case .steps(let shares, let factor):
      shares.reduce(1) { Double(epoch) >= ($1 * Double(epochs)).rounded() ? $0 * factor : $0 }
    }
  }
}
