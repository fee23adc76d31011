import CSwAV
import SwAVEngine

/// The paper's VOC07 protocol (as VISSL has it): a linear support vector machine a class on features of unit norm, by
/// liblinear; its cost C is chosen for each class by cross-validation on the training images; mean average precision over 11 points.
/// Images may have several classes.
public struct SupportVectorMachine: FeatureProtocol, Equatable {
  public var costs: [Double]
  public var folds: Int
  public var seed: UInt64

  /// Costs 0.01, 0.1, ... 1000 and 3 folds unless given.
  public init(costs: [Double] = [0.01, 0.1, 1, 10, 100, 1000], folds: Int = 3, seed: UInt64 = 0) {
    (self.costs, self.folds, self.seed) = (costs, folds, seed)
  }

  public var name: String { "svm" }
  public var takesSeveralLabels: Bool { true }
  public var saysClasses: Bool { false }

  public func evaluate(_ data: EvaluationFeatures, progress: (Int, Int) -> Void) throws -> EvaluationResult {
    let learned = try data.learned(by: name)
    let (train, val) = (learned.features.unit(), data.val.features.unit())
    let targets = learned.targets
    let rounds = costs.count > 1 ? costs.count * max(2, folds) + 1 : 1
    var round = 0
    func learn(_ targets: [Int8], _ costs: [Double]) throws -> LinearClassifier {
      let found = try fit(train, targets, costs, classes: learned.classes) { progress(round * $1 + $0, rounds * $1) }
      round += 1
      return found
    }
    let chosen =
      costs.count > 1
      ? try best(train, targets, learned.classes, learn) : [Double](repeating: costs.first ?? 1, count: learned.classes)
    let scores = try learn(targets, chosen).scores(val)
    return result(scores, data.val, chosen, learned)
  }

  /// The cost of each class with the largest average precision, mean over the folds; of equal ones the smaller.
  private func best(
    _ train: Features, _ targets: [Int8], _ classes: Int, _ fit: ([Int8], [Double]) throws -> LinearClassifier
  ) throws -> [Double] {
    let count = train.count
    var generator = SplitMix64(state: seed)
    let fold = (0..<count).map { _ in generator.below(max(2, folds)) }
    var sums = [[Double]](repeating: [Double](repeating: 0, count: costs.count), count: classes)
    for held in 0..<max(2, folds) {
      let kept = targets.indices.map { fold[$0 % count] == held ? 0 : targets[$0] }
      for (index, cost) in costs.enumerated() {
        let scores = try fit(kept, [Double](repeating: cost, count: classes)).scores(train)
        for c in 0..<classes {
          let asked = (0..<count).map { fold[$0] == held ? targets[c * count + $0] : 0 }
          let own = (0..<count).map { scores[$0 * classes + c] }
          sums[c][index] += AveragePrecision(scores: own, targets: asked).elevenPoint() ?? 0
        }
      }
    }
    return sums.map { sums in costs[sums.indices.max { sums[$0] < sums[$1] || (sums[$0] == sums[$1] && $0 > $1) } ?? 0] }
  }

  private func fit(
    _ features: Features, _ targets: [Int8], _ costs: [Double], classes: Int, progress: (Int, Int) -> Void
  ) throws(EngineError) -> LinearClassifier {
    var weights = [Float](repeating: 0, count: classes * (features.dim + 1))
    let status = withEngineProgress(progress) { report, context in
      var config = swav_svm_config_default()
      (config.progress, config.context) = (report, context)
      return swav_svm_fit(
        features.values, targets, Int64(features.count), Int64(features.dim), Int32(clamping: classes), costs, &config, &weights
      )
    }
    try check(status)
    return LinearClassifier(dim: features.dim, classes: classes, weights: weights)
  }

  private func result(
    _ scores: [Float], _ val: LabelledFeatures, _ chosen: [Double], _ learned: LabelledFeatures
  ) -> EvaluationResult {
    let (classes, count, targets, learnedTargets) = (val.classes, val.count, val.targets, learned.targets)
    let precisions = (0..<classes).map { c in
      AveragePrecision(
        scores: (0..<count).map { scores[$0 * classes + c] }, targets: Array(targets[c * count..<(c + 1) * count]))
    }
    // A class that nothing was learned of has scores that say nothing.
    let isLearned = (0..<classes).map { c in learnedTargets[c * learned.count..<(c + 1) * learned.count].contains(1) }
    func mean(_ weights: [Int32]?) -> Double {
      let known = zip(precisions, isLearned).compactMap { $1 ? $0.elevenPoint(weights) : nil }
      return 100 * known.reduce(0, +) / Double(max(1, known.count))
    }
    let interval = Bootstrap(images: count, share: 0.1).unbiasedIntervals([(100, { mean($0) })])[0]
    let asked = precisions.count { $0.elevenPoint() != nil }
    var remarks: [String] = []
    if asked < classes { remarks.append("svm: \(classes - asked) classes have no validation image and no average precision") }
    let unlearned = isLearned.count { !$0 }
    if unlearned > 0 { remarks.append("svm: \(unlearned) classes have no training image; they are not in the mean") }
    if costs.count > 1, chosen.contains(costs[costs.count - 1]) {
      remarks.append("svm: the largest cost, \(costs[costs.count - 1]), was best for some class; larger ones may be better")
    }
    return EvaluationResult(
      name: name, title: "linear SVM, mean average precision",
      figures: [
        EvaluationFigure(
          name: "svm_map", title: "mean average precision", value: mean(nil), unit: .percent, interval: interval),
        EvaluationFigure(name: "svm_cost", title: "median cost", value: chosen.sorted()[chosen.count / 2], unit: .number),
      ], remarks: remarks)
  }
}
