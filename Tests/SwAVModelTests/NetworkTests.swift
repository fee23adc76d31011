import Foundation
import SwAVAugmentation
import SwAVEngine
import SwAVModel
import SwAVTestSupport
import Testing

@Suite struct NetworkTests {
  private let configuration = NetworkConfiguration(
    architecture: .resnet18, stem: .small, baseWidth: 8, hidden: 16, dim: 8, prototypes: [6, 4])

  private func tensors(_ network: Network) throws -> [Network.Tensor] {
    try (0..<(try network.info().tensorCount)).map { try network.tensor(at: $0) }
  }

  @Test func namesOfArchitecturesAreThePublishedOnes() {
    #expect(
      Architecture.allCases.map(\.rawValue) == ["resnet18", "resnet34", "resnet50", "resnet50w2", "resnet50w4", "resnet50w5"])
    #expect(Architecture.allCases.map(\.defaultHidden) == [512, 512, 2048, 2048, 2048, 2048])
    #expect(NetworkConfiguration.published.architecture == .resnet50 && NetworkConfiguration.published.prototypes == [3000])
  }

  @Test func aNetworkIsAPureFunctionOfConfigurationAndSeed() throws {
    let network = try Network(configuration, seed: 3)
    #expect(try network.info().configuration == configuration)
    #expect(try network.info().featureDim == 64)
    let all = try tensors(network)
    #expect(all == (try tensors(Network(configuration, seed: 3))))
    #expect(all != (try tensors(Network(configuration, seed: 4))))
    let names = Set(all.map(\.name))
    for name in ["conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer4.1.bn2.weight", "projection_head.3.bias"] {
      #expect(names.contains(name), "\(name)")
    }
    #expect(all.first { $0.name == "conv1.weight" }?.shape == [8, 3, 3, 3])
  }

  @Test func weightsTravelThroughAFile() throws {
    let folder = try TemporaryFolder()
    let network = try Network(configuration, seed: 3)
    let input = InputDescription(size: 48, mean: [0.5, 0.25, 0.125], std: [0.5, 0.25, 1])
    try network.describeInput(input)
    try network.save(to: folder.path + "/w.safetensors")
    let opened = try Network.open(folder.path + "/w.safetensors")
    #expect(opened.report.missing == 0 && opened.report.unexpected == 0)
    #expect(try tensors(opened.network) == tensors(network))
    #expect(try opened.network.input() == input)
    let other = try Network(configuration, seed: 9)
    try other.load(folder.path + "/w.safetensors")
    #expect(try tensors(other) == tensors(network))
    let copy = try network.copy()
    #expect(try tensors(copy) == tensors(network) && copy.input() == input)
  }

  @Test func embedsBytesAndBatchesAlike() throws {
    let network = try Network(configuration, seed: 3)
    let bytes = try picture(kind: 1, number: 2)
    let embedding = try network.embed(bytes, size: 32, output: .embeddings)
    #expect(embedding.count == 8)
    // Unit norm: 8 squares, each rounded once, and a sum of them.
    #expect(abs(embedding.reduce(0) { $0 + $1 * $1 } - 1) <= 16 * Float.ulpOfOne)
    let scores = try network.embed(bytes, size: 32, output: .scores)
    #expect(scores.count == 6 && scores.allSatisfy { abs($0) <= 1 + 16 * Float.ulpOfOne })
    // The picture cut and normalised, twice in a batch.
    let image = try Image(decoding: bytes)
    let form = try network.input()
    var recipe = Recipe.published
    (recipe.mean, recipe.std) = (form.mean, form.std)
    let pixels = try image.pixels(of: .centre(size: 32, imageWidth: 40, imageHeight: 40), recipe: recipe)
    #expect(
      try network.embed(images: pixels + pixels, count: 2, height: 32, width: 32, output: .embeddings) == embedding + embedding)
  }

  @Test func wrongSizesAreErrorsAndNotCrashes() throws {
    let network = try Network(configuration, seed: 3)
    func message(_ body: () throws(EngineError) -> Void) -> String {
      do { try body() } catch { return "\(error.code.rawValue): \(error)" }
      return "no error"
    }
    #expect(
      message { () throws(EngineError) in _ = try network.embed(images: [1, 2, 3], count: 1, height: 32, width: 32) }
        == "1: images has 3 numbers; 3072 are needed")
    #expect(message { () throws(EngineError) in _ = try Network.open("/nowhere.safetensors") }.hasPrefix("2: "))
    var wrong = configuration
    wrong.prototypes = Array(repeating: 3, count: 9)
    #expect(message { () throws(EngineError) in _ = try Network(wrong, seed: 0) }.hasPrefix("1: prototypes has 9 sets"))
  }
}

@Suite struct ObjectiveTests {
  @Test func codesOfEachSampleSumToOne() throws {
    let (rows, prototypes) = (12, 5)
    let scores: [Float] = (0..<rows * prototypes).map { index in Float(index * 37 % 19) / 19 - 0.5 }
    let codes = try Codes.published.codes(for: scores, prototypes: prototypes)
    #expect(codes.count == scores.count)
    for row in 0..<rows {
      let sum = codes[row * prototypes..<(row + 1) * prototypes].reduce(0, +)
      // The last operation divides the row by its sum: five rounded quotients.
      #expect(abs(sum - 1) <= 5 * Float.ulpOfOne, "row \(row)")
    }
    #expect(try Codes.published.codes(for: scores, prototypes: prototypes, keep: 4).count == 4 * prototypes)
    #expect(throws: EngineError.self) { try Codes.published.codes(for: [1, 2, 3], prototypes: 2) }
  }

  @Test func constantScoresGiveTheLogarithmOfTheNumberOfPrototypes() throws {
    let (crops, batch, prototypes) = (3, 4, 30)
    let scores = [Float](repeating: 0.25, count: crops * batch * prototypes)
    let codes = [Float](repeating: 1 / Float(prototypes), count: 2 * batch * prototypes)
    let result = try SwappedLoss().loss(
      scores: scores, predicting: codes, crops: crops, batch: batch, prototypes: prototypes)
    // 30 terms of single precision in a mean.
    #expect(abs(result.loss - 3.401197) <= 30 * Double(Float.ulpOfOne) * 3.4 + 5e-7)
    #expect(result.gradient.count == scores.count)
  }

  @Test func theScheduleWarmsUpAndThenFalls() throws {
    let schedule = LearningRateSchedule(
      baseRate: 4.8, finalRate: 0.0048, startRate: 0.3, steps: 50, warmupSteps: 20)
    let rates = try (0..<50).map { try schedule.rate(at: Double($0)) }
    #expect(rates[0] == 0.3 && rates[19] == 4.8 && rates[20] == 4.8)
    #expect(zip(rates[20...], rates[21...]).allSatisfy { $0 > $1 } && rates[49] > 0.0048)
    #expect(throws: EngineError.self) { try schedule.rate(at: 50) }
  }

  @Test(arguments: [("0.05", Epsilon.fixed(0.05)), ("relative:0.5", .relative(0.5))])
  func epsilonReadsAndPrints(_ text: String, _ epsilon: Epsilon) throws {
    #expect(Epsilon(text) == epsilon && epsilon.description == text)
    let data = try JSONEncoder().encode([epsilon])
    #expect(try JSONDecoder().decode([Epsilon].self, from: data) == [epsilon])
    #expect(Epsilon("relative:x") == nil && Epsilon("") == nil)
  }
}
