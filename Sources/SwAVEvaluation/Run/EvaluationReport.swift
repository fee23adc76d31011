public import SwAVData

/// What an evaluation found.
public struct EvaluationReport: Sendable, Equatable {
  /// One a protocol, on learned features.
  public var results: [EvaluationResult]
  /// The same on thumbnails of 16 x 16 pixels; empty where they were not asked for.
  public var rawResults: [EvaluationResult] = []
  /// Images with features that were learned from; nil where each validation image was asked about among the others.
  public var trainImages: Int?
  public var valImages: Int
  public var classes: Int
  /// Percent of the validation images that the largest class has: what guessing it scores.
  public var majorityShare: Double
  /// Images that could not be read, and took no part.
  public var bad: [BadSample]
  /// What one has to know beside the figures; one line each.
  public var remarks: [String]

  /// All figures by name: those on thumbnails as "raw_" and the name.
  public var figures: [EvaluationFigure] {
    let share = EvaluationFigure(
      name: "majority_share", title: "largest class", value: majorityShare, unit: .percent)
    let raw = rawResults.flatMap(\.figures).map { figure in
      var figure = figure
      figure.name = "raw_" + figure.name
      return figure
    }
    return results.flatMap(\.figures) + raw + [share]
  }

  /// The figure of that name.
  public func value(of name: String) -> Double? { figures.first { $0.name == name }?.value }

  /// The keys of a JSON row: counts, every figure under its name, the unit of each figure under "units", and "remarks" where there
  /// are some.
  public var fields: [String: any Encodable & Sendable] {
    var fields: [String: any Encodable & Sendable] = [
      "val_images": valImages, "classes": classes, "bad_images": bad.count,
      "units": Dictionary(figures.map { ($0.name, $0.unit.rawValue) }, uniquingKeysWith: { a, _ in a }),
    ]
    if let trainImages { fields["train_images"] = trainImages }
    if !remarks.isEmpty { fields["remarks"] = remarks }
    for figure in figures { fields[figure.name] = figure.value }
    return fields
  }

  /// For people: what was measured, a line a protocol, remarks.
  public var lines: [String] {
    let learned = trainImages.map { "\($0) training and \(valImages) validation images" }
    let first = "\(learned ?? "\(valImages) validation images, each asked about among the others"), \(classes) classes"
    return [first] + results.map { line($0, "") } + rawResults.map { line($0, " on raw 16x16 thumbnails") }
      + remarks.map { "warning: " + $0 }
  }

  private func line(_ result: EvaluationResult, _ suffix: String) -> String {
    func text(_ figure: EvaluationFigure) -> String {
      switch figure.unit {
      case .percent: "\(decimals(figure.value)) %"
      case .images: "\(Int(figure.value))"
      }
    }
    let percentages = result.figures.dropFirst().filter { $0.unit == .percent }.map { "\($0.title) \(text($0))" }
    let beside = (percentages + ["largest class \(decimals(majorityShare)) %"]).joined(separator: ", ")
    return "\(result.title)\(suffix): \(result.figures.first.map(text) ?? "") (\(beside))"
  }

  private func decimals(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
  }
}
