import Foundation
import SwAVData

/// The files of a run that grow: metrics.jsonl, log.txt and the TensorBoard events.
struct RunRecords: ~Copyable {
  private var metrics: AppendFile
  private var logFile: AppendFile
  private var events: AppendFile

  /// Opens the files, cut back to what the checkpoint remembers.
  init(_ files: RunFolder, state: TrainingState) throws {
    var log = try AppendFile(files.log, keeping: Int.max)
    guard log.lock() else {
      throw PretrainingError.outputInUse(
        path: files.path, reason: "another process is training here; wait for it, or use another --output")
    }
    // Cut only after the lock is held: the other process may be in the middle of a line.
    try log.cut(to: state.logBytes)
    let metrics = try AppendFile(files.metrics, keeping: state.metricsBytes)
    var events = try AppendFile(files.events, keeping: state.eventBytes)
    if events.length == 0 { try events.append(EventRecord.version(wallTime: Date().timeIntervalSince1970)) }
    self.logFile = log
    self.metrics = metrics
    self.events = events
  }

  mutating func log(_ line: String) throws { try logFile.append(line: "\(timestamp()) \(line)") }

  /// Waits until all is on the disk and notes the lengths.
  mutating func flush(into state: inout TrainingState) throws {
    try metrics.flush()
    try logFile.flush()
    try events.flush()
    (state.metricsBytes, state.logBytes, state.eventBytes) = (metrics.length, logFile.length, events.length)
  }

  mutating func record(_ event: PretrainingEvent) throws {
    switch event {
    case .started(let start):
      let memory = start.memory
      func mib(_ bytes: Int) -> String { "\(decimals(Double(bytes) / 1_048_576, 1)) MiB" }
      try log(
        (start.resumedAt > 0 ? "resumed at step \(start.resumedAt)" : "started")
          + ": \(start.images) images, \(start.stepsPerEpoch) steps an epoch, \(start.totalSteps) in all")
      try log(
        "memory plan: \(mib(memory.total)) (parameters \(mib(memory.parameters)), gradients \(mib(memory.gradients)), "
          + "optimiser \(mib(memory.optimizer)), activations \(mib(memory.activations)), workspace \(mib(memory.workspace)), "
          + "queue \(mib(memory.queue)), scratch \(mib(memory.scratch))); loader \(mib(start.loaderMemory))")
    case .step(let step):
      try metrics.append(line: try jsonRow("step", step))
      try events.append(EventRecord.scalars(step.scalars, step: step.step, wallTime: wallTime()))
    case .evaluated(let evaluation):
      try metrics.append(line: try jsonRow("evaluation", fields: evaluation.fields))
      let scalars = evaluation.report.figures.map { ("val/" + $0.name, $0.value) }
      try events.append(EventRecord.scalars(scalars, step: evaluation.step, wallTime: wallTime()))
      try log("epoch \(evaluation.epoch): knn20 \(decimals(evaluation.knn20, 2)), best \(decimals(evaluation.bestKnn20, 2))")
    case .checkpoint: break
    case .badSample(let bad): try log("bad image \(bad.name): \(bad.reason); another takes its place")
    case .warning(let text): try log("warning: \(text)")
    case .advice(let text): try log("advice: \(text)")
    }
  }

  private func wallTime() -> Double { Date().timeIntervalSince1970 }
}

extension StepProgress {
  fileprivate var scalars: [(tag: String, value: Double)] {
    [
      ("train/loss", loss), ("train/loss_over_ln_k", loss / lnK), ("train/lr", lr), ("train/gradient_norm", gradientNorm),
      ("codes/entropy", codeEntropy), ("codes/score_spread", scoreSpread), ("codes/epsilon", epsilon),
      ("codes/prototypes_used", Double(prototypesUsed)), ("embeddings/similarity", similarity),
      ("speed/images_per_second", imagesPerSecond), ("speed/data_wait_percent", dataWait),
    ]
  }
}
