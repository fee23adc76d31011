import Foundation

/// A line chart as SVG, with axes, units, and its figures as a table for those who do not see it.
struct Chart: Sendable {
  struct Series: Sendable {
    var name: String
    var points: [(x: Double, y: Double)]
  }

  var title: String
  /// What the figures mean, in a few words.
  var caption: String
  /// Of the vertical axis; "" for a share or a count.
  var unit = ""
  var horizontal = "epoch"
  var series: [Series]
  /// A line across, and what it stands for.
  var reference: (value: Double, name: String)?
  /// Shows each point.
  var hasDots = false
  /// The vertical axis begins at 0.
  var fromZero = false
  /// The vertical axis ends there at most, as percent do at 100.
  var most = Double.infinity

  private static let (width, height) = (360.0, 210.0)
  private static let (left, right, top, bottom) = (46.0, 10.0, 12.0, 34.0)

  /// The figures as the templates have them; nil where there is nothing to show.
  func view(id: String) -> [String: Any]? {
    let shown = series.map { Series(name: $0.name, points: $0.points.filter { $0.x.isFinite && $0.y.isFinite }) }
    guard shown.contains(where: { !$0.points.isEmpty }) else { return nil }
    let isMany = shown.count > 1
    return [
      "id": id, "title": title, "caption": caption, "svg": svg(shown, id: id),
      "legend": isMany ? shown.enumerated().map { ["name": $1.name, "class": "s\($0 % 8)"] } : [] as [[String: String]],
      "head": [horizontal] + shown.map { isMany ? $0.name : title + (unit.isEmpty ? "" : ", " + unit) },
      "rows": Chart.table(shown).map { ["cells": $0] },
    ]
  }

  private func svg(_ shown: [Series], id: String) -> String {
    let xs = shown.flatMap { $0.points.map(\.x) }
    var ys = shown.flatMap { $0.points.map(\.y) }
    if let reference { ys.append(reference.value) }
    if fromZero { ys.append(0) }
    let (x, y) = (Axis(xs, ticks: 5), Axis(ys, ticks: 4, most: most))
    func placeX(_ value: Double) -> Double { Chart.left + x.share(value) * (Chart.width - Chart.left - Chart.right) }
    func placeY(_ value: Double) -> Double {
      Chart.height - Chart.bottom - y.share(value) * (Chart.height - Chart.top - Chart.bottom)
    }
    let (floor, end) = (Chart.height - Chart.bottom, Chart.width - Chart.right)
    var parts: [String] = []
    for tick in y.ticks {
      let at = point(placeY(tick))
      parts.append("<line class=grid x1=\(point(Chart.left)) x2=\(point(end)) y1=\(at) y2=\(at) />")
      parts.append(
        "<text class=tick x=\(point(Chart.left - 6)) y=\(point(placeY(tick) + 3.5)) text-anchor=end>\(y.text(tick))</text>")
    }
    for tick in x.ticks {
      parts.append("<text class=tick x=\(point(placeX(tick))) y=\(point(floor + 15)) text-anchor=middle>\(x.text(tick))</text>")
    }
    parts.append("<line class=axis x1=\(point(Chart.left)) x2=\(point(end)) y1=\(point(floor)) y2=\(point(floor)) />")
    parts.append("<text class=tick x=\(point(end)) y=\(point(Chart.height - 4)) text-anchor=end>\(escaped(horizontal))</text>")
    if !unit.isEmpty {
      parts.append("<text class=tick x=\(point(Chart.left + 4)) y=\(point(Chart.top - 2))>\(escaped(unit))</text>")
    }
    if let reference {
      let at = placeY(reference.value)
      // Above the line, or below it where it runs along the top.
      let label = at < Chart.top + 14 ? at + 12 : at - 4
      parts.append("<line class=reference x1=\(point(Chart.left)) x2=\(point(end)) y1=\(point(at)) y2=\(point(at)) />")
      parts.append("<text class=tick x=\(point(end - 2)) y=\(point(label)) text-anchor=end>\(escaped(reference.name))</text>")
    }
    for (index, one) in shown.enumerated() {
      let places = one.points.map { "\(point(placeX($0.x))),\(point(placeY($0.y)))" }
      parts.append("<polyline class=\"line s\(index % 8)\" points=\"\(places.joined(separator: " "))\" />")
      if hasDots || places.count == 1 {
        for one in one.points {
          parts.append("<circle class=\"dot s\(index % 8)\" cx=\(point(placeX(one.x))) cy=\(point(placeY(one.y))) r=3 />")
        }
      }
    }
    return "<svg viewBox=\"0 0 \(Int(Chart.width)) \(Int(Chart.height))\" role=img aria-labelledby=\"\(id)-title\">"
      + parts.joined() + "</svg>"
  }

  /// A row a point, of at most so many, evenly spaced.
  private static func table(_ shown: [Series]) -> [[String]] {
    let xs = Set(shown.flatMap { $0.points.map(\.x) }).sorted()
    let most = 12
    let chosen = xs.count <= most ? xs : (0..<most).map { xs[$0 * (xs.count - 1) / (most - 1)] }
    let values = shown.map { Dictionary($0.points.map { ($0.x, $0.y) }, uniquingKeysWith: { $1 }) }
    return chosen.map { x in [figure(x)] + values.map { $0[x].map(figure) ?? "" } }
  }
}

/// A point of an image with a tenth of a pixel.
private func point(_ value: Double) -> String { String(format: "%.1f", value) }

/// A number for people: at most four digits that count.
func figure(_ value: Double) -> String {
  guard value.isFinite else { return "not finite" }
  if value == 0 { return "0" }
  if abs(value) >= 1e6 || abs(value) < 1e-3 { return String(format: "%.2g", value) }
  if abs(value) >= 1000 || value == value.rounded() { return grouped(Int(value.rounded())) }
  return String(format: abs(value) >= 100 ? "%.0f" : abs(value) >= 10 ? "%.1f" : abs(value) >= 1 ? "%.2f" : "%.3f", value)
}

/// "12,345".
func grouped(_ value: Int) -> String {
  var (digits, parts) = (String(abs(value)), [String]())
  while digits.count > 3 {
    parts.insert(String(digits.suffix(3)), at: 0)
    digits.removeLast(3)
  }
  return (value < 0 ? "-" : "") + ([digits] + parts).joined(separator: ",")
}

/// Where an axis begins and ends, and its round numbers.
struct Axis {
  let (low, high): (Double, Double)
  let ticks: [Double]
  private let step: Double

  init(_ values: [Double], ticks count: Int, most: Double = .infinity) {
    var (low, high) = (values.min() ?? 0, values.max() ?? 1)
    if high <= low {
      let room = low == 0 ? 1 : abs(low) * 0.1
      (low, high) = (low - room, min(most, high + room))
    }
    let raw = (high - low) / Double(count)
    let power = pow(10, log10(raw).rounded(.down))
    // Between whole numbers, as of epochs, there is nothing to read off.
    let least = values.allSatisfy { $0 == $0.rounded() } ? 1.0 : 0
    let step = max(least, [1, 2, 5, 10].first { $0 * power >= raw * 0.999 }.map { $0 * power } ?? 10 * power)
    let first = (low / step - 1e-9).rounded(.up)
    let last = (high / step + 1e-9).rounded(.down)
    self.step = step
    ticks = first <= last ? stride(from: first, through: last, by: 1).map { $0 * step } : [low]
    let room = (high - low) * 0.04
    (self.low, self.high) = (low == 0 ? 0 : low - room, high + room)
  }

  func share(_ value: Double) -> Double { (value - low) / (high - low) }

  func text(_ tick: Double) -> String {
    if abs(tick) < step * 1e-6 { return "0" }
    if step < 1e-4 || abs(tick) >= 1e6 {
      return String(format: "%.1e", tick).replacing("e-0", with: "e-").replacing("e+0", with: "e")
    }
    let digits = max(0, Int((-log10(step) - 1e-9).rounded(.up)))
    return String(format: "%.\(digits)f", tick)
  }
}

/// Means of runs of points, so that a curve has at most so many.
func thinned(_ points: [(x: Double, y: Double)], to most: Int = 180) -> [(x: Double, y: Double)] {
  guard points.count > most else { return points }
  return (0..<most).map { index in
    let run = points[index * points.count / most..<(index + 1) * points.count / most]
    let finite = run.filter { $0.y.isFinite }
    let mean = finite.reduce(0) { $0 + $1.y } / Double(max(1, finite.count))
    return (run[run.endIndex - 1].x, finite.isEmpty ? .nan : mean)
  }
}
