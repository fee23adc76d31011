import SwAVAugmentation
import SwAVData
import SwAVEvaluation
import SwAVModel
import SwAVTestSupport
import Testing

@Suite struct ViewAgreementTests {
  private struct Pictures: ImageSource {
    let files: [[UInt8]]
    var count: Int { files.count }
    func name(of sample: Int) -> String { "picture \(sample)" }
    func bytes(of sample: Int) -> [UInt8] { files[sample] }
  }

  private func network() throws -> Network {
    let network = try Network(NetworkConfiguration(architecture: .resnet18, baseWidth: 8, prototypes: [4]), seed: 3)
    try network.describeInput(InputDescription(size: 32, mean: Recipe.published.mean, std: Recipe.published.std))
    return network
  }

  /// Where views of different images have nothing but the box changed, most are known again; of pictures that are all the same no more than guessing says.
  @Test func imagesAreKnownAgainWhereTheyDifferAndNotWhereTheyAreTheSame() throws {
    var recipe = Recipe(groups: [CropGroup(count: 2, size: 32, minScale: 0.4, maxScale: 1)])
    (recipe.jitterProbability, recipe.grayscaleProbability, recipe.blurProbability) = (0, 0, 0)
    let different = Pictures(files: try (0..<60).map { try picture(kind: $0 % 6, number: $0) })
    let same = Pictures(files: Array(repeating: try picture(kind: 0, number: 0), count: 60))
    let network = try network()
    let known = try ViewAgreement.measure(network, on: different, recipe: recipe)
    let guessed = try ViewAgreement.measure(network, on: same, recipe: recipe)
    #expect(known.images == 60 && guessed.images == 60)
    #expect(known.agreement > 3 * guessed.agreement && guessed.agreement < 20, "\(known.agreement), \(guessed.agreement)")
    // The same images and views each time, however many workers there are.
    #expect(try ViewAgreement.measure(network, on: different, recipe: recipe, options: ReadingOptions(workers: 3)) == known)
    #expect(try ViewAgreement.measure(network, on: different, limit: 10, recipe: recipe).images == 10)
  }
}
