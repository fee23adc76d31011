/// What is read of a table: the columns that count.
struct ImageTable {
  private(set) var paths = PathTable()
  private var classes = ClassIndex()
  /// The line, counted from 1, of the first row without a label; 0 where there is none.
  private(set) var firstWithoutLabel = 0
  private var reader: CSVReader
  private let name: String
  private let columns: Int
  private let pathColumn: Int
  private let labelColumn: Int?

  /// Separators, the most usual first.
  private static let separators = Array(",;\t|".utf8)

  /// Reads the first line: `text` is that of the table, as ``ListText/read(_:)`` gives it.
  init(_ text: consuming [UInt8], name: String) throws(DataError) {
    self.name = name
    var reader = CSVReader(text)
    // Excel's way of telling the separator.
    let given = reader.skipSeparatorLine()
    var found: [(reader: CSVReader, header: [[UInt8]])] = []
    // One under which the first line is none is not the separator: a quoted field ends before the right one.
    var wrong: DataError?
    for separator in given.map({ [$0] }) ?? ImageTable.separators {
      var (own, header) = (reader, [[UInt8]]())
      own.separator = separator
      do throws(DataError) {
        guard try ImageTable.next(&own, &header, name) else {
          throw DataError(.unusable, "\(name): empty; a line that names the columns is needed, as path,label")
        }
        found.append((own, header))
      } catch {
        wrong = wrong ?? error
      }
    }
    if found.isEmpty, let wrong { throw wrong }
    if let named = found.first(where: { ImageTable.column(ImageList.pathColumns, $0.header) != nil }),
      let path = ImageTable.column(ImageList.pathColumns, named.header)
    {
      (self.reader, columns, pathColumn) = (named.reader, named.header.count, path)
      labelColumn = ImageTable.column(ImageList.labelColumns, named.header)
    } else if let bare = [2, 1].lazy.compactMap({ columns in found.first { ImageTable.isBare($0.header, columns) } }).first,
      let path = ImageTable.image(in: bare.header)
    {
      // The first line is a row already.
      self.reader = reader
      self.reader.separator = bare.reader.separator
      (columns, pathColumn, labelColumn) = (bare.header.count, path, bare.header.count == 2 ? 1 - path : nil)
    } else {
      let widest = found.max { $0.header.count < $1.header.count }?.header ?? []
      // A line that is damaged is one field under another separator.
      if widest.count == 1, let wrong { throw wrong }
      let names = widest.prefix(8).map { printable($0) }.joined(separator: ", ")
      throw DataError(
        .unusable,
        "\(name): no column for the path among '\(names.prefix(200))'; one named \(ImageList.pathColumns[0]) is needed")
    }
  }

  /// The first of the wanted names that a header has.
  private static func column(_ wanted: [String], _ header: [[UInt8]]) -> Int? {
    let names = header.map { field in printable(field).lowercased().filter { !" _-".contains($0) } }
    return wanted.lazy.compactMap { names.firstIndex(of: $0) }.first
  }

  /// Whether a first line of so many fields is a row already.
  private static func isBare(_ row: [[UInt8]], _ columns: Int) -> Bool { row.count == columns && image(in: row) != nil }

  /// The only field that ends as an image's name.
  private static func image(in row: [[UInt8]]) -> Int? {
    let images = row.indices.filter { ImageFiles.hasEnding(String(decoding: row[$0], as: UTF8.self)) }
    return images.count == 1 ? images[0] : nil
  }

  /// `label` gets the label of each row in turn, where there are labels; empty where the row has none.
  mutating func readRows(label: ([UInt8]) -> Void = { _ in }) throws(DataError) {
    var row: [[UInt8]] = []
    while try ImageTable.next(&reader, &row, name) {
      func wrong(_ reason: String) -> DataError { DataError(.unusable, "\(name): line \(reader.line): \(reason)") }
      // Spreadsheets write rows of nothing, and separators behind the last field.
      if row.allSatisfy(\.isEmpty) { continue }
      guard row.count == columns || row.count > columns && row[columns...].allSatisfy(\.isEmpty) else {
        throw wrong("\(row.count) fields; the first line has \(columns). A field with a separator in it has to be quoted")
      }
      guard !row[pathColumn].isEmpty, !row[pathColumn].contains(0) else { throw wrong("no path in column \(pathColumn + 1)") }
      try append(row[pathColumn])
      guard let labelColumn else { continue }
      label(row[labelColumn])
      if row[labelColumn].isEmpty, firstWithoutLabel == 0 { firstWithoutLabel = reader.line }
      classes.append(row[labelColumn])
    }
    guard paths.count > 0 else { throw DataError(.unusable, "\(name): names no files; one row an image is needed") }
  }

  /// The label of each row, empty where it has none. Throws where there is no column for it.
  mutating func readLabels() throws(DataError) -> [[UInt8]] {
    guard labelColumn != nil else {
      throw DataError(.unusable, "\(name): no column for the label; one named \(ImageList.labelColumns[0]) is needed")
    }
    var labels: [[UInt8]] = []
    try readRows { labels.append($0) }
    return labels
  }

  /// Addresses are what they are in a list.
  private mutating func append(_ path: [UInt8]) throws(DataError) {
    do {
      paths.append(try ListLine.path(path))
    } catch {
      throw DataError(.unusable, "\(name): line \(reader.line): \(error.reason)")
    }
  }

  /// The labels; they are not kept here.
  mutating func takeClasses() -> ClassIndex {
    defer { classes = ClassIndex() }
    return classes
  }

  private static func next(_ reader: inout CSVReader, _ fields: inout [[UInt8]], _ name: String) throws(DataError) -> Bool {
    do {
      return try reader.next(&fields)
    } catch {
      throw DataError(.unusable, "\(name): line \(reader.line): \(error.reason)")
    }
  }
}
