import Foundation
import SwAV

/// What a person, or a program, sees of a run: a progress bar on a terminal, plain lines in a pipe, JSON objects on request.
struct Console {
  private let json: Bool
  private let isTerminal: Bool
  /// Whether an unfinished bar is on the line.
  private var hasBar = false
  /// What is being done.
  private var work = ""
  private var lastLine = ContinuousClock.now - .seconds(3600)
  /// Seconds between plain lines, and between redraws of the bar.
  private let interval: Duration

  /// Columns of the terminal that standard output is, 80 where it does not say; nil where it is none.
  static var columns: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  init(json: Bool) {
    self.json = json
    isTerminal = !json && Console.columns != nil && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    interval = isTerminal ? .milliseconds(100) : .seconds(10)
  }

  mutating func show(_ event: PretrainingEvent) throws {
    if json { return try showJSON(event) }
    switch event {
    case .started(let start): showStart(start)
    case .step(let step): showStep(step)
    case .evaluated(let evaluation):
      let probe = evaluation.report.value(of: "probe").map { ", linear probe \(fixed($0, 1)) %" } ?? ""
      line(
        "epoch \(evaluation.epoch): kNN \(fixed(evaluation.knn20, 1)) % "
          + "(best \(fixed(evaluation.bestKnn20, 1)) % at epoch \(evaluation.bestEpoch))\(probe)")
    case .scored(let score):
      line(
        "epoch \(score.epoch): \(fixed(score.viewAgreement, 1)) % of \(score.images) images are known again by another view")
    case .probed(let probe):
      line("epoch \(probe.epoch): the linear probe knew \(fixed(probe.probeRight, 1)) % of \(probe.images) images")
    case .checkpoint, .replanned, .health: break
    case .badSample(let bad): line("bad image \(bad.name): \(bad.reason); another takes its place")
    case .warning(let text): line("warning: " + text)
    case .withoutEffect(let setting): line("warning: --" + setting.line)
    case .diagnosis(let diagnosis): line("warning: " + diagnosis.text(Console.flag))
    case .initialized(let initial): line(initial.text)
    case .advice(let advice): line("advice: " + advice.text(Console.flag))
    }
  }

  /// A remedy as it is written on a command line.
  private static func flag(_ remedy: Remedy) -> String { "--" + remedy.text }

  private mutating func showStart(_ start: PretrainingStart) {
    let configuration = start.configuration
    line(
      "\(start.images) images; \(configuration.arch.rawValue), crops \(CropGroup.describe(configuration.crops)), batch "
        + "\(configuration.batch), \(start.stepsPerEpoch) steps an epoch, \(start.totalSteps) in all")
    line(
      "memory planned: \(fixed(Double(start.memory.total) / 1_073_741_824, 2)) GiB for the step, "
        + "\(fixed(Double(start.loaderMemory) / 1_073_741_824, 2)) GiB for the loader")
    if start.resumedAt > 0 { line("going on at step \(start.resumedAt)") }
  }

  private mutating func showStep(_ step: StepProgress) {
    let now = ContinuousClock.now
    guard now - lastLine >= interval || step.step == step.totalSteps else { return }
    lastLine = now
    let share = Double(step.step) / Double(step.totalSteps)
    let loss = "loss \(fixed(step.loss, 3)) (\(fixed(step.loss / step.lnK, 3)) ln K)"
    let rate = "\(fixed(step.imagesPerSecond, step.imagesPerSecond < 10 ? 2 : 0)) images/s"
    let (lr, wait, left) = (
      "lr \(scientific(step.lr))", "wait \(fixed(step.dataWait, 0)) %", "\(duration(step.secondsLeft)) left"
    )
    guard isTerminal else {
      let figures = [loss, lr, rate, wait, left].joined(separator: "  ")
      return line("epoch \(step.epoch) step \(step.step)/\(step.totalSteps)  \(figures)")
    }
    drawBar(share, [left, "epoch \(step.epoch)", loss, rate, wait, lr])
  }

  /// Work that has no figures of its own: a bar on a terminal, a line now and then and at the end in a pipe, nothing in JSON.
  mutating func showProgress(_ title: String, done: Int, total: Int) {
    guard !json else { return }
    let now = ContinuousClock.now
    if title != work {
      // The first line of a piece of work comes when it has gone on for a while.
      (work, lastLine) = (title, isTerminal ? lastLine : now)
    }
    guard done == total || now - lastLine >= interval else { return }
    lastLine = now
    guard isTerminal else { return line(done == total ? "\(title): \(total) done" : "\(title): \(done) of \(total)") }
    drawBar(Double(done) / Double(max(1, total)), ["\(title) \(done)/\(total)"])
    if done == total { finishBar() }
  }

  /// The bar gives way to the parts, and the last parts to the edge of the terminal: a longer line would wrap, and a carriage
  /// return goes back to the start of its last part only.
  private mutating func drawBar(_ share: Double, _ parts: [String]) {
    let columns = (Console.columns ?? 80)
    var text = "\(fixed(100 * share, 0)) %"
    for part in parts where text.count + 2 + part.count <= columns - 10 || text.count < 6 { text += "  " + part }
    let width = min(20, max(6, columns - 4 - text.count))
    let filled = Int(share * Double(width))
    let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
    write("\r\u{1b}[K" + "[\(bar)] \(text)".prefix(max(20, columns - 1)))
    hasBar = true
  }

  private func showJSON(_ event: PretrainingEvent) throws {
    switch event {
    case .step(let step): print(try jsonRow("step", step))
    case .evaluated(let evaluation): print(try jsonRow("evaluation", fields: evaluation.fields))
    case .badSample(let bad): print(try jsonRow("bad_image", ["bad_image": bad.name, "reason": bad.reason]))
    case .warning(let text): print(try jsonRow("warning", ["warning": text]))
    case .withoutEffect(let setting): print(try jsonRow("without_effect", setting))
    case .health(let look): print(try jsonRow("health", look))
    case .diagnosis(let diagnosis): print(try jsonRow("diagnosis", diagnosis))
    case .initialized(let initial): print(try jsonRow("initialized", initial))
    case .advice(let advice): print(try jsonRow("advice", ["advice": advice.text(Console.flag)]))
    case .scored(let score): print(try jsonRow("score", score))
    case .probed(let probe): print(try jsonRow("probe", probe))
    case .replanned(let step, let total): print(try jsonRow("replanned", ["step": step, "total_steps": total]))
    case .checkpoint(let step): print(try jsonRow("checkpoint", ["checkpoint": step]))
    case .started(let start):
      print(try jsonRow("start", ["images": start.images, "total_steps": start.totalSteps, "resumed_at": start.resumedAt]))
    }
  }

  mutating func show(_ result: PretrainingResult, images: any ImageSource) throws {
    if json {
      print(try jsonRow("result", command: "pretrain", result))
      return
    }
    switch result.outcome {
    case .alreadyFinished:
      line("this run is finished: \(result.totalSteps) steps; weights: \(result.weights)")
    case .interrupted:
      line("stopped at step \(result.step) of \(result.totalSteps); the same command goes on from there")
    case .finished:
      let loss = result.loss.map { "loss \(fixed($0, 3)) = \(fixed($0 / result.lnK, 3)) ln K" } ?? ""
      let knn = result.knn20.map { ", kNN \(fixed($0, 1)) %" } ?? ""
      let rate = result.imagesPerSecond.map { ", \(fixed($0, 1)) images/s" } ?? ""
      line("finished after \(duration(result.seconds)): \(loss)\(knn)\(rate)")
      if result.badImages > 0 { line("\(result.badImages) bad images were replaced; \(result.output)/log.txt names them") }
      line("weights: \(result.weights)")
      if let best = result.bestWeights, let epoch = result.bestEpoch, epoch < result.epoch {
        line("weights of the best kNN (epoch \(epoch)): \(best)")
      }
      line(
        "next: trainer explore \(result.output) DIR, or trainer embed DIR --weights \(result.output) --output features.csv")
    }
  }

  /// A line of its own, in the place of the bar if there is one: that is drawn anew below. On a terminal words are not cut in two.
  mutating func line(_ text: String) {
    if hasBar { write("\r\u{1b}[K") }
    hasBar = false
    write((isTerminal ? wrapped(text, to: (Console.columns ?? 80)) : text) + "\n")
  }

  /// A line of its own, or an object of that type.
  mutating func tell(_ type: String, _ text: String) throws {
    if json { print(try jsonRow(type, [type: text])) } else { line("\(type): \(text)") }
  }

  /// An image that could not be read.
  mutating func tell(_ bad: BadSample) throws {
    guard json else { return line("left out \(bad.name): \(bad.reason)") }
    print(try jsonRow("bad_image", ["bad_image": bad.name, "reason": bad.reason]))
  }

  mutating func finishBar() {
    if hasBar { write("\n") }
    hasBar = false
  }

  private func write(_ text: String) { print(text, terminator: "") }
}

/// A text in lines of so many columns, those after the first set in; what stands at its start stays.
private func wrapped(_ text: String, to columns: Int) -> String {
  guard text.count > columns else { return text }
  let words = text.split(separator: " ", omittingEmptySubsequences: false)
  var lines: [String] = []
  for word in words {
    if let last = lines.last, last.count + 1 + word.count <= columns {
      lines[lines.count - 1] = last + " " + word
    } else {
      lines.append(lines.isEmpty ? String(word) : "    " + word)
    }
  }
  return lines.joined(separator: "\n")
}

func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

func scientific(_ value: Double) -> String { String(format: "%.2g", value) }

/// "1:02:03" or "2:03".
func duration(_ seconds: Double) -> String {
  let whole = seconds.isFinite ? max(0, Int(seconds.rounded())) : 0
  let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
  return hours > 0 ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
}
