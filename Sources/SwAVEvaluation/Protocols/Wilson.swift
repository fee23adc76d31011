/// The 95 % confidence interval of a share (Wilson, "Probable inference, the law of succession, and statistical inference", 1927): it
/// holds for few images and close to 0 and 1, where samples of the images themselves say too little.
enum Wilson {
  /// `share` of `count` observations, 0...1. Of a mean over several trainings it is wide enough. Nil for fewer than 2.
  static func interval(share: Double, of count: Int) -> ClosedRange<Double>? {
    guard count > 1 else { return nil }
    let (n, z) = (Double(count), 1.959964)
    let middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    let half = z * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot() / (1 + z * z / n)
    // At 0 and 1 the two are equal but for the rounding.
    return min(share, max(0, middle - half))...max(share, min(1, middle + half))
  }
}
