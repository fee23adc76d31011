import Foundation
import SwAV
import SwAVDemo
import SwAVPages

/// What a person, or a program, sees of the demonstration.
struct DemoView {
  private let demonstration: Demonstration
  private let json: Bool
  private var console: Console
  private let began = ContinuousClock.now

  init(_ demonstration: Demonstration, json: Bool) {
    (self.demonstration, self.json) = (demonstration, json)
    console = Console(json: json)
  }

  mutating func showOpening() {
    guard !json else { return }
    console.line(
      "SwAV demo: \(demonstration.images.count) pictures of \(DemoClass.allCases.count) kinds, a small network, no labels. "
        + "Ctrl-C stops, the same command goes on.")
  }

  mutating func show(_ event: Demonstration.Event) throws {
    switch event {
    case .progress(let stage, let done, let total):
      guard !json else { return }
      console.showProgress(DemoView.title(stage), done: done, total: total)
    case .before(let untrained, let thumbnails):
      if json {
        print(try jsonRow("before", ["untrained_knn20": untrained, "raw_knn20": thumbnails]))
        return
      }
      console.line(
        "before: 20 nearest neighbours name \(fixed(untrained, 1)) % of held-out pictures with the untrained network, "
          + "\(fixed(thumbnails, 1)) % with 16x16 thumbnails")
    case .pretraining(let event): try console.show(event)
    }
  }

  private static func title(_ stage: Demonstration.Stage) -> String {
    switch stage {
    case .rendering: "rendering pictures"
    case .before: "measuring the untrained network"
    case .pretraining: "pretraining"
    case .after: "measuring the pretrained network"
    }
  }

  mutating func showInterrupted() {
    if !json { console.line("stopped after a checkpoint; the same command goes on from there") }
  }

  /// Leaves the line of an unfinished bar.
  mutating func close() { console.finishBar() }

  /// The page about the run.
  mutating func writeReport() throws {
    let (train, val) = (try ImageFolder(demonstration.trainFolder), try ImageFolder(demonstration.valFolder))
    try RunReport.write(
      ofRunAt: demonstration.runFolder, train, val, demonstration.configuration, &console, json: json)
  }

  mutating func show(_ report: Demonstration.Report) throws {
    if json {
      print(try jsonRow("result", command: "demo", Row(report, demonstration)))
      return
    }
    console.finishBar()
    for text in summary(report) { console.line(text) }
  }

  /// The closing lines.
  private func summary(_ report: Demonstration.Report) -> [String] {
    let directory = demonstration.directory
    let program = DemoView.program
    return learned(report) + [
      "",
      "Where it is:",
      "  \(directory)/run/report.html  the same as a page: what was learned, clusters, a map, curves",
      "  \(directory)/images/          the pictures, train|val/KIND/",
      "  \(directory)/neighbours.png   held-out pictures; their nearest ones before (left) and after (right); green: same kind",
      "  \(directory)/run/             weights.safetensors, metrics.jsonl, log.txt, config.yaml, TensorBoard events",
      "",
      "What to try next:",
      "  \(program) pretrain YOUR_PHOTOS --output my-run",
      "  \(program) linear --weights \(demonstration.runFolder) --train \(demonstration.trainFolder) --val \(demonstration.valFolder)",
      "  \(program) embed YOUR_PHOTOS --weights \(demonstration.runFolder) --output features.csv",
      "",
      "\(duration((ContinuousClock.now - began) / .seconds(1))) in all.",
    ]
  }

  private func learned(_ report: Demonstration.Report) -> [String] {
    func percent(_ value: Double) -> String {
      let text = fixed(value, 1)
      return String(repeating: " ", count: max(0, 5 - text.count)) + text + " %"
    }
    func name(_ entry: (kind: DemoClass, untrained: Double, trained: Double)) -> String {
      "\(entry.kind.rawValue) \(fixed(entry.untrained, 0)) -> \(fixed(entry.trained, 0)) %"
    }
    let result = report.pretraining
    let points = report.trained - max(report.untrained, report.thumbnails)
    let than = report.untrained > report.thumbnails ? "the untrained network" : "thumbnails"
    let ranked = report.kinds.sorted { $0.trained - $0.untrained > $1.trained - $1.untrained }
    let loss = result.loss.map { ", loss \(fixed($0, 2)), ln K \(fixed(result.lnK, 2))" } ?? ""
    return [
      "",
      "What was learned from \(report.trainImages) pictures without labels in \(duration(result.seconds)) of training "
        + "(\(result.totalSteps) steps\(loss)):",
      "  The kind of \(report.valImages) held-out pictures, by their 20 nearest neighbours among the others, is right for",
      "    \(percent(report.chance))   by guessing",
      "    \(percent(report.thumbnails))   with 16x16 thumbnails",
      "    \(percent(report.untrained))   with the untrained network",
      "    \(percent(report.trained))   with the pretrained network: \(points < 0 ? "" : "+")\(fixed(points, 1)) points over \(than)",
      "  It gained most on \(ranked.prefix(3).map(name).joined(separator: ", "));",
      "  least on \(ranked.suffix(2).map(name).joined(separator: ", ")).",
    ]
  }

  /// How this program was called, to be called again in the same way from the same folder.
  private static var program: String {
    let path = CommandLine.arguments.first ?? "trainer"
    let here = FileManager.default.currentDirectoryPath + "/"
    return path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path
  }

  /// The result as JSON; percentages 0...100.
  private struct Row: Encodable {
    var knn20: Double
    var untrainedKnn20: Double
    var rawKnn20: Double
    var chance: Double
    var trainImages: Int
    var valImages: Int
    var loss: Double?
    var lnK: Double
    var seconds: Double
    var images: String
    var run: String
    var neighbours: String

    init(_ report: Demonstration.Report, _ demonstration: Demonstration) {
      (knn20, untrainedKnn20, rawKnn20) = (report.trained, report.untrained, report.thumbnails)
      (chance, trainImages, valImages) = (report.chance, report.trainImages, report.valImages)
      (loss, lnK, seconds) = (report.pretraining.loss, report.pretraining.lnK, report.pretraining.seconds)
      (images, run) = (demonstration.directory + "/images", demonstration.runFolder)
      neighbours = demonstration.neighbourSheet
    }
  }
}
