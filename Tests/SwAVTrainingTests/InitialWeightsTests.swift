import Foundation
import SwAVData
import SwAVEngine
import SwAVInspection
import SwAVModel
import SwAVTestSupport
import Testing

@testable import SwAVTraining

/// Runs that begin with the weights of another one.
@Suite(.serialized) struct InitialWeightsTests {
  private let tiny: TinyRun

  init() throws {
    var tiny = try TinyRun()
    (tiny.configuration.queue, tiny.configuration.epochs) = (0, 12)
    self.tiny = tiny
    try tiny.folder.writePictures("others", classes: 3, perClass: 4, side: 48)
  }

  private var others: ImageFolder { get throws { try ImageFolder(tiny.folder.path + "/others") } }
  private func path(_ name: String) -> String { tiny.folder.path + "/" + name }

  private func settings(_ values: [(String, String)]) throws -> PretrainSettings {
    var given = PretrainSettings()
    for (name, value) in values { try given.set(name, to: value, origin: "--" + name) }
    return given
  }

  private func planned(_ values: [(String, String)]) throws -> PretrainConfiguration {
    let given = try InitialWeights.complete(try settings(values), goingOnWith: nil)
    return try PretrainConfiguration.planned(for: DataFacts(images: 12, shortSide: 48), given: given).configuration
  }

  private let small = [("crops", "2x32+2x16"), ("batch", "4"), ("epochs", "3"), ("seed", "9"), ("base-lr", "0.0001")]

  private struct Begun {
    var report: InitialReport?
    var losses: [Double] = []
  }

  private func train(_ configuration: PretrainConfiguration, to output: String) throws -> Begun {
    var begun = Begun()
    _ = try Pretraining(images: try others, configuration: configuration, output: path(output)).run { event in
      switch event {
      case .initialized(let report): begun.report = report
      case .step(let step): begun.losses.append(step.loss)
      default: break
      }
    }
    return begun
  }

  @Test func aRunFromLearnedWeightsBeginsBelowAFreshOneAndSaysWhatItKept() throws {
    _ = try tiny.pretraining("first").run()
    let configuration = try planned(small + [("init-from", path("first"))])
    // The file decides the network.
    #expect(configuration.network == tiny.configuration.network && configuration.initPrototypes == .keep)
    #expect(configuration.freezeEpochs == 0)
    let continued = try train(configuration, to: "continued")
    let report = try #require(continued.report)
    #expect(report.kept == ["backbone", "projection head", "prototypes"] && report.reset.isEmpty)
    #expect(report.path == path("first") + "/weights.safetensors" && report.loaded.contains("tensors matched"))
    let log = try tiny.log("continued")
    #expect(log.contains("kept: backbone, projection head, prototypes; begun anew: optimiser, queue and schedule"))
    var fresh = configuration
    fresh.initFrom = nil
    let begun = try train(fresh, to: "fresh")
    #expect(begun.report == nil)
    func early(_ losses: [Double]) -> Double { losses.prefix(3).reduce(0, +) / 3 }
    #expect(early(continued.losses) < early(begun.losses), "\(continued.losses) \(begun.losses)")
  }

  @Test func prototypesAreKeptOrRandomOrClustersOfTheImages() throws {
    let network = try Network(tiny.configuration.network, seed: 77)
    try network.save(to: path("w.safetensors"))
    func prototypes(_ choice: String) throws -> (Begun, [Float]) {
      // Without steps that matter: a rate of nearly nothing.
      let values = small.dropLast() + [("base-lr", "1e-30"), ("init-from", path("w.safetensors")), ("init-prototypes", choice)]
      let configuration = try planned(Array(values))
      let begun = try train(configuration, to: choice)
      let opened = try Network.open(path(choice) + "/weights.safetensors").network
      let index = try #require(
        try (0..<opened.info().tensorCount).first { try opened.tensorName(at: $0) == "prototypes.weight" })
      return (begun, try opened.tensor(at: index).values)
    }
    let own = try prototypes("keep").1
    let saved = try Network.open(path("w.safetensors")).network
    let last = try saved.tensor(at: try saved.info().tensorCount - 1)
    #expect(last.name == "prototypes.weight")
    // A step brings prototypes to unit norm.
    func cosine(_ a: [Float], _ b: [Float], row: Int) -> Double {
      let range = row * 8..<(row + 1) * 8
      func dot(_ a: [Float], _ b: [Float]) -> Double { range.reduce(0) { $0 + Double(a[$1]) * Double(b[$1]) } }
      return dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
    }
    for row in 0..<6 { #expect(cosine(own, last.values, row: row) > 0.99999) }
    let random = try prototypes("random")
    #expect(random.0.report?.reset == ["prototypes (random)"])
    #expect((0..<6).contains { cosine(random.1, own, row: $0) < 0.9 })
    let clustered = try prototypes("kmeans")
    #expect(clustered.0.report?.reset.first?.hasPrefix("prototypes (k-means over 12 embeddings, mean cosine ") == true)
    // Each image's embedding has a prototype that is near: nearer than a random one can be expected to be.
    let images = try others
    for sample in 0..<images.count {
      let embedding = try saved.embed(try images.bytes(of: sample), size: 32, output: .embeddings)
      let near = (0..<6).map { row in (0..<8).reduce(0) { $0 + embedding[$1] * clustered.1[row * 8 + $1] } }.max() ?? 0
      #expect(near > 0.9)
    }
  }

  @Test func whatDoesNotFitTheFileIsRefusedByName() throws {
    try Network(tiny.configuration.network, seed: 77).save(to: path("w.safetensors"))
    let bare = try Network(
      NetworkConfiguration(architecture: .resnet18, stem: .small, baseWidth: 8, hidden: 0, dim: 0, prototypes: []), seed: 1)
    try bare.save(to: path("bare.safetensors"))
    func refusal(_ values: [(String, String)], file: String = "w.safetensors") throws -> String {
      let error = #expect(throws: PretrainingError.self) { try planned(small + [("init-from", path(file))] + values) }
      return error?.description ?? ""
    }
    #expect(
      try refusal([("base-width", "16")]) == "--base-width is '16'; the weights of \(path("w.safetensors")) are of base-width 8"
    )
    #expect(try refusal([("init-prototypes", "keep"), ("prototypes", "7")]).hasSuffix("it has 6 of them"))
    #expect(try refusal([("init-head", "keep")], file: "bare.safetensors").hasSuffix("it has no projection head"))
    #expect(try refusal([("init-head", "random"), ("init-prototypes", "keep")]).contains("a projection head that is not kept"))
    let alone = #expect(throws: PretrainingError.self) { try planned(small + [("init-prototypes", "kmeans")]) }
    #expect(alone?.description == "--init-prototypes is 'kmeans'; it is about the weights of init-from, and none is given")
    // What the file lacks is begun anew.
    let configuration = try planned(small + [("init-from", path("bare.safetensors")), ("dim", "8"), ("prototypes", "6")])
    #expect(configuration.initHead == .random && configuration.initPrototypes == .random)
    #expect(try train(configuration, to: "bare").report?.kept == ["backbone"])
  }

  @Test func aRunThatGoesOnNeedsTheFileNoMoreAndNoOtherMayTakeItsPlace() throws {
    try Network(tiny.configuration.network, seed: 77).save(to: path("w.safetensors"))
    let values = small + [("init-from", path("w.safetensors"))]
    let first = try planned(values)
    let control = RunControl()
    let stopped = try Pretraining(images: try others, configuration: first, output: path("run")).run(control: control) {
      event in
      if case .step = event { control.cancel() }
    }
    #expect(stopped.outcome == .interrupted)
    try FileManager.default.removeItem(atPath: path("w.safetensors"))
    let run = try PretrainSettings.ofRun(at: path("run"))
    let given = try InitialWeights.complete(try settings(values), goingOnWith: run)
    let again = try PretrainConfiguration.planned(
      for: DataFacts(images: 12, shortSide: 48), given: given, goingOnWith: run
    ).configuration
    #expect(again == first)
    #expect(try Pretraining(images: try others, configuration: again, output: path("run")).run().outcome == .finished)
    var other = again
    other.initFrom = path("else.safetensors")
    let error = #expect(throws: PretrainingError.self) {
      try Pretraining(images: try others, configuration: other, output: path("run")).run()
    }
    #expect(error?.description.contains("was made with other settings (init-from ") == true)
  }

  @Test func theRateOfAContinuedRunIsHalfUnlessGiven() throws {
    try Network(tiny.configuration.network, seed: 77).save(to: path("w.safetensors"))
    let free = [("crops", "2x32+2x16"), ("batch", "4"), ("base-width", "\(tiny.configuration.baseWidth)")]
    let (fresh, continued) = (try planned(free), try planned(free + [("init-from", path("w.safetensors"))]))
    #expect(continued.baseLR == fresh.baseLR / 2 && continued.finalLR == fresh.finalLR / 2)
    #expect(try planned(free + [("init-from", path("w.safetensors")), ("base-lr", "0.5")]).baseLR == 0.5)
    let random = try planned(free + [("init-from", path("w.safetensors")), ("init-prototypes", "random")])
    #expect(random.freezeEpochs == fresh.freezeEpochs && fresh.freezeEpochs > 0)
    for fitting in ["keep", "kmeans"] {
      #expect(try planned(free + [("init-from", path("w.safetensors")), ("init-prototypes", fitting)]).freezeEpochs == 0)
    }
  }
}
