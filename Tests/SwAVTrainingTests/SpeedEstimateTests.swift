import SwAVData
import SwAVInspection
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct SpeedEstimateTests {
  @Test func speedIsThatOfLoadingAndTrainingOneAfterTheOther() throws {
    let folder = try TemporaryFolder()
    for number in 0..<9 { try folder.write("\(number).jpg", try picture(kind: 0, number: number)) }
    var plan = try PretrainConfiguration.planned(for: DataFacts(images: 9, shortSide: 40)).configuration
    (plan.baseWidth, plan.batch, plan.prototypes) = (8, 4, [6])
    let speed = try SpeedEstimate.measure(ImageFolder(folder.path), configuration: plan, seconds: 0.02)
    #expect(speed.loadingImagesPerSecond > 0 && speed.trainingImagesPerSecond > 0)
    let rate = 1 / (1 / speed.loadingImagesPerSecond + 1 / speed.trainingImagesPerSecond)
    // Two batches of four make an epoch. A handful of operations, each rounded by half an ulp.
    #expect(abs(speed.epochSeconds * rate - 8) <= 8 * 10 * Double.ulpOfOne)
    // In micro-batches an epoch has as many images.
    plan.microBatch = 2
    let parts = try SpeedEstimate.measure(ImageFolder(folder.path), configuration: plan, seconds: 0.02)
    #expect(abs(parts.epochSeconds * parts.imagesPerSecond - 8) <= 8 * 10 * Double.ulpOfOne)
  }
}
