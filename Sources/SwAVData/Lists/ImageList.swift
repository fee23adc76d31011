/// Images named one by one: by the lines of a text file, the rows of a CSV file, or an array of paths.
public struct ImageList: ImageSource {
  public let classNames: [String]
  let paths: PathTable
  /// What relative paths begin with.
  private let folder: [UInt8]
  /// Class of each sample; empty without classes.
  private let labels: [Int32]
  private let stamps: FileStamps

  public init(paths: [String]) {
    var table = PathTable()
    for path in paths { table.append(path.utf8) }
    (self.paths, folder, labels, classNames, stamps) = (table, [], [], [], FileStamps(count: table.count))
  }

  /// A text file with one path a line; empty lines are skipped. Relative paths begin at the current folder.
  public init(contentsOf file: String) throws(DataError) {
    var bytes = try FileBytes.read(file, maximum: .max, spare: 1)
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
    guard !bytes.contains(0) else {
      throw DataError(.unusable, "\(file): holds zero bytes; a text with one path a line is needed")
    }
    let table = PathTable(lines: consume bytes)
    guard table.count > 0 else { throw DataError(.unusable, "\(file): names no files; one path a line is needed") }
    (paths, folder, labels, classNames, stamps) = (table, [], [], [], FileStamps(count: table.count))
  }

  /// A CSV file whose first line names the columns: one of ``pathColumns``, and one of ``labelColumns`` where there are labels;
  /// other columns are left alone. Relative paths begin at the CSV file's folder. Classes are the distinct labels, in the order
  /// of their values where all are whole numbers and of their bytes otherwise; there are none unless every row has one.
  public init(table file: String) throws(DataError) {
    var table = try ImageTable(CSVReader(try FileBytes.read(file, maximum: .max)), name: file)
    try table.readRows()
    (paths, stamps) = (table.paths, FileStamps(count: table.paths.count))
    folder = file.utf8.lastIndex(of: UInt8(ascii: "/")).map { Array(file.utf8[...$0]) } ?? []
    (classNames, labels) = table.classes.finished()
  }

  /// Names of the column that holds the path, in any case; the first of these that is there counts.
  public static let pathColumns = ["path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path"]
  /// The same for the label.
  public static let labelColumns = ["label", "class", "category", "target"]

  public var count: Int { paths.count }

  public func name(of sample: Int) -> String { paths.text(sample) }

  public func label(of sample: Int) -> Int? { labels.isEmpty ? nil : Int(labels[sample]) }

  public func bytes(of sample: Int) throws -> [UInt8] { try head(of: sample, limit: FileBytes.maximumSize) }

  public func head(of sample: Int, limit: Int) throws -> [UInt8] {
    let path = paths.withPath(sample) { path -> [CChar] in
      let isRelative = path.first != UInt8(ascii: "/")
      return ((isRelative ? folder : []) + path + [0]).map { CChar(bitPattern: $0) }
    }
    return try FileBytes.read(path, limit: limit) { stamps.agrees(sample, $0) }
  }

  /// Count, and a hash of the paths.
  public func identity() throws -> DataIdentity {
    DataIdentity(count: count, hash: paths.hash)
  }
}

/// What is read of a CSV file: the columns that count.
struct ImageTable {
  private(set) var paths = PathTable()
  private(set) var classes = ClassIndex()
  private var reader: CSVReader
  private let name: String
  private let columns: Int
  private let pathColumn: Int
  private let labelColumn: Int?

  /// Reads the header.
  init(_ reader: CSVReader, name: String) throws(DataError) {
    (self.reader, self.name) = (reader, name)
    var header: [[UInt8]] = []
    guard try ImageTable.next(&self.reader, &header, name) else {
      throw DataError(.unusable, "\(name): empty; a line that names the columns is needed, as path,label")
    }
    let names = header.map { field in printable(field).lowercased().filter { $0 != " " } }
    func column(_ wanted: [String]) -> Int? { wanted.lazy.compactMap { names.firstIndex(of: $0) }.first }
    guard let path = column(ImageList.pathColumns) else {
      let found = names.prefix(8).joined(separator: ", ")
      throw DataError(
        .unusable,
        "\(name): no column for the path among '\(found.prefix(200))'; one named \(ImageList.pathColumns[0]) is needed")
    }
    (columns, pathColumn, labelColumn) = (header.count, path, column(ImageList.labelColumns))
  }

  mutating func readRows() throws(DataError) {
    var row: [[UInt8]] = []
    while try ImageTable.next(&reader, &row, name) {
      func wrong(_ reason: String) -> DataError { DataError(.unusable, "\(name): line \(reader.line): \(reason)") }
      guard row.count == columns else { throw wrong("\(row.count) fields; the first line names \(columns) columns") }
      guard !row[pathColumn].isEmpty, !row[pathColumn].contains(0) else { throw wrong("no path in column \(pathColumn + 1)") }
      paths.append(row[pathColumn])
      classes.append(labelColumn.map { row[$0] })
    }
    guard paths.count > 0 else { throw DataError(.unusable, "\(name): names no files; one row an image is needed") }
  }

  private static func next(_ reader: inout CSVReader, _ fields: inout [[UInt8]], _ name: String) throws(DataError) -> Bool {
    do {
      return try reader.next(&fields)
    } catch {
      throw DataError(.unusable, "\(name): line \(reader.line): \(error.reason)")
    }
  }
}
