import Foundation
import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVEvaluation

/// Protocols that train, on small pictures of three colours.
@Suite struct SupervisedTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for kind in 0..<3 {
      for number in 0..<10 { try folder.write("train/class\(kind)/\(number).jpg", colouredPicture(kind: kind, number: number)) }
      for number in 20..<26 { try folder.write("val/class\(kind)/\(number).jpg", colouredPicture(kind: kind, number: number)) }
    }
  }

  private func images() throws -> EvaluationImages {
    try EvaluationImages(train: ImageFolder(folder.path + "/train"), val: ImageFolder(folder.path + "/val"))
  }

  private func run(_ judge: any EvaluationProtocol, workers: Int = 2, network: Network? = nil) throws -> EvaluationReport {
    var evaluation = Evaluation([judge])
    evaluation.includesRawPixels = false
    evaluation.reading.workers = workers
    return try evaluation.run(images(), network: network ?? smallNetwork())
  }

  @Test func theLinearProtocolLearnsAndTellsTheLastAndTheBestEpoch() throws {
    var judge = LinearTraining()
    (judge.epochs, judge.batch, judge.rate) = (8, 8, 10)
    let report = try run(judge)
    let (last, best) = (try #require(report.value(of: "linear_sgd")), try #require(report.value(of: "linear_sgd_best")))
    #expect(best >= last && best > 60, "\(report.lines)")
    let epoch = try #require(report.value(of: "linear_sgd_best_epoch"))
    #expect(epoch >= 1 && epoch <= 8 && report.value(of: "linear_sgd_rate") == 10)
    // The same bits with other workers; other weights, order and boxes with another seed.
    #expect(try run(judge, workers: 1).results == report.results)
    judge.seeds = [1]
    let other = try run(judge)
    #expect(other.results != report.results, "\(report.lines), \(other.lines)")
    judge.augments = false
    let centres = try run(judge)
    #expect(try #require(centres.value(of: "linear_sgd_best")) > 60, "\(centres.lines)")
    judge.usesGrid = true
    #expect(try #require(run(judge).value(of: "linear_sgd_best")) > 60)
  }

  @Test func theNetworkThatIsJudgedStaysAsItIs() throws {
    let (network, fresh) = (try smallNetwork(), try smallNetwork())
    let pixels = (0..<32 * 32 * 3).map { Float($0 % 7) / 7 }
    let before = try fresh.embed(images: pixels, count: 1, height: 32, width: 32)
    var (linear, tuning) = (LinearTraining(), FineTuning.all())
    (linear.epochs, tuning.epochs, tuning.batch, tuning.comparesScratch) = (1, 1, 8, false)
    _ = try run(linear, network: network)
    _ = try run(tuning, network: network)
    #expect(try network.embed(images: pixels, count: 1, height: 32, width: 32) == before)
  }

  @Test func ratesAreChosenOnTrainingImages() throws {
    var judge = LinearTraining()
    (judge.epochs, judge.augments, judge.batch) = (60, false, 8)
    judge.choices = [0, 10].map { LinearTraining.Choice(rate: $0, weightDecay: 0) }
    // A rate of 0 learns nothing, and random weights have two of the three held-out pictures right: in 60 epochs the other rate has
    // them all and is chosen, whatever the validation images say.
    let report = try run(judge)
    #expect(report.value(of: "linear_sgd_rate") == 10, "\(report.lines)")
  }

  @Test func fewLabelsTrainAllLayersAndFromScratch() throws {
    var judge = FineTuning(semi: .percent(40))
    (judge.epochs, judge.batch, judge.backboneRate, judge.classifierRate, judge.scratchRate) = (6, 6, 1, 2, 2)
    judge.seeds = [0, 1]
    let report = try run(judge)
    // 40 % of 30 images in 3 classes: 4 of each.
    #expect(report.value(of: "semi40_images") == 12)
    for name in ["semi40", "semi40_scratch"] {
      let value = try #require(report.value(of: name))
      #expect(value > 34, "\(name): \(value), guessing has 33.3")
    }
    var alone: [EvaluationReport] = []
    for seed in judge.seeds {
      var one = judge
      one.seeds = [seed]
      alone.append(try run(one))
    }
    for name in ["semi40", "semi40_scratch"] {
      let (a, b) = (try #require(alone[0].value(of: name)), try #require(alone[1].value(of: name)))
      // Of two: the root of half the squared difference. Percentages of 18 images.
      #expect(abs(try #require(report.value(of: name)) - (a + b) / 2) < 1e-9, "\(name)")
      #expect(abs(try #require(report.value(of: name + "_deviation")) - abs(a - b) / 2.0.squareRoot()) < 1e-9, "\(name)")
    }
    #expect(try run(judge, workers: 1).results == report.results)
    #expect(report.confusion?.classes == 3)
  }

  @Test func figuresOfSeveralSeedsAreMeansOverThem() throws {
    var judge = LinearTraining()
    (judge.epochs, judge.batch, judge.rate) = (2, 8, 3)
    let seeds: [UInt64] = [0, 1, 2]
    var alone: [EvaluationReport] = []
    for seed in seeds {
      judge.seeds = [seed]
      alone.append(try run(judge))
    }
    judge.seeds = seeds
    let together = try run(judge)
    func values(_ name: String) throws -> (mean: Double, deviation: Double) {
      let found = try alone.map { try #require($0.value(of: name)) }
      let mean = found.reduce(0, +) / 3
      let squares: Double = found.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      return (mean, (squares / 2).squareRoot())
    }
    // Percentages of 18 images, summed in another order.
    for name in ["linear_sgd", "linear_sgd_class_mean", "linear_sgd_best"] {
      let (mean, found) = (try values(name).mean, try #require(together.value(of: name)))
      #expect(abs(found - mean) < 1e-9, "\(name)")
    }
    let deviation = try #require(together.value(of: "linear_sgd_deviation"))
    #expect(try abs(deviation - values("linear_sgd").deviation) < 1e-9)
    // All of them, so that what stands beside the means is of the same trainings.
    let sums = alone.compactMap(\.confusion).map(\.rows)
    let first = try #require(sums.first)
    let wanted = first.indices.map { row in first[row].indices.map { column in sums.reduce(0) { $0 + $1[row][column] } } }
    #expect(together.confusion?.rows == wanted)
    judge.seeds = []
    #expect(throws: EngineError.self) { try run(judge) }
  }

  @Test func whatIsCalledOffGoesOnToTheSameFigures() throws {
    let file = folder.path + "/going"
    func callOff(_ judge: any EvaluationProtocol, after passes: Int) throws {
      let cancellation = Cancellation()
      var done = 0
      let error = #expect(throws: (any Error).self) {
        try cancellation.watching {
          _ = try Evaluation([judge]).run(images(), network: smallNetwork()) { title, count, total in
            guard title.contains(", epoch "), count >= total else { return }
            done += 1
            if done == passes { cancellation.cancel() }
          }
        }
      }
      #expect(done == passes && (error as? EngineError)?.code == .cancelled, "\(error as Any)")
      #expect(FileManager.default.fileExists(atPath: file))
    }
    var (linear, tuning) = (LinearTraining(), FineTuning.all())
    (linear.epochs, linear.batch, linear.rate, linear.seeds) = (4, 8, 10, [0, 1])
    (tuning.epochs, tuning.batch) = (3, 7)
    // Whichever of equal rates is chosen, it is at the edge of them.
    var tried = linear
    tried.choices = [LinearTraining.Choice](repeating: LinearTraining.Choice(rate: 10, weightDecay: 0), count: 3)
    let whole = [try run(linear).results, try run(tuning).results, try run(tried).results]
    #expect(whole[2][0].remarks.count == 1 && whole[0][0].remarks.isEmpty)
    (linear.checkpoint, tuning.checkpoint, tried.checkpoint) = (file, file, file)
    for (judge, passes, results) in [
      (linear as any EvaluationProtocol, 2, whole[0]), (linear, 7, whole[0]), (tuning, 2, whole[1]), (tuning, 5, whole[1]),
      // Four passes try the rates.
      (tried, 4 + 2, whole[2]),
    ] {
      try callOff(judge, after: passes)
      #expect(try run(judge).results == results, "\(judge.name) after \(passes)")
      #expect(!FileManager.default.fileExists(atPath: file))
    }
    try callOff(linear, after: 2)
    linear.rate = 3
    let other = #expect(throws: DataError.self) { try run(linear) }
    #expect(other?.description.hasPrefix("\(file): of an evaluation with other settings") == true, "\(other as Any)")
    try folder.write("going", Array("none".utf8))
    let none = #expect(throws: DataError.self) { try run(linear) }
    #expect(none?.description.hasPrefix("\(file): not what an evaluation has left") == true, "\(none as Any)")
  }

  @Test func aListSaysWhichImagesHaveALabel() throws {
    try folder.write("list.txt", Array("class0/1.jpg\nclass1/2.jpg\nclass2/3.jpg\nclass2/4.jpg\n".utf8))
    var judge = FineTuning(semi: .list(folder.path + "/list.txt"))
    (judge.epochs, judge.batch, judge.comparesScratch) = (1, 4, false)
    #expect(try judge.selection(of: images()) == [1, 12, 23, 24])
    #expect(try run(judge).value(of: "semi_images") == 4)
    try folder.write("list.txt", Array("class0/77.jpg\n".utf8))
    let error = #expect(throws: DataError.self) { try judge.selection(of: images()) }
    #expect(error?.description.hasSuffix("'class0/77.jpg' is no training image") == true, "\(error as Any)")
    // Names of ImageNet's files are unique, and so are these lists' last parts; here they are not.
    try folder.write("list.txt", Array("1.jpg\n".utf8))
    let many = #expect(throws: DataError.self) { try judge.selection(of: images()) }
    #expect(many?.description.hasSuffix("is the name of several training images") == true)
  }

  @Test func picturesThatCannotBeReadAreLeftOut() throws {
    try folder.write("train/class0/a.jpg", [])
    try folder.write("val/class1/b.jpg", [])
    var (linear, tuning) = (LinearTraining(), FineTuning.all())
    (linear.epochs, tuning.epochs, tuning.batch, tuning.comparesScratch) = (1, 1, 7, false)
    for judge in [linear, tuning] as [any EvaluationProtocol] {
      let report = try run(judge)
      #expect(Set(report.bad.map(\.name)) == ["class0/a.jpg", "class1/b.jpg"])
      #expect(report.trainImages == 30 && report.valImages == 18)
    }
  }

  @Test func threeImagesAreEnoughToTrainOn() throws {
    for kind in 0..<3 { try folder.write("few/class\(kind)/1.jpg", colouredPicture(kind: kind, number: 1)) }
    let images = try EvaluationImages(train: ImageFolder(folder.path + "/few"), val: ImageFolder(folder.path + "/val"))
    var (linear, tuning) = (LinearTraining(), FineTuning(semi: .percent(1)))
    (linear.epochs, linear.choices, tuning.epochs, tuning.comparesScratch) = (2, LinearTraining.standardChoices, 2, false)
    for judge in [linear, tuning, SupportVectorMachine(), Clusters(.kmeans()), Clusters(.prototypes), Retrieval()]
      as [any EvaluationProtocol]
    {
      var evaluation = Evaluation([judge])
      evaluation.includesRawPixels = false
      let report = try evaluation.run(images, network: smallNetwork())
      #expect(report.trainImages == 3 && report.results[0].figures[0].value.isFinite, "\(judge.name)")
    }
  }

  @Test func severalClassesAnImageAreForTheSupportVectorMachineOnly() throws {
    let lines = (0..<3).flatMap { kind in
      (0..<10).map { "train/class\(kind)/\($0).jpg,k\(kind)|\($0 % 2 == 0 ? "even" : "odd")" }
    }
    try folder.write("train.csv", Array(("path,label\n" + lines.joined(separator: "\n") + "\n").utf8))
    let set = try MultiLabelImages.open(folder.path + "/train.csv", part: "trainval")
    let images = try EvaluationImages(train: set, val: set)
    var evaluation = Evaluation([SupportVectorMachine()])
    evaluation.includesRawPixels = false
    let report = try evaluation.run(images, network: smallNetwork())
    #expect(try #require(report.value(of: "svm_map")) > 50 && report.majorityShare == 50, "\(report.lines)")
    evaluation.protocols = [NearestNeighbours()]
    #expect(throws: DataError.self) { try evaluation.run(images, network: smallNetwork()) }
  }
}
