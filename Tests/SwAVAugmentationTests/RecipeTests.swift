import SwAVAugmentation
import SwAVEngine
import SwAVTestSupport
import Testing

@Suite struct RecipeTests {
  @Test func publishedValuesAreThePapers() {
    let recipe = Recipe.published
    #expect(recipe.cropCount == 8)
    #expect(recipe.mean == [0.485, 0.456, 0.406])
    // 0.228 and not 0.229: the published figure.
    #expect(recipe.std == [0.228, 0.224, 0.225])
    #expect(recipe.brightness == 0.8 && recipe.hue == 0.2)
    #expect(recipe.jitterProbability == 0.8 && recipe.grayscaleProbability == 0.2 && recipe.blurProbability == 0.5)
  }

  @Test func publishedStatisticsOfOneChannelAreTheMeanOfThree() {
    let one = Recipe.publishedStatistics(channels: 1)
    #expect(one.mean == [0.449] && one.std == [0.226])
    let three = Recipe.publishedStatistics(channels: 3)
    #expect(three.mean == Recipe.published.mean && three.std == Recipe.published.std)
  }

  @Test func exactCropsArePillowsAndFastOnesNearThem() throws {
    var recipe = Recipe(groups: try CropGroup.parse("2x64+2x48"))
    #expect(recipe.precision == .fast)
    let bytes = try picture(kind: 3, number: 5, side: 90)
    recipe.jitterProbability = 1
    let fast = try recipe.crops(of: bytes, seed: 4, epoch: 0, sample: 0).flatMap { $0 }
    recipe.precision = .exact
    let exact = try recipe.crops(of: bytes, seed: 4, epoch: 0, sample: 0).flatMap { $0 }
    // In levels of 255. On average far below one: a step of hue here and there. They do differ: the setting arrives.
    let difference = zip(fast, exact).map { Double(abs($0 - $1)) * 255 * 0.226 }.reduce(0, +) / Double(fast.count)
    #expect(difference > 0 && difference < 0.5)
  }

  @Test func aPlanIsAPureFunctionOfItsArguments() throws {
    func plan(seed: UInt64 = 1, epoch: Int = 2, sample: Int = 3, crop: Int = 4) throws -> CropPlan {
      try CropPlan(
        recipe: .published, seed: seed, epoch: epoch, sample: sample, crop: crop, imageWidth: 640, imageHeight: 480)
    }
    let first = try plan()
    #expect(try plan() == first)
    #expect(first.size == 96)
    #expect(try plan(crop: 0).size == 224)
    for other in [try plan(seed: 9), try plan(epoch: 9), try plan(sample: 9), try plan(crop: 5)] { #expect(other != first) }
  }

  @Test func everyBoxLiesInTheImage() throws {
    for sample in 0..<200 {
      let plan = try CropPlan(
        recipe: .published, seed: 7, epoch: 0, sample: sample, crop: sample % 8, imageWidth: 33, imageHeight: 500)
      let box = plan.box
      #expect(box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0)
      #expect(box.left + box.width <= 33 && box.top + box.height <= 500)
    }
  }

  @Test func multiCropGivesEveryViewInItsSize() throws {
    let recipe = Recipe(groups: try CropGroup.parse("2x32+3x16"))
    let bytes = try picture(kind: 0, number: 1)
    let crops = try recipe.crops(of: bytes, seed: 0, epoch: 0, sample: 0)
    #expect(crops.map(\.count) == [32 * 32 * 3, 32 * 32 * 3, 16 * 16 * 3, 16 * 16 * 3, 16 * 16 * 3])
    #expect(try recipe.crops(of: bytes, seed: 0, epoch: 0, sample: 0) == crops)
    #expect(try recipe.crops(of: bytes, seed: 0, epoch: 0, sample: 1) != crops)
    #expect(crops.allSatisfy { $0.allSatisfy { $0.isFinite && abs($0) < 3 } })
  }

  @Test func damagedBytesAreAnErrorOfFormat() {
    #expect(throws: EngineError.self) { try Recipe.published.crops(of: Array("no picture".utf8), seed: 0, epoch: 0, sample: 0) }
    do {
      _ = try Image(decoding: [0xff, 0xd8, 0xff, 0xe0])
      Issue.record("decoded")
    } catch {
      #expect(error.code == .format)
      #expect(!error.message.isEmpty && !error.message.contains("\n"))
    }
  }

  @Test(arguments: [1, 2, 3, 7, 64, 1000])
  func theOrderOfAnEpochIsAPermutation(_ count: Int) {
    let order = (0..<count).map { EpochOrder.sample(seed: 5, epoch: 1, count: count, position: $0) }
    #expect(order.sorted() == Array(0..<count))
    let next = (0..<count).map { EpochOrder.sample(seed: 5, epoch: 2, count: count, position: $0) }
    if count > 10 { #expect(next != order) }
  }
}
