import Foundation
import SwAVAugmentation
import SwAVEngine
import SwAVModel
import SwAVTestSupport
import Testing

@Suite struct TrainerTests {
  static let networkConfiguration = NetworkConfiguration(
    architecture: .resnet18, stem: .small, baseWidth: 8, hidden: 16, dim: 8, prototypes: [6])

  static var configuration: TrainerConfiguration {
    var configuration = TrainerConfiguration.published
    configuration.crops = [
      CropGroup(count: 2, size: 16, minScale: 0.1, maxScale: 1), CropGroup(count: 1, size: 8, minScale: 0.1, maxScale: 1),
    ]
    configuration.batch = 4
    return configuration
  }

  /// Pixels of one step, a group each.
  static func crops(_ number: Int) -> [[Float]] {
    configuration.crops.map { group in
      (0..<group.count * 4 * group.size * group.size * 3).map { Float(($0 * 31 + number * 7) % 97) / 48 - 1 }
    }
  }

  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return "\(error)" }
    return "no error"
  }

  @Test func cropsThatAreNotAsConfiguredAreRefused() throws {
    var trainer = try Trainer(Network(Self.networkConfiguration, seed: 1), Self.configuration)
    let (input, crops) = (StepInput(learningRate: 0.1), Self.crops(0))
    func step(_ crops: [[Float]]) -> String { message { _ = try trainer.step(crops: crops, input) } }
    #expect(step([crops[0]]) == "crops has 1 groups; 2 are needed")
    #expect(step([crops[0], Array(crops[1].dropLast())]) == "a group of crops has 767 numbers; 768 are needed")
    #expect(step([]) == "crops has 0 groups; 2 are needed")
    // A batch that is whole, but another one.
    let other = [CropBatch.Group(count: 2, size: 8)]
    let pixels = [Float](repeating: 0, count: 2 * 4 * 8 * 8 * 3)
    let refused = message {
      try pixels.withUnsafeBufferPointer {
        _ = try trainer.step(CropBatch(lending: [$0], groups: other, images: 4, channels: 3), input)
      }
    }
    #expect(refused == "crops are 2x8 of 4 images with 3 channels; 2x16+1x8 of 4 images with 3 channels are configured")
    #expect(step(crops) == "no error")
  }

  @Test func aBatchHasTheNumbersThatItClaims() throws {
    let groups = [CropBatch.Group(count: 2, size: 3)]
    let pixels = (0..<2 * 5 * 9).map(Float.init)
    try pixels.withUnsafeBufferPointer { memory in
      let batch = try CropBatch(lending: [memory], groups: groups, images: 5, channels: 1)
      #expect(batch.values(ofGroup: 0) == pixels)
      #expect(batch.withPixels(ofGroup: 0) { $0.count } == 90)
      #expect(batch.withPixels(ofGroup: 0) { $0[89] } == 89)
      let refused = message { _ = try CropBatch(lending: [memory], groups: groups, images: 6, channels: 1) }
      #expect(refused == "a group of crops has 90 numbers; 108 are needed")
    }
  }

  @Test func aNetworkMayBeUsedFromManyThreadsWhileItIsTrained() async throws {
    let network = try Network(Self.networkConfiguration, seed: 1)
    let picture = try picture(kind: 1, number: 2)
    let input = try network.input()
    let losses = try await withThrowingTaskGroup(of: [Double].self) { tasks in
      tasks.addTask {
        var trainer = try Trainer(network, Self.configuration)
        var losses: [Double] = []
        for turn in 0..<6 {
          losses.append(try trainer.step(crops: Self.crops(turn), StepInput(learningRate: 0.01)).loss)
          #expect(try trainer.stepTimes().step > 0 && !trainer.layerTimes().isEmpty && trainer.memoryPlan().total > 0)
        }
        return losses
      }
      for turn in 0..<4 {
        tasks.addTask {
          for _ in 0..<3 {
            #expect(try network.embed(picture, size: 16, output: .embeddings).allSatisfy(\.isFinite))
            #expect(try network.tensor(at: turn).values.allSatisfy(\.isFinite))
            try network.describeInput(input)
            #expect(try network.input() == input && network.info().featureDim == 64)
            // Whole: of one moment between two steps.
            #expect(try network.copy().embed(picture, size: 16).allSatisfy(\.isFinite))
          }
          return []
        }
      }
      return try await tasks.reduce(into: []) { $0 += $1 }
    }
    // Looking on changes nothing: the same losses as alone.
    var alone = try Trainer(Network(Self.networkConfiguration, seed: 1), Self.configuration)
    var expected: [Double] = []
    for turn in 0..<6 { expected.append(try alone.step(crops: Self.crops(turn), StepInput(learningRate: 0.01)).loss) }
    #expect(losses == expected)
  }
}
