import SwAV

extension OutputOptions {
  /// Opens the images of a command, and says what people should know of them before it begins: what is passed over, and what
  /// could not be read. `labelled` says whether the command needs classes, or shows them.
  func open(_ paths: [String], labelled: Bool = false) throws -> any ImageSource {
    let source = try openImages(paths)
    for remark in source.remarks where labelled || remark.concernsSamples {
      try show(remark, of: paths.count == 1 ? paths[0] : nil)
    }
    return source
  }

  /// `name` says where the images are from, where the remark does not.
  private func show(_ remark: SourceRemark, of name: String?) throws {
    let text = (name.map { $0 + ": " } ?? "") + remark.text + (remark.kind == .passedOver ? "; check-data lists them" : "")
    print(json ? try jsonRow("remark", ["remark": text, "kind": remark.kind.rawValue]) : "note: " + text)
  }
}
