import SwAVEngine

/// How far a figure moves with the validation images that happened to be drawn: the figure again on samples of as many images, drawn
/// from them with replacement; what lies between the 2.5 % below and above (Efron and Tibshirani, "An introduction to the bootstrap",
/// 1993, section 13.3). The seed is always the same: so is the interval.
struct Bootstrap {
  /// Draws of one image in all, at most: 1000 samples of 20,000 images, fewer of more.
  private static let mostDraws = 20_000_000
  private static let samples = 40...1000

  let images: Int
  let count: Int

  /// `share` of the samples that there would be otherwise, for figures that are dear.
  init(images: Int, share: Double = 1) {
    self.images = images
    let affordable = Bootstrap.mostDraws / max(1, images)
    let wanted = Int(Double(Bootstrap.samples.upperBound) * share)
    count = max(min(affordable, wanted), Bootstrap.samples.lowerBound)
  }

  /// The interval of each figure, which is computed from how often each image was drawn. Nil for fewer than 2 images.
  func intervals(_ figures: [([Int32]) -> Double]) -> [ClosedRange<Double>?] {
    samples(of: figures).map { $0.map(interval) }
  }

  /// The same for figures that are larger where some images come twice and others not at all, as agreement with clusters is: moved by as
  /// much as the samples lie off on average (Efron and Tibshirani, chapter 10), up to the `most` that a figure can be.
  func unbiasedIntervals(_ figures: [(most: Double, value: ([Int32]) -> Double)]) -> [ClosedRange<Double>?] {
    let once = [Int32](repeating: 1, count: images)
    return zip(samples(of: figures.map(\.value)), figures).map { samples, figure in
      samples.map { samples in
        let bias = samples.reduce(0, +) / Double(samples.count) - figure.value(once)
        return interval(samples.map { min(figure.most, $0 - bias) })
      }
    }
  }

  private func samples(of figures: [([Int32]) -> Double]) -> [[Double]?] {
    guard images > 1 else { return figures.map { _ in nil } }
    var found = figures.map { _ in [Double]() }
    var generator = SplitMix64(state: 0)
    for _ in 0..<count {
      var draws = [Int32](repeating: 0, count: images)
      for _ in 0..<images { draws[generator.below(images)] += 1 }
      for (index, figure) in figures.enumerated() { found[index].append(figure(draws)) }
    }
    return found
  }

  private func interval(_ samples: [Double]) -> ClosedRange<Double> {
    let sorted = samples.sorted()
    let out = Int((0.025 * Double(count)).rounded(.down))
    return sorted[out]...sorted[count - 1 - out]
  }

  /// Of the mean of one number an image.
  func interval(ofMean values: [Double]) -> ClosedRange<Double>? {
    intervals([
      { draws in
        var sum = 0.0
        for (draw, value) in zip(draws, values) where draw > 0 { sum += Double(draw) * value }
        return sum / Double(values.count)
      }
    ])[0]
  }
}
