import SwAV

/// What a quick look at images found, as a table for people or as a JSON object.
struct DataFactsView {
  let facts: DataFacts
  let remarks: [SourceRemark]
  /// What was looked at.
  let name: String

  private struct Row: Encodable {
    var images: Int
    var facts: DataFacts
    var remarks: [SourceRemark]
  }

  func show(json: Bool) throws {
    if json {
      return print(try jsonRow("result", command: "check-data", Row(images: facts.images, facts: facts, remarks: remarks)))
    }
    for line in lines { print(line) }
  }

  private var lines: [String] {
    let looked = facts.headers == facts.images ? "all headers" : "\(facts.headers) headers"
    var lines = [
      DataReportView.row("images", "\(facts.images) in \(name); looked at: \(looked), \(facts.pixels) pictures"),
      DataReportView.row("broken", "\(facts.broken) by their headers, \(facts.undecodable) of the pictures"),
      DataReportView.row(
        "duplicates", "\(facts.duplicates) of equal bytes, \(facts.nearDuplicates) of the pictures look like another one"),
      DataReportView.row("channels", "\(facts.gray) stored as gray\(facts.deep > 0 ? ", \(facts.deep) of 16 bits" : "")"),
      DataReportView.row("shorter side", text(facts.shortSide, 0)),
      DataReportView.row("longer side", "median \(fixed(facts.elongation.median, 2)) times the shorter one"),
    ]
    if let color = facts.color { lines.append(DataReportView.row("colour", DataReportView.text(color))) }
    if facts.classes > 0 { lines.append(DataReportView.row("classes", "\(facts.classes)")) }
    return lines + DataReportView.rows(remarks)
  }

  private func text(_ spread: DataFacts.Spread, _ digits: Int) -> String {
    "\(fixed(spread.smallest, digits)) to \(fixed(spread.largest, digits)), four of five \(fixed(spread.tenth, digits)) to "
      + "\(fixed(spread.nineTenths, digits)), median \(fixed(spread.median, digits))"
  }
}

extension DataReportView {
  static func text(_ color: ColorFacts) -> String {
    "\(fixed(100 * color.grayShare, 0)) % gray to the eye; saturation \(fixed(color.saturation, 2)), contrast "
      + "\(fixed(color.contrast, 2)), mean colours \(fixed(color.spread, 2)) apart"
  }

  /// A line for each remark; what is passed over is counted and listed elsewhere.
  static func rows(_ remarks: [SourceRemark]) -> [String] {
    remarks.filter { $0.kind != .passedOver }.map { title($0.kind == .noClasses ? "classes" : "note") + $0.text }
  }
}
