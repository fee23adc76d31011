import Foundation
import SwAVEngine
public import SwAVTraining

/// Runs side by side: what they came to, their curves in common charts, and the settings that differ.
public struct RunComparison: Sendable {
  public let runs: [RunHistory]
  /// What people call them: the last folder, or the whole path where two have the same.
  public let names: [String]

  /// Throws where a folder is none of a run.
  public init(ofRunsAt paths: [String]) throws {
    runs = try paths.map { try RunHistory(at: $0) }
    let short = runs.map(\.name)
    names = Set(short).count == short.count ? short : paths
  }

  /// A figure of every run, as text.
  public struct Row: Sendable, Equatable {
    public var name: String
    public var values: [String]
  }

  /// Settings that are not the same in all runs.
  public var differences: [Row] {
    let all = Setting.configurationSettings.map { setting in
      Row(name: setting.name, values: runs.map { setting.show($0.configuration) ?? "" })
    }
    return all.filter { Set($0.values).count > 1 }
  }

  /// Settings that are the same in all.
  public var sameSettings: Int { Setting.configurationSettings.count - differences.count }

  /// What the runs came to.
  public var figures: [Row] {
    func row(_ name: String, _ value: (RunHistory) -> String?) -> Row { Row(name: name, values: runs.map { value($0) ?? "" }) }
    let rows = [
      row("pictures") { $0.environment.map { grouped($0.images.count) } },
      row("steps") { run in run.steps.last.map { grouped($0.step) + (run.isFinished ? "" : " of \(grouped($0.totalSteps))") } },
      row("loss / ln K") { Findings($0, look: nil).lastLoss.map(figure) },
      row("kNN accuracy, last") { $0.evaluations.last.map { percent($0.knn20) } },
      row("kNN accuracy, best") { $0.evaluations.map(\.knn20).max().map(percent) },
      row("code entropy / ln K") { $0.steps.last.map { figure($0.codeEntropy) } },
      row("similarity of pictures") { $0.steps.last.map { figure($0.similarity) } },
      row("pictures a second") { $0.steps.isEmpty ? nil : figure(Findings($0, look: nil).rate) },
      row("training") { $0.steps.isEmpty ? nil : span($0.seconds) },
      row("health") { run in run.diagnoses.first?.name ?? (run.steps.isEmpty ? nil : "well") },
    ]
    return rows.filter { $0.values.contains { !$0.isEmpty } }
  }

  /// As columns of text, of at most so many characters each.
  public func lines(width: Int = 22) -> [String] {
    func cut(_ text: String) -> String { text.count <= width ? text : text.prefix(width - 3) + "..." }
    let (found, differing) = (figures, differences)
    let title = max(8, (found + differing).map(\.name.count).max() ?? 0)
    let columns = runs.indices.map { run in
      max(cut(names[run]).count, (found + differing).map { cut($0.values[run]).count }.max() ?? 0)
    }
    func line(_ name: String, _ values: [String]) -> String {
      let cells = zip(values, columns).map { cut($0).padding(toLength: $1, withPad: " ", startingAt: 0) }
      let text = ([name.padding(toLength: title, withPad: " ", startingAt: 0)] + cells).joined(separator: "  ")
      return String(text.reversed().drop { $0 == " " }.reversed())
    }
    var lines = [line("", names)] + found.map { line($0.name, $0.values) }
    lines +=
      differing.isEmpty
      ? ["all settings are the same"] : ["", "settings that differ:"] + differing.map { line($0.name, $0.values) }
    return lines
  }

  /// The page, a file by itself.
  public func html() throws -> String {
    let heads = names.enumerated().map { ["name": $1, "class": "s\($0 % 8)"] }
    func cells(_ rows: [Row]) -> [[String: Any]] { rows.map { ["name": $0.name, "cells": $0.values] } }
    let title = names.count <= 4 ? names.joined(separator: ", ") : "\(names.count) runs"
    let view: [String: Any] = [
      "title": title, "runs": heads, "figures": cells(figures),
      "charts": charts.enumerated().compactMap { $1.view(id: "chart\($0)") },
      "settings": cells(differences), "differs": !differences.isEmpty, "same": sameSettings,
    ]
    return try Page().html("compare", title: title, view: view)
  }

  /// Writes the page, whole or not at all; gives its size in bytes.
  @discardableResult
  public func write(to path: String) throws -> Int {
    let page = Data(try html().utf8)
    try page.write(to: URL(fileURLWithPath: path), options: .atomic)
    return page.count
  }

  private func curves(_ value: (StepProgress) -> Double) -> [Chart.Series] {
    zip(names, runs).map { name, run in
      let perEpoch = run.stepsPerEpoch
      return Chart.Series(name: name, points: thinned(run.steps.map { (Double($0.step) / perEpoch, value($0)) }, to: 120))
    }
  }

  private var charts: [Chart] {
    [
      Chart(
        title: "Loss", caption: "In units of ln K.", unit: "loss / ln K", series: curves { $0.loss / $0.lnK },
        reference: (1, "guessing")),
      Chart(
        title: "kNN accuracy", caption: "Of the validation pictures.", unit: "%",
        series: zip(names, runs).map { name, run in
          Chart.Series(name: name, points: run.evaluations.map { (Double($0.epoch), $0.knn20) })
        }, hasDots: true, most: 100),
      Chart(title: "Learning rate", caption: "", series: curves(\.lr), fromZero: true),
      Chart(title: "Score spread", caption: "Near 0 is collapse.", series: curves(\.scoreSpread), fromZero: true),
      Chart(
        title: "Code entropy", caption: "In units of ln K: 1 is uniform.", series: curves(\.codeEntropy),
        reference: (1, "uniform")),
      Chart(title: "Similarity of pictures", caption: "1 is collapse.", series: curves(\.similarity), fromZero: true),
      Chart(title: "Pictures a second", caption: "", unit: "images/s", series: curves(\.imagesPerSecond), fromZero: true),
    ]
  }
}
