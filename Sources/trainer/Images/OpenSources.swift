import SwAV

extension OutputOptions {
  /// Opens the images of a command, and says what people should know of them before it begins: what is passed over, and what
  /// could not be read. `labelled` says whether the command needs classes, or shows them. Collective.
  func open(_ paths: [String], labelled: Bool = false) throws -> any ImageSource {
    let source = try openImages(paths, ranks: LaunchedRanks.group)
    try tellRemarks(of: source, from: paths.count == 1 ? paths[0] : nil, labelled: labelled, hint: "; check-data lists them")
    return source
  }

  /// The same of a source that is open. `place` says where the images are from, where the remarks do not; `hint` ends those about
  /// what is passed over.
  func tellRemarks(of source: any ImageSource, from place: String?, labelled: Bool, hint: String = "") throws {
    for remark in source.remarks where labelled || remark.concernsSamples {
      let text = (place.map { $0 + ": " } ?? "") + remark.text + (remark.kind == .passedOver ? hint : "")
      print(json ? try jsonRow("remark", ["remark": text, "kind": remark.kind.rawValue]) : "note: " + text)
    }
  }
}
