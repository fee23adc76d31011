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
  public var classNames: [String]
  /// Percent of the validation images that the largest class has: what guessing it scores.
  public var majorityShare: Double
  /// Images that could not be read, and took no part.
  public var bad: [BadSample]
  /// What one has to know beside the figures; one line each.
  public var remarks: [String]
  /// What was published on the same data, a line a figure.
  public var published: [String] = []

  public var classes: Int { classNames.count }

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

  /// The keys of a JSON row: counts, every figure under its name, the unit of each under "units", its 95 % interval under
  /// "intervals", percent right of each class by the first result under "per_class", and "remarks" and "published" where there are
  /// some.
  public var fields: [String: any Encodable & Sendable] {
    var fields: [String: any Encodable & Sendable] = [
      "val_images": valImages, "classes": classes, "bad_images": bad.count,
      "units": Dictionary(figures.map { ($0.name, $0.unit.rawValue) }, uniquingKeysWith: { a, _ in a }),
    ]
    if let trainImages { fields["train_images"] = trainImages }
    if !remarks.isEmpty { fields["remarks"] = remarks }
    if !published.isEmpty { fields["published"] = published }
    let intervals = figures.compactMap { figure in figure.interval.map { (figure.name, [$0.lowerBound, $0.upperBound]) } }
    if !intervals.isEmpty { fields["intervals"] = Dictionary(intervals, uniquingKeysWith: { a, _ in a }) }
    if let found = confusion?.classAccuracies {
      let known = zip(classNames, found).compactMap { name, value in value.map { (name, $0) } }
      fields["per_class"] = Dictionary(known, uniquingKeysWith: { a, _ in a })
    }
    for figure in figures { fields[figure.name] = figure.value }
    return fields
  }

  /// Of the first result that has one.
  public var confusion: Confusion? { results.lazy.compactMap(\.confusion).first }

  /// For people: what was measured, a line a protocol, remarks.
  public var lines: [String] {
    let learned = trainImages.map { "\($0) training and \(valImages) validation images" }
    // Clusters are of all images together, whether there are others to learn from or not.
    let alone = results.allSatisfy { $0.name == Clusters(.prototypes).name } ? "" : ", each asked about among the others"
    let first = "\(learned ?? "\(valImages) validation images\(alone)"), \(classes) classes"
    return [first] + results.map { line($0, "") } + rawResults.map { line($0, " on raw 16x16 thumbnails") }
      + worst + published + remarks.map { "warning: " + $0 }
  }

  /// The classes that go worst, where there are so many that some do.
  private var worst: [String] {
    guard let found = confusion?.classAccuracies, classes > 2 else { return [] }
    let known = zip(classNames, found).compactMap { name, value in value.map { (name: name, value: $0) } }
    let last = known.sorted { $0.value < $1.value }.prefix(3).map { "\($0.name) \(decimals($0.value)) %" }
    return ["lowest classes: " + last.joined(separator: ", ")]
  }

  private func text(_ value: Double, _ unit: EvaluationFigure.Unit) -> String {
    switch unit {
    case .percent: "\(decimals(value)) %"
    case .share: decimals(value)
    case .number: "\(value)"
    case .images, .epochs: "\(Int(value))"
    }
  }

  private func line(_ result: EvaluationResult, _ suffix: String) -> String {
    var first = ""
    if let figure = result.figures.first {
      first = text(figure.value, figure.unit)
      if let interval = figure.interval { first += " [\(decimals(interval.lowerBound)), \(decimals(interval.upperBound))]" }
    }
    let others = result.figures.dropFirst().filter { $0.unit != .images }.map { "\($0.title) \(text($0.value, $0.unit))" }
    // What guessing it scores, of those that say a class.
    let guess = result.confusion == nil ? [] : ["largest class \(decimals(majorityShare)) %"]
    let beside = (others + guess).joined(separator: ", ")
    return "\(result.title)\(suffix): \(first)" + (beside.isEmpty ? "" : " (\(beside))")
  }

  private func decimals(_ value: Double) -> String {
    let hundredths = Int((abs(value) * 100).rounded())
    let rest = hundredths % 100
    return "\(value < 0 && hundredths > 0 ? "-" : "")\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
  }
}
