/// Images named one by one: by the lines of a text file, the rows of a table, or an array of paths.
///
/// Relative paths begin at the current folder or at the one that the file is in, whichever has them; where both do, a text file
/// means the current folder and a table its own. Backslashes separate folders where that is how the files are found.
public struct ImageList: ImageSource {
  public var classNames: [String] { classes.names }
  public let remarks: [SourceRemark]
  /// Whether it is a single picture, given by its path.
  let isPicture: Bool
  let paths: PathTable
  /// What relative paths begin with.
  private let folder: [UInt8]
  private let classes: Classes
  private let stamps: FileStamps

  public init(paths: [String]) {
    var table = PathTable()
    for path in paths { table.append(path.utf8) }
    self.init(table, Classes(), folder: [])
  }

  /// Paths that a table names, as ``init(table:)`` takes them.
  init(paths: PathTable, besides file: String) {
    self.init(paths, Classes(), listedIn: file, folders: [ImageList.folder(of: file), []])
  }

  /// Paths as the file system has them, which need not be UTF-8.
  package init(pathBytes: [ArraySlice<UInt8>]) {
    var table = PathTable()
    for path in pathBytes { table.append(path) }
    self.init(table, Classes(), folder: [])
  }

  /// One picture.
  init(picture path: String) {
    var table = PathTable()
    table.append(path.utf8)
    self.init(table, Classes(), folder: [], isPicture: true)
  }

  private init(_ paths: PathTable, _ classes: Classes, folder: [UInt8], remarks: [SourceRemark] = [], isPicture: Bool = false) {
    (self.paths, self.classes, self.folder, self.isPicture) = (paths, classes, folder, isPicture)
    self.remarks = remarks + classes.remarks
    stamps = FileStamps(count: paths.count)
  }

  /// A text file with one path a line, perhaps in quotes or as a file:// address; where the first is followed by a blank and a
  /// label, all lines are. Empty lines are skipped.
  public init(contentsOf file: String) throws(DataError) {
    var lines = try ListLines(try ListText.read(file), name: file)
    guard lines.paths.count > 0 else { throw DataError(.unusable, "\(file): names no files; one path a line is needed") }
    let (paths, firstLine) = (lines.paths, lines.firstWithoutLabel)
    let classes = lines.takeClasses().finished(.byValue) { first, lacking in
      ImageList.obstacle(paths, first, lacking, line: firstLine)
    }
    self.init(paths, classes, listedIn: file, folders: [[], ImageList.folder(of: file)])
  }

  /// A table whose first line names the columns: one for the path (``pathColumns``), and one for the label (``labelColumns``)
  /// where there are labels; other columns are left alone. Fields are separated by commas, semicolons, tabs or bars. A table of
  /// one or two columns may lack the first line. Classes are the distinct labels, in the order of their values where all are
  /// numbers and of their bytes otherwise; there are none unless every row has one.
  public init(table file: String) throws(DataError) {
    var table = try ImageTable(try ListText.read(file), name: file)
    try table.readRows()
    let (paths, firstLine) = (table.paths, table.firstWithoutLabel)
    let classes = table.takeClasses().finished(.byValue) { first, lacking in
      ImageList.obstacle(paths, first, lacking, line: firstLine)
    }
    self.init(paths, classes, listedIn: file, folders: [ImageList.folder(of: file), []])
  }

  private init(_ given: PathTable, _ classes: Classes, listedIn file: String, folders: [[UInt8]]) {
    var paths = given
    let base = ListBase(of: paths, folders: folders)
    if base.backslashesSeparate { paths.replace(UInt8(ascii: "\\"), by: UInt8(ascii: "/")) }
    self.init(paths, classes, folder: base.folder, remarks: base.remark.map { [$0] } ?? [])
  }

  private static func folder(of file: String) -> [UInt8] {
    file.utf8.lastIndex(of: UInt8(ascii: "/")).map { Array(file.utf8[...$0]) } ?? []
  }

  private static func obstacle(_ paths: PathTable, _ first: Int, _ lacking: Int, line: Int) -> String {
    "line \(line) (\(paths.text(first)))\(lacking == 1 ? ", which has" : " and \(lacking - 1) more that have") no label"
  }

  /// Names of the column that holds the path, in any case, with or without blanks, "_" and "-"; the first of these that is there
  /// counts.
  public static let pathColumns = [
    "path", "file", "filename", "filepath", "image", "imagepath", "imagefile", "imagefilename", "imagename", "img", "imgpath",
    "paths", "files", "filenames", "filepaths", "images",
  ]
  /// The same for the label.
  public static let labelColumns = [
    "label", "class", "category", "target", "labels", "classes", "classname", "labelname", "classid", "labelid", "y",
  ]

  public var count: Int { paths.count }

  public func name(of sample: Int) -> String { paths.text(sample) }

  public func label(of sample: Int) -> Int? { classes.labels.isEmpty ? nil : Int(classes.labels[sample]) }

  public func bytes(of sample: Int) throws -> [UInt8] { try head(of: sample, limit: .max) }

  public func head(of sample: Int, limit: Int) throws -> [UInt8] {
    try FileBytes.read(path(of: sample), limit: limit) { stamps.agrees(sample, $0) }
  }

  public func filePath(of sample: Int) -> [CChar]? { absolutePath(path(of: sample)) }

  private func path(of sample: Int) -> [CChar] {
    paths.withPath(sample) { path -> [CChar] in
      let isRelative = path.first != UInt8(ascii: "/")
      return ((isRelative ? folder : []) + path + [0]).map { CChar(bitPattern: $0) }
    }
  }

  /// Count, and a hash of the paths.
  public func identity() throws -> DataIdentity {
    DataIdentity(count: count, hash: paths.hash)
  }
}
