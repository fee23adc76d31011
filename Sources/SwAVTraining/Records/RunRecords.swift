import Foundation
import SwAVData
import SwAVEngine

/// The files of a run that grow: metrics.jsonl, log.txt and the TensorBoard events.
///
/// None of them is worth a run: what cannot be written is left out whole, and told once for each file until it can be written again.
struct RunRecords: ~Copyable {
  private var metrics: AppendFile
  private var logFile: AppendFile
  private var events: AppendFile
  /// What could not be written, a line each, and was not taken yet.
  private var troubles: [String] = []

  /// Opens the files; metrics and events are cut back to what the checkpoint remembers. The log is a diary of all processes of the
  /// run: nothing of it is cut.
  init(_ files: RunFolder, state: TrainingState) throws(PretrainingError) {
    let metrics = try AppendFile(files.metrics, keeping: state.metricsBytes)
    let log = try AppendFile(files.log)
    var events = try AppendFile(files.events, keeping: state.eventBytes)
    if events.length == 0 { try events.append(EventRecord.version(wallTime: Date().timeIntervalSince1970)) }
    self.metrics = metrics
    logFile = log
    self.events = events
  }

  /// Takes what could not be written since the last call.
  mutating func takeTroubles() -> [String] {
    defer { troubles = [] }
    return troubles
  }

  /// Adds a line to the log, with the time.
  mutating func log(_ text: String) {
    let line = "\(timestamp()) " + text.split(whereSeparator: \.isNewline).joined(separator: " ")
    note(logFile.attempt { (file) throws(PretrainingError) in try file.append(line: line) })
  }

  /// Waits until all is on the disk and notes the lengths.
  mutating func flush(into state: inout TrainingState) {
    note(metrics.attempt { (file) throws(PretrainingError) in try file.flush() })
    note(events.attempt { (file) throws(PretrainingError) in try file.flush() })
    flushLog()
    (state.metricsBytes, state.eventBytes) = (metrics.length, events.length)
  }

  mutating func flushLog() { note(logFile.attempt { (file) throws(PretrainingError) in try file.flush() }) }

  mutating func record(_ event: PretrainingEvent) {
    switch event {
    case .started(let start): record(start)
    case .initialized(let initial): log(initial.text)
    case .step(let step):
      addRow { try jsonRow("step", step) }
      addScalars(step.scalars, step: step.step)
    case .evaluated(let evaluation):
      addRow { try jsonRow("evaluation", fields: evaluation.fields) }
      addScalars(evaluation.report.figures.map { ("val/" + $0.name, $0.value) }, step: evaluation.step)
      log("epoch \(evaluation.epoch): knn20 \(decimals(evaluation.knn20, 2)), best \(decimals(evaluation.bestKnn20, 2))")
    case .scored(let score):
      addRow { try jsonRow("score", score) }
      addScalars([("score/view_agreement", score.viewAgreement)], step: score.step)
      log("epoch \(score.epoch): view agreement \(decimals(score.viewAgreement, 2)) of \(score.images) images")
    case .probed(let probe):
      addRow { try jsonRow("probe", probe) }
      addScalars([("train/probe", probe.probeRight)], step: probe.step)
      log("epoch \(probe.epoch): probe \(decimals(probe.probeRight, 2)) of \(probe.images) training images")
    case .replanned(let step, let total): log("planned anew at step \(step): \(total) steps in all")
    case .checkpoint(let step): log("checkpoint at step \(step)")
    case .badSample(let bad): log("bad image \(bad.name): \(bad.reason); another takes its place")
    case .warning(let text): log("warning: \(text)")
    case .withoutEffect(let setting): log("warning: \(setting.line)")
    case .health(let look):
      addRow { try jsonRow("health", look) }
      addScalars(look.scalars, step: look.step)
    case .diagnosis(let diagnosis): log("warning: \(diagnosis.text())")
    case .advice(let advice): log("advice: \(advice.text())")
    }
  }

  private mutating func record(_ start: PretrainingStart) {
    let memory = start.memory
    func mib(_ bytes: Int) -> String { "\(decimals(Double(bytes) / 1_048_576, 1)) MiB" }
    log(
      (start.resumedAt > 0 ? "resumed at step \(start.resumedAt)" : "started")
        + ": \(start.images) images, \(start.stepsPerEpoch) steps an epoch, \(start.totalSteps) in all")
    log(
      "memory plan: \(mib(memory.total)) (parameters \(mib(memory.parameters)), gradients \(mib(memory.gradients)), "
        + "optimiser \(mib(memory.optimizer)), activations \(mib(memory.activations)), workspace \(mib(memory.workspace)), "
        + "queue \(mib(memory.queue)), scratch \(mib(memory.scratch))); loader \(mib(start.loaderMemory))")
  }

  private mutating func addRow(_ encoded: () throws -> String) {
    guard let row = try? encoded() else { return troubles.append("a row of \(metrics.path) cannot be encoded") }
    note(metrics.attempt { (file) throws(PretrainingError) in try file.append(line: row) })
  }

  private mutating func addScalars(_ values: [(tag: String, value: Double)], step: Int) {
    let record = EventRecord.scalars(values, step: step, wallTime: Date().timeIntervalSince1970)
    note(events.attempt { (file) throws(PretrainingError) in try file.append(record) })
  }

  private mutating func note(_ trouble: String?) {
    if let trouble { troubles.append(trouble) }
  }
}

extension HealthLook {
  fileprivate var scalars: [(tag: String, value: Double)] {
    [
      ("prototypes/perplexity", health.perplexity), ("prototypes/dead", Double(health.deadPrototypes)),
      ("prototypes/alike", Double(health.duplicatePrototypes)), ("embeddings/rank", health.embeddingRank),
      ("embeddings/deviation", health.embeddingDeviation), ("codes/sinkhorn_error", sinkhornError),
      ("queue/age", Double(queueAge)), ("weights/median_update", medianUpdate), ("weights/largest_update", largestUpdate),
    ]
  }
}

extension StepProgress {
  fileprivate var scalars: [(tag: String, value: Double)] {
    [
      ("train/loss", loss), ("train/loss_over_ln_k", loss / lnK), ("train/lr", lr), ("train/gradient_norm", gradientNorm),
      ("codes/entropy", codeEntropy), ("codes/score_spread", scoreSpread), ("codes/epsilon", epsilon),
      ("codes/prototypes_used", Double(prototypesUsed)), ("predictions/entropy", predictionEntropy ?? 0),
      ("embeddings/similarity", similarity),
      ("speed/images_per_second", imagesPerSecond), ("speed/data_wait_percent", dataWait),
    ]
  }
}
