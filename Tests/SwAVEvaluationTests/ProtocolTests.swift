import Foundation
import SwAVData
import SwAVEngine
import SwAVTestSupport
import Testing

@testable import SwAVEvaluation

/// Figures that can be worked out by hand, and data at the edge of what there can be.
@Suite struct ProtocolTests {
  private func rows(_ values: [Float], _ labels: [Int32], classes: Int) throws -> LabelledFeatures {
    try LabelledFeatures(Features(dim: 1, values: values), labels: labels, classes: classes)
  }

  @Test func averagePrecisionOverElevenPointsIsThatWorkedOutByHand() {
    // Right, wrong, right, wrong, wrong, right: precisions 1, 2/3 and 1/2 at recalls 1/3, 2/3 and 1.
    let scores: [Float] = [9, 8, 7, 6, 5, 4]
    let precision = AveragePrecision(scores: scores, targets: [1, -1, 1, -1, -1, 1])
    // Recalls 0 to 0.3 have 1, 0.4 to 0.6 have 2/3, 0.7 to 1 have 1/2.
    #expect(abs((precision.elevenPoint() ?? 0) - (4 * 1 + 3 * 2.0 / 3 + 4 * 0.5) / 11) < 1e-12)
    // What does not count is as if it were not there.
    let without = AveragePrecision(scores: scores + [8.5], targets: [1, -1, 1, -1, -1, 1, 0])
    #expect(without.elevenPoint() == precision.elevenPoint())
    #expect(AveragePrecision(scores: scores, targets: [-1, -1, 0, -1, -1, 0]).elevenPoint() == nil)
    #expect(AveragePrecision(scores: [1], targets: [1]).elevenPoint() == 1)
    // Ten of ten reach each point exactly.
    let ten = AveragePrecision(scores: (0..<10).map { -Float($0) }, targets: [Int8](repeating: 1, count: 10))
    #expect(ten.elevenPoint() == 1)
    // A row that counts twice is two rows.
    let twice = AveragePrecision(scores: [3, 2, 2, 1], targets: [1, -1, -1, 1])
    #expect(AveragePrecision(scores: [3, 2, 1], targets: [1, -1, 1]).elevenPoint([1, 2, 1]) == twice.elevenPoint())
  }

  @Test func agreementOfPartitionsIsThatWorkedOutByHand() {
    let same = Agreement([0, 0, 1, 1, 2], clusters: 3, [1, 1, 2, 2, 0], classes: 3)
    #expect(same.normalizedMutualInformation == 1 && same.adjustedRandIndex == 1 && same.purity == 1)
    #expect(same.matching == [1, 2, 0] && same.matched(same.matching) == 1)
    // Two clusters of two classes each half: no information.
    let none = Agreement([0, 0, 1, 1], clusters: 2, [0, 1, 0, 1], classes: 2)
    #expect(abs(none.normalizedMutualInformation) < 1e-12 && none.purity == 0.5)
    // Pairs: 0 together in both, 2 and 2 in each, 6 in all: (0 - 2/3) / (2 - 2/3).
    #expect(abs(none.adjustedRandIndex + 0.5) < 1e-12)
    // More clusters than classes: one goes without.
    let more = Agreement([0, 0, 0, 1, 2], clusters: 3, [0, 0, 1, 1, 1], classes: 2)
    #expect(more.matching.compactMap { $0 }.count == 2 && more.matched(more.matching) == 0.6)
    // The greedy match would give cluster 0 its largest class, and lose more elsewhere.
    let crossed = Agreement(
      [0, 0, 0, 0, 0, 1, 1, 1, 1], clusters: 2, [0, 0, 0, 1, 1, 0, 0, 0, 0], classes: 2)
    #expect(crossed.matching == [1, 0])
    #expect(abs(crossed.matched(crossed.matching) - 6.0 / 9) < 1e-12)
    let one = Agreement([0, 0], clusters: 1, [0, 0], classes: 1)
    #expect(one.normalizedMutualInformation == 1 && one.adjustedRandIndex == 1)
  }

  @Test func aConfusionSaysWhichClassWasTakenForWhich() throws {
    let data = try rows([0, 0, 0, 0], [0, 0, 1, 1], classes: 3)
    let accuracy = Accuracy([0, 1, 1, 2], data)
    #expect(accuracy.overall == 50 && accuracy.classMean == 50)
    #expect(accuracy.confusion[0, 1] == 1 && accuracy.confusion[1, 2] == 1 && accuracy.confusion[2, 0] == 0)
    #expect(accuracy.confusion.classAccuracies == [50, 50, nil])
    #expect(
      accuracy.confusion.csv(["a,b", "<b>", "\u{202e}c"])
        == "class,\"a,b\",<b>,\u{202e}c\n\"a,b\",1,1,0\n<b>,0,1,1\n\u{202e}c,0,0,0\n")
    #expect(accuracy.confusion.rows == [[1, 1, 0], [0, 1, 1], [0, 0, 0]])
  }

  @Test func anIntervalIsAsWideAsChanceMakesIt() throws {
    // 95 % of 400 tosses that are right with a probability of 0.7 lie within 1.96 sqrt(0.7 * 0.3 / 400) = 4.5 points; the bootstrap's
    // quantiles of 1000 samples are off by some tenths of the standard deviation of 2.3.
    let values = (0..<400).map { $0 % 10 < 7 ? 100.0 : 0 }
    let interval = try #require(Bootstrap(images: 400).interval(ofMean: values))
    #expect(abs(interval.lowerBound - 65.5) < 1 && abs(interval.upperBound - 74.5) < 1, "\(interval)")
    #expect(Bootstrap(images: 400).interval(ofMean: values) == interval)
    #expect(Bootstrap(images: 1).interval(ofMean: [3]) == nil)
    #expect(Bootstrap(images: 3).interval(ofMean: [5, 5, 5]) == 5...5)
    #expect(Bootstrap(images: 10_000_000).count == 40 && Bootstrap(images: 100).count == 1000)
    // Quantiles of a mean of classes and of all images.
    let accuracy = Accuracy(
      values.map { $0 > 0 ? 0 : 1 }, try rows(.init(repeating: 0, count: 400), .init(repeating: 0, count: 400), classes: 2))
    // Of the mean of classes, of which there is one here; shares of images have Wilson's.
    let (share, mean) = (try #require(accuracy.figures("a")[0].interval), accuracy.figures("a")[1].interval)
    #expect(mean == interval && abs(share.lowerBound - 65.33628) < 1e-4 && abs(share.upperBound - 74.28323) < 1e-4)
    // Nor are ten of ten certain to be all.
    let ten = Accuracy(
      .init(repeating: 0, count: 10), try rows(.init(repeating: 0, count: 10), .init(repeating: 0, count: 10), classes: 1))
    for found in ten.figures("b").map(\.interval) {
      let found = try #require(found)
      #expect(abs(found.lowerBound - 72.24672) < 1e-4 && found.upperBound == 100)
    }
  }

  @Test func retrievalLeavesOutWhoHasNoOther() throws {
    let val = try LabelledFeatures(Features(dim: 2, values: [1, 0, 0.9, 0.1, 0, 1]), labels: [0, 0, 1], classes: 2)
    let result = try Retrieval(depths: [1]).evaluate(EvaluationFeatures(train: nil, val: val)) { _, _ in }
    #expect(result.figures.map(\.name) == ["retrieval_map", "retrieval_recall1"] && result.figures[0].value == 100)
    #expect(result.remarks.count == 1 && result.remarks[0].hasPrefix("1 of 3 validation images are left out of retrieval"))
    let alone = try LabelledFeatures(Features(dim: 1, values: [1, 2]), labels: [0, 1], classes: 2)
    #expect(throws: EngineError.self) {
      try Retrieval().evaluate(EvaluationFeatures(train: nil, val: alone)) { _, _ in }
    }
  }

  /// Images that are drawn twice agree with themselves: without a correction the interval of 60 images lies above the figure.
  @Test func intervalsOfClustersAreAroundTheFigure() throws {
    let labels = (0..<60).map { Int32($0 % 3) }
    let found = (0..<60).map { Int32($0 * 7 % 11) }
    func agreement(_ draws: [Int32]?) -> Double {
      Agreement(found, clusters: 11, labels, classes: 3, weights: draws).normalizedMutualInformation
    }
    let (value, bootstrap) = (agreement(nil), Bootstrap(images: 60))
    let plain = try #require(bootstrap.intervals([{ agreement($0) }])[0])
    let moved = try #require(bootstrap.unbiasedIntervals([(1, { agreement($0) })])[0])
    #expect(plain.lowerBound > value && moved.contains(value), "\(value): \(plain), \(moved)")
    #expect(abs((plain.upperBound - plain.lowerBound) - (moved.upperBound - moved.lowerBound)) < 1e-9)
    // A figure is at most what it can be.
    #expect(bootstrap.unbiasedIntervals([(0.05, { agreement($0) })])[0]?.upperBound == 0.05)
    #expect(Bootstrap(images: 1).unbiasedIntervals([(1, { _ in 0 })]) == [nil])
  }

  @Test func publishedFiguresStandBesideResultsOnImageNetOnly() {
    let result = EvaluationResult(
      name: "knn", title: "20-NN", figures: [EvaluationFigure(name: "knn20", title: "right", value: 1, unit: .percent)])
    let names = (0..<1000).map { "n0" + String(1_440_764 + $0) }
    #expect(
      PublishedFigures.lines(beside: [result], classNames: names) == ["published: 59.2 % (SwAV, ResNet-50, 20 neighbours)"])
    #expect(PublishedFigures.lines(beside: [result], classNames: Array(names.dropLast())).isEmpty)
    #expect(PublishedFigures.lines(beside: [result], classNames: names.dropLast() + ["dog"]).isEmpty)
  }

  @Test func ratesFollowTheirSchedules() {
    let cosine = (0..<4).map { RateSchedule.cosine.factor(epoch: $0, of: 4) }
    for (value, right) in zip(cosine, [1, 0.5 + 0.5.squareRoot() / 2, 0.5, 0.5 - 0.5.squareRoot() / 2]) {
      #expect(abs(value - right) < 1e-12)
    }
    let semi = FineTuning(semi: .percent(1))
    let steps = (0..<20).map { semi.schedule.factor(epoch: $0, of: 20) }
    #expect(steps[11] == 1 && steps[12] == 0.2 && steps[15] == 0.2 && abs(steps[16] - 0.04) < 1e-12)
    #expect(semi.backboneRate == 0.02 && semi.classifierRate == 5)
    #expect(FineTuning(semi: .percent(10)).backboneRate == 0.01 && FineTuning.all().classifierRate == 0.2)
    let places = LinearTraining(transfer: .places)
    let rates = (0..<28).map { places.schedule.factor(epoch: $0, of: 28) }
    #expect(places.epochs == 28 && Set(rates.map { ($0 * 1e6).rounded() }) == [1e6, 1e5, 1e4, 1e3])
    #expect(rates.count { $0 == 1 } == 7 && LinearTraining(transfer: .inaturalist).epochs == 84)
  }

  @Test func classesOnOneSideOnlyAreSaid() throws {
    let data = try EvaluationFeatures(
      train: rows([1, 2], [0, 1], classes: 3), val: rows([1, 2, 3], [0, 2, 2], classes: 3))
    #expect(
      ClassRemarks.of(data, names: ["a", "b", "c"]) == [
        "2 validation images are of classes without a training image that could be read (c): they cannot be right"
      ])
  }

  @Test func imagesOfSeveralClassesComeFromTablesAndPascalsFolders() throws {
    let folder = try TemporaryFolder()
    for number in 0..<4 { try folder.write("VOC/JPEGImages/\(number).jpg", picture(kind: number % 2, number: number)) }
    func annotate(_ number: Int, _ objects: [(String, Int)]) throws {
      let text = objects.map { name, difficult in
        "<object><name>\(name)</name><difficult>\(difficult)</difficult><part><name>head</name></part></object>"
      }.joined()
      try folder.write(
        "VOC/Annotations/\(number).xml",
        Array("<?xml version=\"1.0\"?><annotation><filename>x</filename>\(text)</annotation>".utf8))
    }
    try annotate(0, [("dog", 0), ("dog", 1), ("cat", 1)])
    try annotate(1, [("cat", 0)])
    try annotate(2, [])
    try annotate(3, [("cat", 0), ("dog", 0)])
    #expect(try MultiLabelImages.open(folder.path + "/VOC", part: "trainval").targets.count == 4)
    try folder.write("VOC/ImageSets/Main/trainval.txt", Array("0\n1\n2\n".utf8))
    let listed = try MultiLabelImages.open(folder.path + "/VOC/", part: "trainval")
    #expect(listed.classNames == ["cat", "dog"] && listed.images.count == 3)
    // A class with difficult objects only does not count; one with others as well does.
    #expect(listed.targets == [[0, 1], [1, -1], [-1, -1]])
    // A mistyped name of a list is not the name of all images.
    let missing = #expect(throws: DataError.self) { try MultiLabelImages.open(folder.path + "/VOC", part: "tets") }
    #expect(missing?.kind == .missing && missing?.description.contains("ImageSets/Main/tets.txt: ") == true)
    try folder.write("VOC/Annotations/0.xml", Array("<annotation><object>".utf8))
    #expect(throws: DataError.self) { try MultiLabelImages.open(folder.path + "/VOC", part: "trainval") }
    try folder.write("VOC/Annotations/0.xml", [])
    #expect(throws: DataError.self) { try MultiLabelImages.open(folder.path + "/VOC", part: "trainval") }

    try folder.write(
      "table.csv",
      Array(
        "path,label\nVOC/JPEGImages/0.jpg,dog | cat\nVOC/JPEGImages/1.jpg,\nVOC/JPEGImages/2.jpg,cat;big bird\nVOC/JPEGImages/1.jpg, big bird\n"
          .utf8))
    let table = try MultiLabelImages.open(folder.path + "/table.csv", part: "trainval")
    #expect(table.classNames == ["big bird", "cat", "dog"] && table.targets == [[-1, 1, 1], [1, -1, -1], [1, 1, -1]])
    #expect(try table.images.bytes(of: 2) == picture(kind: 0, number: 2))
    for (text, part) in [
      ("", "empty"), ("path,colour\na.jpg,red\n", "no column for the label"), ("path,label\n", "names no files"),
      ("path,label\na.jpg\n", "line 2: 1 fields"), ("path,label\na.jpg,\n", "no image has a class"),
      ("path,label\na.jpg,dog,cat\n", "line 2: 3 fields"),
    ] {
      try folder.write("bad.csv", Array(text.utf8))
      let error = #expect(throws: DataError.self) { try MultiLabelImages.open(folder.path + "/bad.csv", part: "test") }
      #expect(error?.description.contains(part) == true, "\(error as Any)")
    }
  }

  @Test func subsetsAreBalancedAndAPureFunctionOfTheSeed() throws {
    let set = TrainingSet(samples: Array(0..<100), labels: (0..<100).map { $0 < 80 ? 0 : 1 })
    let (held, rest) = set.split(share: 0.1, seed: 3)
    #expect(held.count { set.labels[$0] == 0 } == 8 && held.count { set.labels[$0] == 1 } == 2)
    #expect(Set(held + rest) == Set(0..<100) && held.count + rest.count == 100)
    #expect(set.split(share: 0.1, seed: 3).drawn == held && set.split(share: 0.1, seed: 4).drawn != held)
    // A class of one image is learned from.
    let lonely = TrainingSet(samples: [0, 1, 2], labels: [0, 0, 1]).split(share: 0.5, seed: 0)
    #expect(lonely.drawn.count == 1 && lonely.rest.contains(2))
    #expect(set.order(seed: 1, epoch: 0).sorted() == Array(0..<100))
    #expect(
      set.order(seed: 1, epoch: 0) == set.order(seed: 1, epoch: 0)
        && set.order(seed: 1, epoch: 0) != set.order(seed: 1, epoch: 1))
  }

  @Test func topScoresCountEqualOnesInTheirOrder() {
    let scores = Scores(values: [1, 1, 0, 0, 2, 2], classes: 3)
    #expect(scores.predictions == [0, 1])
    #expect(scores.top(1, [1, 1]) == 50 && scores.top(2, [1, 2]) == 100 && scores.top(5, [2, 0]) == 100)
  }
}
