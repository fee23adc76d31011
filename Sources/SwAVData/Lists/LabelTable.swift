/// Labels of some images: the rows of a table with a column for the path and one for the label, as those of ``ImageList``. Rows
/// without a label are passed over.
public struct LabelTable: Sendable {
  public struct Row: Sendable, Equatable {
    public var path: String
    public var label: String
  }

  public let rows: [Row]

  /// Throws `.unusable` where the file has no such columns, or no label.
  public init(contentsOf file: String) throws(DataError) {
    var table = try ImageTable(try ListText.read(file), name: file)
    let labels = try table.readLabels()
    let paths = table.paths
    rows = labels.enumerated().filter { !$0.element.isEmpty }.map { row, label in
      Row(path: paths.text(row), label: printable(label))
    }
    guard !rows.isEmpty else { throw DataError(.unusable, "\(file): no row has a label; some are needed") }
  }
}
