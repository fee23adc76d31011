import SwAVData

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

  /// One line: what limits, by how much, and what helps.
  var advice: String {
    let waited = waitedSeconds / max(stepSeconds, 1e-9)
    let images = Double(max(1, cost.images))
    let (read, crop) = (1000 * cost.readSeconds / images, 1000 * cost.cropSeconds / images)
    let figures = "an image takes \(decimals(read, 2)) ms to read and \(decimals(crop, 2)) ms of a core to decode and crop"
    guard waited >= LoadingBalance.tolerance else {
      let share = cost.cropSeconds / (max(stepSeconds, 1e-9) * Double(max(1, cores)))
      return "the step limits: it waits for images \(decimals(100 * waited, 1)) % of the time, and loading takes "
        + "\(decimals(100 * share, 1)) % of the cores (\(figures)); more workers would not help, "
        + "smaller or fewer crops or a smaller network would"
    }
    return "loading limits: steps wait for images \(decimals(100 * waited, 1)) % of the time; \(figures), with \(workers) "
      + "workers on \(cores) cores; \(remedy(isReading: read > crop))"
  }

  private func remedy(isReading: Bool) -> String {
    if isReading {
      return "reading is the larger part: more --workers (try \(min(1024, 2 * workers))), a local disk, or large tar shards"
    }
    if workers < cores { return "try --workers \(cores)" }
    return "store the pictures smaller (little more than the largest crop needs), use fewer or smaller crops, or more cores"
  }
}
