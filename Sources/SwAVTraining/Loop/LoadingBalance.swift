import SwAVData
import SwAVEngine

/// Which of the two limits a run, the step or the loading of images, from what both have cost so far.
struct LoadingBalance {
  /// Seconds of the steps, waiting included.
  var stepSeconds: Double
  /// Seconds of these in which a step waited for images.
  var waitedSeconds: Double
  var cost: LoadingCost
  var workers: Int
  var cores: Int

  /// A step that waits less than this part of the time is what limits.
  static let tolerance = 0.05

  /// What limits, by how much, and what helps.
  var advice: Advice {
    let waited = waitedSeconds / max(stepSeconds, 1e-9)
    let images = Double(max(1, cost.images))
    let (read, crop) = (1000 * cost.readSeconds / images, 1000 * cost.cropSeconds / images)
    let figures = "an image takes \(decimals(read, 2)) ms to read and \(decimals(crop, 2)) ms of a core to decode and crop"
    guard waited >= LoadingBalance.tolerance else {
      let share = cost.cropSeconds / (max(stepSeconds, 1e-9) * Double(max(1, cores)))
      return Advice(
        finding: "the step limits: it waits for images \(decimals(100 * waited, 1)) % of the time, and loading takes "
          + "\(decimals(100 * share, 1)) % of the cores (\(figures)); more workers would not help, "
          + "smaller or fewer crops or a smaller network would", remedies: [])
    }
    let (hint, remedies) = help(isReading: read > crop)
    return Advice(
      finding: "loading limits: steps wait for images \(decimals(100 * waited, 1)) % of the time; \(figures), with \(workers) "
        + "workers on \(cores) cores; \(hint)", remedies: remedies)
  }

  private func help(isReading: Bool) -> (hint: String, remedies: [Remedy]) {
    if isReading {
      return (
        "reading is the larger part: a local disk, large tar shards or more workers help",
        [Remedy("workers", "\(min(1024, 2 * workers))")]
      )
    }
    if workers < cores { return ("not every core has a worker", [Remedy("workers", "\(cores)")]) }
    return (
      "store the pictures smaller (little more than the largest crop needs), use fewer or smaller crops, or more cores", []
    )
  }
}
