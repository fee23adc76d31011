import Glibc
import SwAVEngine
import SwAVModel

// What is on the disk when a run ends, in whatever way.
extension TrainingLoop {
  /// After the last step: the weights, then the checkpoint, then what is only measured. A run counts as finished only once its
  /// weights are there, and is lost to nothing from then on.
  mutating func finish(
    _ work: inout Work, _ pace: inout StepClock, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    work.loader.stop()
    let isWritten = try pretraining.ranks.onRoot { fileExists(files.weights) }
    if !state.isFinished || !isWritten {
      try writeWeights(of: try shown(&work, report))
      state.isFinished = true
      try writeCheckpoint(&work, report)
    }
    if state.owesEvaluation == true, evaluated != nil {
      try evaluateIfOwed(&work, &pace, report)
      try writeCheckpoint(&work, report)
    }
    work.records?.log("finished at step \(state.step) of \(totalSteps)")
    work.records?.flushLog()
    if let troubleOfReport { throw troubleOfReport }
  }

  /// The configuration that gives the same run again, however fast the machine is.
  private var rerun: PretrainConfiguration {
    var configuration = configuration
    if budget != nil { configuration.length = .steps(steps) }
    configuration.rateChanges = rateChanges
    return configuration
  }

  /// After a request to stop: the last step that is whole is on the disk.
  mutating func stop(
    _ work: inout Work, _ pace: StepClock, _ report: (PretrainingEvent) throws -> Void
  ) throws -> PretrainingResult {
    work.loader.stop()
    if savedStep != state.step || state.weightsStep != state.step {
      try writeWeights(of: work.network)
      try writeCheckpoint(&work, report)
    }
    work.records?.log("interrupted at step \(state.step) of \(totalSteps)")
    work.records?.flushLog()
    return result(.interrupted, rate: pace.meanRate)
  }

  /// After an error: saves what is sound, says so in the log, and gives the error to throw.
  mutating func keep(_ error: any Error, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void) -> any Error {
    work.records?.log("error: \(errorLine(error))")
    work.loader.stop()
    // Where other ranks may be in the middle of something else nothing can be gathered: what is on the disk is what there is.
    let kept = pretraining.ranks?.isOver == false ? what(isSavedBut: []) : save(&work, report)
    work.records?.log("stopped at step \(state.step) of \(totalSteps): \(kept)")
    work.records?.flushLog()
    guard let cause = PretrainingError(error) else { return error }
    return PretrainingError.stopped(cause: cause, step: state.step, totalSteps: totalSteps, kept: kept)
  }

  /// What is on the disk after an attempt to save everything.
  private mutating func save(_ work: inout Work, _ report: (PretrainingEvent) throws -> Void) -> String {
    var reasons: [String] = []
    func attempt(_ body: () throws -> Void) {
      do { try body() } catch { reasons.append(errorLine(error)) }
    }
    if state.weightsStep != state.step { attempt { try writeWeights(of: work.network) } }
    // A report that fails is no failure of the checkpoint.
    if savedStep != state.step { attempt { try writeCheckpoint(&work) { event in try? report(event) } } }
    let failed = failedStep.map { "; \($0) holds the step that failed" } ?? ""
    return what(isSavedBut: reasons) + failed
  }

  private func what(isSavedBut reasons: [String]) -> String {
    let checkpoint = savedStep.map { "\(files.checkpoint) holds step \($0)" } ?? "there is no checkpoint"
    return Set(reasons).isEmpty ? checkpoint : "\(checkpoint) (\(Set(reasons).sorted().joined(separator: "; ")))"
  }

  /// A checkpoint on the way: one that fails is a warning, and the one before it is as it was.
  mutating func saveCheckpoint(_ work: inout Work, _ report: (PretrainingEvent) throws -> Void) throws {
    do {
      try writeCheckpoint(&work, report)
    } catch let error where PretrainingError(error) != nil {
      pretraining.ranks?.goOn()
      let last = savedStep.map { "the last good one is of step \($0)" } ?? "there is none yet"
      try tell(.warning("no checkpoint at step \(state.step): \(errorLine(error)); \(last)"), &work, report)
    }
  }

  private mutating func writeCheckpoint(_ work: inout Work, _ report: (PretrainingEvent) throws -> Void) throws {
    state.badSamples = try badSamples(of: work)
    if budget != nil || configuration.changesRates {
      var planned = configuration
      if let budget {
        planned.length = .budget(budget, steps)
        (state.steps, state.configuration["steps"]) = (steps, steps.description)
      }
      planned.rateChanges = rateChanges
      state.configuration["rate-changes"] = rateChanges.isEmpty ? nil : rateChanges.map(\.description).joined(separator: ",")
      let yaml = (state.isFinished ? rerun : planned).yaml
      try pretraining.ranks.doOnRoot { try replaceFile(files.configuration, with: yaml) }
    }
    work.records?.flush(into: &state)
    try pretraining.ranks.agree { try work.trainer.save(to: files.checkpoint, note: try state.note) }
    // After the checkpoint that it goes with, and no reason to be without that.
    do { try work.probe?.save(to: files.probe, step: state.step) } catch {
      try tell(.warning("the linear probe was not saved: \(errorLine(error))"), &work, report)
    }
    savedStep = state.step
    // Nobody should take weights of an earlier step for the newest.
    if state.weightsStep != state.step, pretraining.ranks.isRoot { unlink(files.weights) }
    try tell(.checkpoint(step: state.step), &work, report)
  }

  private mutating func writeWeights(of network: Network) throws {
    try pretraining.ranks.doOnRoot { try network.save(to: files.weights) }
    state.weightsStep = state.step
  }

  /// Every so many epochs, where the settings say so.
  mutating func keepWeights(
    afterEpoch epoch: Int, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    guard configuration.keepEvery > 0, epoch % configuration.keepEvery == 0 else { return }
    try save(try shown(&work, report), aside: files.weights(afterEpoch: epoch), &work, report)
  }

  /// Weights beside the run's own; where they cannot be written that is a warning.
  mutating func save(
    _ network: Network, aside path: String, _ work: inout Work, _ report: (PretrainingEvent) throws -> Void
  ) throws {
    guard pretraining.ranks.isRoot else { return }
    do {
      try network.save(to: path)
    } catch {
      try tell(.warning("no weights: \(errorLine(error))"), &work, report)
    }
  }
}
