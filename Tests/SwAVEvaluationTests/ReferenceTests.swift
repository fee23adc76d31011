import Foundation
import SwAVEngine
import SwAVModel
import Testing

@testable import SwAVEvaluation

/// The protocols on features of a committed file, against scikit-learn, scipy and PyTorch (Tests/Fixtures/make_evaluation_fixtures.py).
@Suite struct ReferenceTests {
  private struct Samples: Decodable {
    var dim: Int
    var classes: Int
    var train: [Float]
    var trainLabels: [Int32]
    var trainTargets: [Int8]
    var val: [Float]
    var valLabels: [Int32]
    var valTargets: [Int8]

    enum CodingKeys: String, CodingKey {
      case dim, classes, train, val
      case trainLabels = "train_labels"
      case trainTargets = "train_targets"
      case valLabels = "val_labels"
      case valTargets = "val_targets"
    }
  }

  private struct Clustering: Decodable {
    struct Other: Decodable {
      var clusters: [Int32]
      var hungarian: Double
    }
    var clusters: [Int32]
    var nmi, ari, purity, hungarian: Double
    var others: [String: Other]
  }

  private struct Expected: Decodable {
    var knn: [String: Double]
    var linearFeatures: [String: Double]
    var retrieval: [String: Double]
    var clusters: Clustering
    var linearSGD: [String: Double]
    var transfer: [String: [String: Double]]
    var svm: [String: Double]

    enum CodingKeys: String, CodingKey {
      case knn, retrieval, clusters, svm, transfer
      case linearFeatures = "linear_features"
      case linearSGD = "linear_sgd"
    }
  }

  /// One image of 400 is 0.25 points: a figure may differ by one image that stands at the edge between two classes.
  private let tolerance = 0.3
  private let samples: Samples
  private let expected: Expected

  init() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../Fixtures/evaluation")
    func read<T: Decodable>(_ name: String) throws -> T {
      try JSONDecoder().decode(T.self, from: Data(contentsOf: folder.appendingPathComponent(name)))
    }
    (samples, expected) = (try read("features.json"), try read("expected.json"))
  }

  private func data() throws -> EvaluationFeatures {
    try EvaluationFeatures(
      train: LabelledFeatures(
        Features(dim: samples.dim, values: samples.train), labels: samples.trainLabels, classes: samples.classes),
      val: LabelledFeatures(
        Features(dim: samples.dim, values: samples.val), labels: samples.valLabels, classes: samples.classes))
  }

  private func compare(_ figures: [EvaluationFigure], _ expected: [String: Double], _ names: Set<String>? = nil) {
    let wanted = names ?? Set(expected.keys)
    let found = Dictionary(figures.map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
    for name in wanted {
      guard let value = found[name], let reference = expected[name] else {
        Issue.record("there is no \(name)")
        continue
      }
      #expect(abs(value - reference) <= tolerance, "\(name): \(value), the reference has \(reference)")
    }
  }

  @Test func nearestNeighboursAreThoseOfScikitLearn() throws {
    let data = try data()
    let figures = try NearestNeighbours.published.flatMap { try $0.evaluate(data) { _, _ in }.figures }
    // The mean of the classes moves by more with one image of a small class: 100 / 6 classes / 40 images is 0.42.
    compare(figures, expected.knn, ["knn20", "knn200", "knn20_equal", "knn200_equal"])
    for name in ["knn20_class_mean", "knn200_class_mean"] {
      let value = figures.first { $0.name == name }?.value
      #expect(abs(try #require(value) - (expected.knn[name] ?? 0)) <= 0.6, "\(name)")
    }
  }

  @Test func theRegressionIsThatOfScikitLearn() throws {
    compare(try LinearProbe(penalty: 1e-3, maxIterations: 1000).evaluate(data()) { _, _ in }.figures, expected.linearFeatures)
  }

  @Test func retrievalIsThatOfScikitLearn() throws {
    compare(try Retrieval().evaluate(data()) { _, _ in }.figures, expected.retrieval)
  }

  @Test func measuresOfClustersAreThoseOfScikitLearnAndScipy() throws {
    let (said, classes) = (expected.clusters, samples.classes)
    let found = Agreement(said.clusters, clusters: classes, samples.valLabels, classes: classes)
    // Sums of some hundred terms in double.
    #expect(abs(found.normalizedMutualInformation - said.nmi) < 1e-9)
    #expect(abs(found.adjustedRandIndex - said.ari) < 1e-9)
    #expect(abs(100 * found.purity - said.purity) < 1e-9)
    #expect(abs(100 * found.matched(found.matching) - said.hungarian) < 1e-9)
    for (count, other) in said.others {
      let found = Agreement(other.clusters, clusters: try #require(Int(count)), samples.valLabels, classes: classes)
      #expect(abs(100 * found.matched(found.matching) - other.hungarian) < 1e-9, "\(count) clusters")
    }
  }

  @Test func kMeansIsNoWorseThanScikitLearns() throws {
    // On rows of unit norm both minimise the same, with centroids as they are or scaled to unit norm.
    let features = try data().val.features
    let found = try Clusters(.kmeans(), starts: 20).kmeans(features, clusters: samples.classes) { _, _ in }
    func cosine(_ clusterOf: [Int32]) -> Double {
      let unit = features.unit()
      var sums = [Double](repeating: 0, count: samples.classes * samples.dim)
      for row in 0..<unit.count {
        for (column, value) in unit.row(row).enumerated() { sums[Int(clusterOf[row]) * samples.dim + column] += Double(value) }
      }
      // The mean cosine with the best centroids is the sum of the sums' norms.
      return (0..<samples.classes).reduce(0) { total, k in
        total + sums[k * samples.dim..<(k + 1) * samples.dim].reduce(0) { $0 + $1 * $1 }.squareRoot()
      } / Double(unit.count)
    }
    // A row goes to the wrong one of two centroids only where its cosines, sums of dim products, differ by less than their roundings.
    let rounding = Double(samples.dim) * Double(Float.ulpOfOne)
    #expect(cosine(found) >= cosine(expected.clusters.clusters) - rounding)
  }

  @Test func theLinearLayerBySGDIsThatOfPyTorch() throws {
    let places = LinearTraining(transfer: .places)
    let inaturalist = LinearTraining(transfer: .inaturalist)
    for (judge, reference) in [
      (LinearTraining(), expected.linearSGD), (places, expected.transfer["places"] ?? [:]),
      (inaturalist, expected.transfer["inaturalist"] ?? [:]),
    ] {
      try compareSteps(judge, try #require(reference["right"]), loss: try #require(reference["loss"]))
    }
  }

  /// The same batches, all rows each time, from weights of 0, with the rates, decay and schedule of the protocol.
  private func compareSteps(_ judge: LinearTraining, _ right: Double, loss expectedLoss: Double) throws {
    let train = try #require(data().train)
    var configuration = ClassifierConfiguration(
      classes: samples.classes, batch: train.count, weightDecay: judge.weightDecay)
    configuration.deviation = 0
    let classifier = try Classifier(dim: samples.dim, configuration)
    var loss = 0.0
    for epoch in 0..<judge.epochs {
      let rate = judge.rate * Double(train.count) / 256 * judge.schedule.factor(epoch: epoch, of: judge.epochs)
      loss = try train.features.values.withUnsafeBufferPointer {
        try classifier.step($0, labels: train.labels, classifierRate: rate).loss
      }
    }
    let layer = LinearClassifier(dim: samples.dim, classes: samples.classes, weights: try classifier.weights())
    let scores = Scores(values: try layer.scores(data().val.features), classes: samples.classes)
    let top = scores.top(1, samples.valLabels)
    #expect(abs(top - right) <= tolerance, "\(judge.name), \(judge.epochs) epochs: \(top)")
    // Each step rounds weights and the sums of dim + 1 products that logits of about 1 are, as often up as down, by an eps; the
    // loss has a slope of at most 2 in them.
    let rounding = 2 * (Double(judge.epochs) * Double(samples.dim + 1)).squareRoot() * Double(Float.ulpOfOne)
    #expect(abs(loss - expectedLoss) < rounding, "\(judge.name), \(judge.epochs) epochs: \(loss)")
  }

  @Test func supportVectorMachinesAreThoseOfScikitLearn() throws {
    let several = try EvaluationFeatures(
      train: LabelledFeatures(Features(dim: samples.dim, values: samples.train), targets: samples.trainTargets, classes: 3),
      val: LabelledFeatures(Features(dim: samples.dim, values: samples.val), targets: samples.valTargets, classes: 3))
    for (cost, precision) in expected.svm {
      let result = try SupportVectorMachine(costs: [try #require(Double(cost))]).evaluate(several) { _, _ in }
      #expect(
        abs(result.figures[0].value - precision) <= tolerance, "C = \(cost): \(result.figures[0].value), not \(precision)")
    }
    // The costs that are chosen are no worse than the best one for all classes by more than the figure would move with other images.
    let chosen = try SupportVectorMachine().evaluate(several) { _, _ in }.figures[0]
    let alone = try SupportVectorMachine().costs.map { cost in
      try SupportVectorMachine(costs: [cost]).evaluate(several) { _, _ in }.figures[0].value
    }
    let (interval, best) = (try #require(chosen.interval), try #require(alone.max()))
    #expect(interval.contains(chosen.value) && best <= interval.upperBound, "\(chosen), alone \(alone)")
    #expect(chosen.value > (try #require(alone.min())), "\(chosen), alone \(alone)")
  }
}
