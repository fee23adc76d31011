import Foundation
import SwAVAugmentation
import SwAVTestSupport
import Testing

@testable import SwAVData

/// A source of numbers: what a sample is does not matter here, and its bytes say which one it is.
private struct Numbers: ImageSource {
  let first: UInt8
  let count: Int
  var classNames: [String] = []
  func bytes(of sample: Int) throws -> [UInt8] { [first, UInt8(sample)] }
  func name(of sample: Int) -> String { "\(sample)" }
  func label(of sample: Int) -> Int? { classNames.isEmpty ? nil : sample % classNames.count }
}

@Suite struct ImageMixtureTests {
  private func mixture(_ weights: [Double]) throws -> ImageMixture {
    try ImageMixture(
      [Numbers(first: 0, count: 10), Numbers(first: 1, count: 4), Numbers(first: 2, count: 7)], names: ["a", "b", "c"],
      weights: weights)
  }

  /// How often each sample comes in an epoch.
  private func uses(_ mixture: ImageMixture, epoch: Int, seed: UInt64 = 5) -> [Int] {
    var uses = [Int](repeating: 0, count: mixture.count)
    for draw in 0..<mixture.drawCount { uses[mixture.sample(ofDraw: draw, seed: seed, epoch: epoch)] += 1 }
    return uses
  }

  @Test func withoutWeightsEverySampleComesOnceAsItself() throws {
    let mixture = try mixture([])
    #expect(mixture.count == 21 && mixture.drawCount == 21)
    for draw in 0..<21 { #expect(mixture.sample(ofDraw: draw, seed: 3, epoch: 8) == draw) }
    #expect(
      try (0..<21).map { try mixture.bytes(of: $0) } == (0..<10).map { [0, $0] } + (0..<4).map { [1, $0] }
        + (0..<7).map { [2, $0] })
    #expect(mixture.name(of: 10) == "b/0" && mixture.name(of: 20) == "c/6")
  }

  @Test func wholeWeightsRepeatAndFractionsThin() throws {
    let mixture = try mixture([2, 1, 0.5])
    // 20 + 4 + round(3.5).
    #expect(mixture.drawCount == 28)
    for epoch in 0..<20 {
      let uses = uses(mixture, epoch: epoch)
      #expect(uses[..<10].allSatisfy { $0 == 2 } && uses[10..<14].allSatisfy { $0 == 1 })
      #expect(uses[14...].allSatisfy { $0 <= 1 } && uses[14...].reduce(0, +) == 4)
    }
  }

  @Test func aThinnedSourceShowsEveryImageInTheCourseOfTheEpochs() throws {
    let mixture = try mixture([1, 1.5, 0.25])
    var total = [Int](repeating: 0, count: mixture.count)
    for epoch in 0..<60 { for (sample, count) in uses(mixture, epoch: epoch).enumerated() { total[sample] += count } }
    // 60 epochs, each with 2 of 7: 17.1 times on average; binomial with p = 2/7, sd 3.5: within 4 sd.
    #expect(total[14...].allSatisfy { (4...31).contains($0) })
    // Once in each epoch, and 2 of 4 once more: 90, sd 3.9.
    #expect(total[10..<14].allSatisfy { (75...105).contains($0) })
    #expect(uses(mixture, epoch: 0) == uses(mixture, epoch: 0))
    #expect((1..<10).contains { uses(mixture, epoch: $0) != uses(mixture, epoch: 0) })
    #expect((1..<10).contains { uses(mixture, epoch: 0, seed: UInt64($0)) != uses(mixture, epoch: 0, seed: 0) })
  }

  @Test func wrongWeightsAreNamed() throws {
    for (weights, text) in [
      ([1.0, 2], "2 weights for 3 sources"), ([1, 0, 1], "a weight is 0.0"), ([1, .nan, 1], "a weight is nan"),
      ([1, 2000, 1], "at most 1000"), ([1, 1, 0.01], "leaves none of 7 images"),
    ] {
      let error = #expect(throws: DataError.self) { try mixture(weights) }
      #expect(error?.description.contains(text) == true, "\(weights)")
    }
    #expect(throws: DataError.self) { try ImageMixture([]) }
  }

  @Test func classesAreMatchedByName() throws {
    let cats = Numbers(first: 0, count: 4, classNames: ["cat", "dog"])
    let dogs = Numbers(first: 1, count: 4, classNames: ["dog", "elk"])
    let both = try ImageMixture([cats, dogs])
    #expect(both.classNames == ["cat", "dog", "elk"])
    #expect((0..<8).map { both.label(of: $0) } == [0, 1, 0, 1, 1, 2, 1, 2])
    let partly = try ImageMixture([cats, Numbers(first: 1, count: 2)])
    #expect(partly.classNames.isEmpty && partly.label(of: 0) == nil)
  }

  @Test func aLoaderOverAWeightedMixtureGoesOnAnywhere() throws {
    let mixture = try ImageMixture([try MemorySource(count: 5), try MemorySource(count: 6, damaged: [2])], weights: [2, 0.5])
    let recipe = Recipe(groups: try CropGroup.parse("2x8"))
    func drain(from start: Loader.Position, workers: Int) throws -> [[Float]] {
      var configuration = Loader.Configuration(recipe: recipe, seed: 9, batch: 4, epochs: 3, workers: workers)
      configuration.start = start
      let loader = try Loader(mixture, configuration)
      #expect(loader.batchesPerEpoch == 3)
      var batches: [[Float]] = []
      while let next = try loader.withNextBatch({ $0.crops.values(ofGroup: 0) }) {
        batches.append(next)
      }
      return batches
    }
    let whole = try drain(from: .init(epoch: 0, batch: 0), workers: 1)
    #expect(whole.count == 9)
    for batch in 0..<9 {
      #expect(
        try drain(from: .init(epoch: batch / 3, batch: batch % 3), workers: 3) == Array(whole[batch...]), "batch \(batch)")
    }
  }

  @Test func aRepeatedSampleIsCroppedAnew() throws {
    let twice = try ImageMixture([try MemorySource(count: 1)], weights: [2])
    var configuration = Loader.Configuration(
      recipe: Recipe(groups: try CropGroup.parse("2x16")), seed: 1, batch: 2, epochs: 1, workers: 1)
    configuration.slots = 2
    let pixels = try Loader(twice, configuration).withNextBatch { batch in
      batch.crops.values(ofGroup: 0)
    }
    let found = try #require(pixels)
    #expect(found[..<(16 * 16 * 3)] != found[(16 * 16 * 3)..<(2 * 16 * 16 * 3)])
  }
}
