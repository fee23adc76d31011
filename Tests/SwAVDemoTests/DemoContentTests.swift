import Foundation
import SwAVData
import SwAVEvaluation
import Testing

@testable import SwAVDemo

/// What must not tell the class: the demo would otherwise measure colour and not structure.
@Suite struct DemoContentTests {
  /// Four standard deviations above chance: `n` guesses among the classes are right chance * n times, with a binomial spread.
  static func bound(chance: Double, _ n: Int) -> Double { chance + 4 * (chance * (1 - chance) / Double(n)).squareRoot() }

  static let chance = 1 / Double(DemoClass.allCases.count)

  static func meanColor(_ samples: [UInt8]) -> SIMD3<Double> {
    var sum = SIMD3<Double>.zero
    for pixel in stride(from: 0, to: samples.count, by: 3) {
      sum += SIMD3(Double(samples[pixel]), Double(samples[pixel + 1]), Double(samples[pixel + 2]))
    }
    return sum / Double(samples.count / 3)
  }

  @Test func meanColorTellsNothing() {
    let images = DemoImages(side: 24, trainPerClass: 100, valPerClass: 60)
    let centres = DemoClass.allCases.map { kind in
      (0..<images.trainPerClass).map { Self.meanColor(images.samples(.train, kind, $0)) }.reduce(.zero, +)
        / Double(images.trainPerClass)
    }
    var right = 0
    for (label, kind) in DemoClass.allCases.enumerated() {
      for number in 0..<images.valPerClass {
        let color = Self.meanColor(images.samples(.val, kind, number))
        let distances = centres.map { (($0 - color) * ($0 - color)).sum() }
        if distances.indices.min(by: { distances[$0] < distances[$1] }) == label { right += 1 }
      }
    }
    let count = images.valPerClass * DemoClass.allCases.count
    let accuracy = Double(right) / Double(count)
    #expect(accuracy < Self.bound(chance: Self.chance, count), "\(accuracy) is right, chance is \(Self.chance)")
  }

  @Test func thumbnailsTellLittle() throws {
    let folder = TemporaryFolder()
    let images = DemoImages(seed: 5, trainPerClass: 60, valPerClass: 30)
    try images.write(to: folder.url)
    let sources = try ["train", "val"].map { try ImageFolder(folder.url.appending(path: $0).path) }
    let pair = try EvaluationImages(train: sources[0], val: sources[1])
    let (train, val) = (try Features.thumbnails(of: sources[0]), try Features.thumbnails(of: sources[1]))
    let data = try EvaluationFeatures(train: pair.labelled(train: train), val: pair.labelled(val: val))
    let accuracy = try #require(NearestNeighbours().evaluate(data) { _, _ in }.figures.first).value / 100
    #expect(train.bad.isEmpty && val.bad.isEmpty && val.count == images.valPerClass * DemoClass.allCases.count)
    // Twice chance is allowed: large figures show in a thumbnail.
    #expect(accuracy < Self.bound(chance: 2 * Self.chance, val.count), "\(accuracy) is right, chance is \(Self.chance)")
  }
}
