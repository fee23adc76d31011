import Foundation
import SwAVAugmentation
import SwAVData
import SwAVEngine
import SwAVTestSupport
import Testing

@testable import SwAVTraining

@Suite struct HealthMonitorTests {
  /// A step of a run that is well, with K = 100.
  private static let well = HealthFigures(
    loss: 4.2, codeEntropy: 0.7, scoreSpread: 0.08, similarity: 0.1, prototypesUsed: 60, gradientNorm: 0.3, rate: 0.001)

  private func diagnoses(
    _ steps: Int, settings: [(String, String)] = [], _ change: (inout HealthFigures, Int) -> Void
  ) throws -> [Diagnosis] {
    var configuration = PretrainConfiguration()
    var given = PretrainSettings()
    try given.set("prototypes", to: "100")
    for (name, value) in settings { try given.set(name, to: value) }
    try given.apply(to: &configuration)
    var monitor = HealthMonitor(configuration)
    return (0..<steps).flatMap { step in
      var figures = HealthMonitorTests.well
      change(&figures, step)
      return monitor.observe(figures)
    }
  }

  @Test func nothingIsFoundWhereAllIsWell() throws {
    #expect(try diagnoses(1000) { _, _ in }.isEmpty)
    // As every run begins: above ln K, with embeddings that are alike, for less than the rules ask.
    let begins = try diagnoses(400) { figures, step in
      guard step < 60 else { return }
      (figures.loss, figures.similarity, figures.prototypesUsed) = (4.98, 0.995, 2)
    }
    #expect(begins.isEmpty)
  }

  @Test func uniformCodesAreNamedOnceWithTheirRemedies() throws {
    let found = try diagnoses(200) { figures, _ in (figures.loss, figures.codeEntropy) = (4.606, 0.999) }
    #expect(found.count == 1)
    let diagnosis = try #require(found.first)
    #expect(diagnosis.name == "uniform codes" && diagnosis.evidence.contains("ln K = 4.605"))
    #expect(diagnosis.remedies.first == Remedy("epsilon", "relative:0.5"))
    #expect(diagnosis.remedies.dropFirst().first?.setting == "base-lr")
    let text = diagnosis.text { "--\($0.setting) \($0.value)" }
    #expect(text.contains("(1) --epsilon relative:0.5 (2) --base-lr 0.2") && !text.contains("\n"))
    #expect(!diagnosis.text().contains("--"))
    let relative = try diagnoses(200, settings: [("epsilon", "relative:0.5")]) { figures, _ in
      (figures.loss, figures.codeEntropy) = (4.606, 0.999)
    }
    #expect(relative.first?.remedies.first == Remedy("epsilon", "relative:0.25"))
  }

  @Test func uniformCodesNeedBothSignsAndStepsInARow() throws {
    #expect(try diagnoses(200) { figures, _ in (figures.loss, figures.codeEntropy) = (4.606, 0.8) }.isEmpty)
    #expect(try diagnoses(200) { figures, _ in (figures.loss, figures.codeEntropy) = (4.4, 0.999) }.isEmpty)
    #expect(try diagnoses(49) { figures, _ in (figures.loss, figures.codeEntropy) = (4.606, 0.999) }.isEmpty)
    let interrupted = try diagnoses(200) { figures, step in
      (figures.loss, figures.codeEntropy) = (step % 49 == 48 ? 4.2 : 4.606, 0.999)
    }
    #expect(interrupted.isEmpty)
  }

  @Test func oneDiseaseHasOneName() throws {
    // All images at one point: the codes are uniform and name one prototype as well.
    let found = try diagnoses(300) { figures, _ in
      (figures.loss, figures.codeEntropy, figures.similarity, figures.prototypesUsed) = (4.5, 0.9, 1, 1)
    }
    #expect(found.map(\.name) == ["collapse to one point"])
    #expect(found.first?.evidence.contains("mean cosine of 1.000, with 1 of 100 prototypes in use") == true)
  }

  @Test func theOtherDiseasesAreToldByTheirFigures() throws {
    #expect(
      try diagnoses(300) { figures, _ in (figures.rate, figures.gradientNorm) = (0, 0) }.map(\.name) == ["no learning rate"])
    #expect(try diagnoses(300) { figures, _ in figures.gradientNorm = 0 }.map(\.name) == ["no gradient"])
    #expect(try diagnoses(300) { figures, _ in figures.prototypesUsed = 3 }.map(\.name) == ["few prototypes"])
    // An untrained network starts at ln K + 1 / (2 D t^2), here 4.61 + 0.39.
    #expect(try diagnoses(300) { figures, _ in figures.loss = 5.1 }.isEmpty)
    #expect(try diagnoses(300) { figures, _ in figures.loss = 5.4 }.map(\.name) == ["high loss"])
  }

  @Test func remediesAreSettingsThatCanBeRead() throws {
    var configurations = [PretrainConfiguration()]
    configurations.append(try PretrainConfiguration.planned(for: DataSummary(count: 500, typicalSide: 200)).configuration)
    for configuration in configurations {
      let remedies = HealthRule.collapseRemedies(configuration) + [HealthRule.lowerRate(configuration)]
      for remedy in remedies {
        var given = PretrainSettings()
        try given.set(remedy.setting, to: remedy.value)
        var changed = configuration
        try given.apply(to: &changed)
        #expect(changed != configuration, "\(remedy.text) changes nothing")
      }
    }
  }
}

/// Pictures of which each is black all over.
private struct Black: ImageSource {
  private let jpeg: [UInt8]

  init() throws {
    jpeg = try Image.encodeJPEG([UInt8](repeating: 0, count: 40 * 40 * 3), width: 40, height: 40, channels: 3)
  }

  var count: Int { 12 }
  func name(of sample: Int) -> String { "black \(sample)" }
  func bytes(of sample: Int) -> [UInt8] { jpeg }
}

@Suite(.serialized) struct HealthOfRunsTests {
  private func diagnoses(_ run: TinyRun, _ images: any ImageSource) throws -> [(step: Int, name: String)] {
    var (found, step) = ([(step: Int, name: String)](), 0)
    _ = try Pretraining(images: images, configuration: run.configuration, output: run.folder.path + "/run").run { event in
      if case .step(let progress) = event { step = progress.step }
      if case .diagnosis(let diagnosis) = event { found.append((step, diagnosis.name)) }
    }
    return found
  }

  @Test func blackPicturesAreNamedWithinTwoHundredSteps() throws {
    var run = try TinyRun()
    run.configuration.epochs = 66
    let found = try diagnoses(run, Black())
    #expect(found.map(\.name) == ["collapse to one point"])
    #expect(found.allSatisfy { $0.step <= 200 })
  }

  @Test func aDiagnosisEndsTheRunWhereTheSettingsSaySo() throws {
    var run = try TinyRun()
    (run.configuration.epochs, run.configuration.onCollapse) = (66, .stop)
    let error = #expect(throws: PretrainingError.self) {
      try Pretraining(images: Black(), configuration: run.configuration, output: run.folder.path + "/black").run()
    }
    guard case .stopped(.unhealthy(let diagnosis), let step, _, let kept) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(diagnosis.name == "collapse to one point" && step <= 200 && kept.hasSuffix("checkpoint holds step \(step)"))
  }

  @Test func aRunThatIsWellGetsNoAlarm() throws {
    var run = try TinyRun()
    run.configuration.epochs = 66
    #expect(try diagnoses(run, ImageFolder(run.folder.path + "/images")).isEmpty)
  }
}

@Suite struct ValuesWithoutEffectTests {
  /// Names of what is found for 64 images with the settings.
  private func found(_ settings: [(String, String)], images: Int = 64) throws -> [String] {
    var (configuration, given) = (PretrainConfiguration(), PretrainSettings())
    let plain = [
      ("batch", "16"), ("epochs", "4"), ("prototypes", "10"), ("queue", "0"), ("warmup-epochs", "1"), ("freeze-epochs", "1"),
    ]
    for (name, value) in plain + settings { try given.set(name, to: value) }
    try given.apply(to: &configuration)
    return configuration.valuesWithoutEffect(images: images).map(\.line)
  }

  @Test func valuesThatDoSomethingAreNotNamed() throws {
    #expect(try found([]).isEmpty)
    #expect(try found([("queue", "32"), ("queue-start-epoch", "1"), ("keep-every", "4")]).isEmpty)
  }

  @Test func valuesMadeForALargeSetAreNamedOnASmallOne() throws {
    let cases: [([(String, String)], String)] = [
      ([("freeze-steps", "5005")], "freeze-steps 5005: the run has 16 steps, so the prototypes never learn"),
      ([("freeze-epochs", "4")], "freeze-epochs 4.0: the run has 16 steps, so the prototypes never learn"),
      (
        [("queue", "512"), ("queue-start-epoch", "15")],
        "queue-start-epoch 15: the run has 4 epochs, counted from 0, so the queue of 512 is never used"
      ),
      (
        [("queue", "4096"), ("queue-start-epoch", "1")],
        "queue 4096: it holds 4096 and is used once it is full, and 192 images pass after its start"
      ),
      (
        [("queue", "128"), ("queue-start-epoch", "0")],
        "queue 128: longer than an epoch of 64 images: it holds embeddings of the same images several times, of old weights"
      ),
      ([("prototypes", "3000")], "prototypes 3000: 64 images cannot fill 3000 prototypes"),
      ([("prototypes", "65")], "prototypes 65: 64 images cannot fill 65 prototypes"),
      (
        [("warmup-epochs", "4"), ("base-lr", "0.5")],
        "warmup-epochs 4: the run has 4 epochs, so the rate only grows and ends before it reaches base-lr 0.5"
      ),
      ([("batch", "64")], "warmup-epochs 1: its only step has rate 0 and learns nothing; start-warmup sets another"),
      ([("keep-every", "5")], "keep-every 5: the run has 4 epochs, so no weights are kept"),
    ]
    for (settings, line) in cases { #expect(try found(settings) == [line]) }
    // Codes are balanced over a batch and the queue.
    #expect(
      try found([("prototypes", "300")], images: 1000)
        == ["prototypes 300: codes are balanced over 16 images at a time, which cannot fill 300"])
    #expect(try found([("prototypes", "300"), ("queue", "160"), ("queue-start-epoch", "0")], images: 1000).isEmpty)
  }

  @Test func theyAreToldAtTheStartOfARunAndInItsLog() throws {
    var run = try TinyRun()
    (run.configuration.epochs, run.configuration.freezeSteps, run.configuration.warmupEpochs) = (1, 5005, 0)
    run.configuration.queue = 0
    var told: [SettingWithoutEffect] = []
    _ = try run.pretraining("run").run { event in
      if case .withoutEffect(let setting) = event { told.append(setting) }
    }
    #expect(told.map(\.name) == ["freeze-steps"])
    #expect(try run.log("run").contains("warning: freeze-steps 5005: the run has 3 steps"))
  }
}
