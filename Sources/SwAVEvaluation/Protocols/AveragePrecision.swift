/// Average precision as Pascal VOC 2007 measures it: the mean over recalls 0, 0.1, ... 1 of the largest precision at that recall or a
/// larger one.
struct AveragePrecision {
  /// Rows that count, those with the largest scores first.
  private let order: [Int]
  private let scores: [Float]
  private let targets: [Int8]

  /// One target a score: 1 of the class, -1 not, 0 where the row does not count.
  init(scores: [Float], targets: [Int8]) {
    (self.scores, self.targets) = (scores, targets)
    order = scores.indices.filter { targets[$0] != 0 }.sorted {
      scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1)
    }
  }

  /// 0...1; nil without a row of the class. Rows count `weights` times, once unless given.
  func elevenPoint(_ weights: [Int32]? = nil) -> Double? {
    func weight(_ row: Int) -> Double { Double(weights?[row] ?? 1) }
    let all = order.reduce(0.0) { targets[$1] == 1 ? $0 + weight($1) : $0 }
    guard all > 0 else { return nil }
    // The largest precision at recalls of at least 0, 0.1, ...
    var best = [Double](repeating: 0, count: 11)
    var (found, seen) = (0.0, 0.0)
    for (place, row) in order.enumerated() {
      seen += weight(row)
      if targets[row] == 1 { found += weight(row) }
      // Rows of equal scores come together: their order is nobody's judgement.
      guard found > 0, place + 1 == order.count || scores[order[place + 1]] != scores[row] else { continue }
      // A recall of 3 of 10 reaches 0.3 whatever 3 / 10 rounds to.
      let reached = min(10, Int((10 * found / all + 1e-9).rounded(.down)))
      best[reached] = max(best[reached], found / seen)
    }
    for point in (0..<10).reversed() { best[point] = max(best[point], best[point + 1]) }
    return best.reduce(0, +) / 11
  }
}
