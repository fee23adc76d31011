import Foundation
import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVEvaluation

/// What is measured on features, from labelled images to named figures.
@Suite struct EvaluationTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for kind in 0..<3 {
      for number in 0..<5 { try folder.write("train/class\(kind)/\(number).jpg", colouredPicture(kind: kind, number: number)) }
      for number in 5..<7 { try folder.write("val/class\(kind)/\(number).jpg", colouredPicture(kind: kind, number: number)) }
    }
  }

  private func source(_ name: String) throws -> ImageFolder { try ImageFolder(folder.path + "/" + name) }

  /// Rows of one number each.
  private func rows(_ values: [Float], _ labels: [Int32], classes: Int) throws -> LabelledFeatures {
    try LabelledFeatures(Features(dim: 1, values: values), labels: labels, classes: classes)
  }

  @Test func theEvaluationOfSeparableClassesIsRight() throws {
    // Any features tell colours apart, by nearest neighbours and linearly.
    let images = try EvaluationImages(train: source("train"), val: source("val"))
    var evaluation = Evaluation([NearestNeighbours(neighbours: 3), LinearProbe()])
    let report = try evaluation.run(images, network: try smallNetwork())
    #expect(report.trainImages == 15 && report.valImages == 6 && report.classes == 3 && report.bad.isEmpty)
    for name in ["knn3", "knn3_class_mean", "linear", "raw_knn3", "raw_linear", "raw_linear_class_mean"] {
      let percent = try #require(report.value(of: name), "\(name)")
      #expect(percent > 80 && percent <= 100, "\(name): \(percent)")
    }
    #expect(report.value(of: "majority_share").map { abs($0 - 100.0 / 3) < 1e-9 } == true)
    #expect(report.value(of: "knn3_voters") == 3 && report.remarks.isEmpty)
    evaluation.protocols = [NearestNeighbours(neighbours: 3)]
    (evaluation.inference, evaluation.includesRawPixels) = (.int8, false)
    let integers = try evaluation.run(images, network: try smallNetwork())
    #expect(try #require(integers.value(of: "knn3")) > 80 && integers.rawResults.isEmpty, "\(integers)")
  }

  @Test func withoutTrainingImagesEachIsAskedAboutAmongTheOthers() throws {
    let images = try EvaluationImages(train: nil, val: source("train"))
    var evaluation = Evaluation([NearestNeighbours(neighbours: 3)])
    evaluation.includesRawPixels = false
    let report = try evaluation.run(images, network: try smallNetwork())
    #expect(report.trainImages == nil && report.valImages == 15)
    #expect(report.lines[0] == "15 validation images, each asked about among the others, 3 classes")
    let features = try images.labelled(val: Features.extract(from: source("train"), network: smallNetwork()))
    let alone = try NearestNeighbours(neighbours: 3).predictLeavingOneOut(features)
    let right = zip(alone, features.labels).count { $0 == $1 }
    #expect(report.value(of: "knn3") == 100 * Double(right) / 15)
    evaluation.protocols = [LinearProbe()]
    #expect(throws: DataError.self) { try evaluation.run(images, network: try smallNetwork()) }
  }

  @Test func fewerNeighboursThanAskedForAreSaid() throws {
    let data = try EvaluationFeatures(
      train: rows([1, 2, -1], [0, 0, 1], classes: 2), val: rows([1, -1, -2, 3], [0, 1, 1, 1], classes: 2))
    let result = try NearestNeighbours().evaluate(data) { _, _ in }
    #expect(result.title == "20-NN (3 voted: there are no more)")
    #expect(result.figures.map(\.name) == ["knn20", "knn20_class_mean", "knn20_voters"])
    // Of class 0 the one is right, of class 1 two of three; three of four in all.
    let expected: [Double] = [75, 100 * (1 + 2.0 / 3) / 2, 3]
    #expect(result.figures.map(\.value) == expected)
    #expect(data.val.majorityShare == 75)
    #expect(try NearestNeighbours(neighbours: 3).evaluate(data) { _, _ in }.title == "3-NN")
    let alone = try EvaluationFeatures(train: nil, val: data.val)
    #expect(try NearestNeighbours(neighbours: 4).evaluate(alone) { _, _ in }.figures.last?.value == 3)
  }

  @Test func theSamePicturesOnBothSidesAreSaid() throws {
    try folder.write("val/class1/again.jpg", colouredPicture(kind: 1, number: 2))
    var evaluation = Evaluation([NearestNeighbours(neighbours: 3)])
    evaluation.includesRawPixels = false
    let both = try evaluation.run(EvaluationImages(train: source("train"), val: source("val")), network: try smallNetwork())
    #expect(
      both.remarks == [
        "1 of 7 validation images are among the training images as well, byte for byte (class1/2.jpg is class1/again.jpg): "
          + "the figures are too good"
      ])
    #expect(both.lines.last == "warning: " + both.remarks[0] && both.fields["remarks"] is [String])
    try folder.write("val/class0/twin.jpg", colouredPicture(kind: 1, number: 2))
    let alone = try evaluation.run(EvaluationImages(train: nil, val: source("val")), network: try smallNetwork())
    #expect(
      alone.remarks == [
        "2 of 8 validation images stand there more than once, byte for byte (class0/twin.jpg is class1/again.jpg): "
          + "the figures are too good"
      ])
  }

  @Test func aProtocolThatTheNetworkLacksSomethingForIsLeftOutAndSaidToBe() throws {
    let images = try EvaluationImages(train: source("train"), val: source("val"))
    let network = try Network(
      NetworkConfiguration(architecture: .resnet18, stem: .small, baseWidth: 8, dim: 0, prototypes: []), seed: 1)
    let both = try Evaluation([Clusters(.prototypes), Clusters(.kmeans())]).run(images, network: network)
    #expect(both.value(of: "kmeans_nmi") != nil && both.value(of: "prototypes_nmi") == nil)
    #expect(both.remarks == ["the weights have no prototypes whose clusters could be measured"])
    let error = #expect(throws: DataError.self) { try Evaluation([Clusters(.prototypes)]).run(images, network: network) }
    #expect(error?.description == "the weights have no prototypes whose clusters could be measured")
  }

  @Test func imagesThatCannotBeReadAreReported() throws {
    try folder.write("val/class0/broken.jpg", Array("gone".utf8))
    let images = try EvaluationImages(train: source("train"), val: source("val"))
    let report = try Evaluation([NearestNeighbours()]).run(images, network: try smallNetwork())
    #expect(report.bad.map(\.name) == ["class0/broken.jpg"] && report.valImages == 6)
    #expect(report.fields["bad_images"] as? Int == 1)
    for kind in 0..<3 { try folder.write("gone/class\(kind)/1.jpg", Array("gone".utf8)) }
    let error = #expect(throws: DataError.self) {
      try Evaluation([NearestNeighbours()]).run(
        EvaluationImages(train: source("train"), val: source("gone")), network: try smallNetwork())
    }
    #expect(error?.description.hasPrefix("val: none of 3 images could be read; class0/1.jpg: ") == true, "\(error as Any)")
  }

  @Test func classesAreMatchedByName() throws {
    // A val that lacks a class of train.
    try folder.write("other/class2/1.jpg", try picture(kind: 2, number: 9))
    try folder.write("other/class1/1.jpg", try picture(kind: 1, number: 9))
    let features = try Features(dim: 1, values: [1, 2])
    let pair = try EvaluationImages(train: source("train"), val: source("other"))
    #expect(try pair.labelled(val: features).labels == [1, 2] && pair.labelled(val: features).classes == 3)
    try folder.write("foreign/zebra/1.jpg", try picture(kind: 0, number: 0))
    for (train, val, text) in [
      ("train", "foreign", "val: class 'zebra' is not in train, whose classes are class0, class1, class2"),
      ("foreign", "foreign", "train: one class, 'zebra'; at least two are needed"),
    ] {
      let error = #expect(throws: DataError.self) { try EvaluationImages(train: source(train), val: source(val)) }
      #expect(error?.description == text)
    }
    let error = #expect(throws: DataError.self) { try EvaluationImages(train: nil, val: source("foreign")) }
    #expect(error?.description == "val: one class, 'zebra'; at least two are needed")
  }

  @Test func namesAreCompareByteForByteAndThenAsTexts() throws {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    func set(_ names: [String]) -> Named { Named(classNames: names) }
    // Two folders that differ in Unicode's form only are two classes, on both sides.
    let both = try EvaluationImages(train: set([composed, decomposed, "a"]), val: set([decomposed, composed]))
    #expect(try both.labelled(val: Features(dim: 1, values: [1, 2])).labels == [1, 0])
    #expect(both.remarks == ["val has no images of classes that train has: a"])
    // A set that was copied between systems spells all of them in another form.
    let copied = try EvaluationImages(train: set([composed, "a"]), val: set(["a", decomposed]))
    #expect(try copied.labelled(val: Features(dim: 1, values: [1, 2])).labels == [1, 0])
    #expect(copied.remarks.count == 1 && copied.remarks[0].contains("another of Unicode's forms"))
    #expect(throws: DataError.self) { try EvaluationImages(train: set(["a", "a"]), val: set(["a"])) }
  }

  /// A source of names: sample n has class n.
  private struct Named: ImageSource {
    var classNames: [String]
    var lacksFirst = false
    var count: Int { classNames.count }
    func bytes(of sample: Int) throws -> [UInt8] { [] }
    func name(of sample: Int) -> String { "picture \(sample)" }
    func label(of sample: Int) -> Int? { lacksFirst && sample == 0 ? nil : sample }
  }

  @Test func aSampleWithoutAClassIsAnErrorAndNoShiftOfRows() throws {
    let images = try EvaluationImages(
      train: Named(classNames: ["a", "b"], lacksFirst: true), val: Named(classNames: ["a", "b"]))
    let features = try Features(dim: 1, values: [1, 2])
    #expect(try images.labelled(val: features).labels == [0, 1])
    let error = #expect(throws: DataError.self) { try images.labelled(train: features) }
    #expect(error?.description == "train: picture 0 has no class; every image needs one")
  }

  @Test func featuresAndLabelsAreCheckedWhenMade() throws {
    func message(_ body: () throws -> Void) -> String? {
      #expect(throws: EngineError.self, performing: body).map { $0.code == .argument ? $0.message : "\($0.code)" }
    }
    let two = try Features(dim: 2, values: [1, 2, 3, 4])
    #expect(two.count == 2 && two.samples == [0, 1] && Array(two.row(1)) == [3, 4])
    #expect(
      message { _ = try Features(dim: 2, values: [1, 2, 3]) }
        == "3 numbers are no rows of 2; a multiple of a length of 1 or more is needed")
    #expect(message { _ = try Features(dim: 0, values: []) }?.hasPrefix("0 numbers are no rows of 0") == true)
    #expect(
      message { _ = try Features(dim: 2, values: [1, 2], samples: [1, 2]) }
        == "2 samples for 1 rows of features; one each is needed")
    #expect(
      message { _ = try LabelledFeatures(two, labels: [0], classes: 2) }
        == "1 labels for 2 rows of features; one each is needed")
    #expect(message { _ = try LabelledFeatures(two, labels: [0, 2], classes: 2) } == "label 1 is 2; 0 to 1 is allowed")
    #expect(message { _ = try LabelledFeatures(two, labels: [0, -1], classes: 2) } == "label 1 is -1; 0 to 1 is allowed")
    #expect(message { _ = try LabelledFeatures(two, labels: [0, 0], classes: 0) }?.hasPrefix("0 classes") == true)
    let (bank, one) = (try LabelledFeatures(two, labels: [0, 1], classes: 2), try rows([1, 2], [0, 1], classes: 2))
    let other = "rows of 1 numbers cannot be compared with rows of 2"
    #expect(message { _ = try NearestNeighbours().predict(one.features, bank: bank) } == other)
    #expect(message { _ = try EvaluationFeatures(train: bank, val: one) } == other)
    #expect(message { _ = try LinearProbe().fit(bank).predict(one.features) }?.contains("do not go with a classifier") == true)
    let three = try rows([1, 2], [0, 1], classes: 3)
    #expect(message { _ = try EvaluationFeatures(train: one, val: three) }?.contains("they have to agree") == true)
    #expect(try NearestNeighbours().predict(Features(dim: 2, values: []), bank: bank) == [])
    #expect(try NearestNeighbours(neighbours: 1).predict(two, bank: bank) == [0, 1])
    let apart = try LabelledFeatures(Features(dim: 2, values: [1, 0, 0, 1]), labels: [1, 0], classes: 2)
    #expect(try LinearProbe().fit(apart).predict(apart.features) == [1, 0])
  }

  @Test func everyFigureOfARowHasAUnit() throws {
    let images = try EvaluationImages(train: source("train"), val: source("val"))
    let report = try Evaluation([NearestNeighbours(), LinearProbe()]).run(images, network: try smallNetwork())
    let units = try #require(report.fields["units"] as? [String: String])
    #expect(units.count == report.figures.count && units.count == 11)
    for (name, unit) in units { #expect(report.fields[name] is Double && (unit == "percent" || unit == "images"), "\(name)") }
  }

  @Test func progressIsToldOfEveryPartOfTheWork() throws {
    let images = try EvaluationImages(train: source("train"), val: source("val"))
    var evaluation = Evaluation([NearestNeighbours(), LinearProbe()])
    (evaluation.recalibrates, evaluation.inference, evaluation.reading.batch) = (true, .int8, 4)
    var last: [String: Int] = [:]
    _ = try evaluation.run(images, network: try smallNetwork()) { title, done, total in
      #expect(done >= last[title] ?? 0 && done <= total, "\(title)")
      last[title] = done
    }
    #expect(
      last.keys.sorted() == [
        "calibrating", "features of train", "features of val", "knn", "knn on thumbnails", "linear-features",
        "linear-features on thumbnails",
        "re-estimating batch-norm", "thumbnails of train", "thumbnails of val",
      ])
    #expect(last["features of train"] == 15 && last["thumbnails of val"] == 6 && last["calibrating"] == 15)
  }

  @Test func anEvaluationIsCalledOff() throws {
    let images = try EvaluationImages(train: source("train"), val: source("val"))
    let (cancellation, network) = (Cancellation(), try smallNetwork())
    let error = #expect(throws: EngineError.self) {
      try cancellation.watching {
        try Evaluation([NearestNeighbours()]).run(images, network: network) { title, _, _ in
          if title == "features of val" { cancellation.cancel() }
        }
      }
    }
    #expect(error?.code == .cancelled)
  }
}
