/// Images of which each may have several classes.
public struct MultiLabelImages: Sendable {
  public let images: any ImageSource
  public let classNames: [String]
  /// [sample][class]: 1 of the class, -1 not, 0 where that does not count, as for Pascal's "difficult" objects.
  public let targets: [[Int8]]

  /// Images with their classes, none or several each; `difficult` ones do not count.
  init(_ images: any ImageSource, classes: [Set<String>], difficult: [Set<String>], name: String) throws(DataError) {
    let names = classes.reduce(into: Set<String>()) { $0.formUnion($1) }.sorted {
      Array($0.utf8).lexicographicallyPrecedes($1.utf8)
    }
    guard !names.isEmpty else { throw DataError(.unusable, "\(name): no image has a class") }
    (self.images, classNames) = (images, names)
    targets = zip(classes, difficult).map { own, hard in
      names.map { own.contains($0) ? 1 : hard.contains($0) ? 0 : -1 }
    }
  }

  /// By what the path names: a folder of Pascal VOC's form (``init(pascal:part:)``), a table (``init(table:)``), or images with one
  /// class each as ``openImages(_:)`` takes them.
  public static func open(_ path: String, part: String) throws -> MultiLabelImages {
    let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    if PascalFolder.isOne(trimmed) { return try MultiLabelImages(pascal: trimmed, part: part) }
    if [".csv", ".tsv"].contains(where: { path.lowercased().hasSuffix($0) }) { return try MultiLabelImages(table: path) }
    return try MultiLabelImages(singleLabels: openImages([path]), name: path)
  }

  /// Images that have one class each.
  public init(singleLabels images: any ImageSource, name: String) throws(DataError) {
    guard !images.classNames.isEmpty else {
      throw DataError(.unusable, "\(name): \(images.classObstacle ?? "no classes; every image needs one")")
    }
    let classes = (0..<images.count).map { sample in Set(images.label(of: sample).map { [images.classNames[$0]] } ?? []) }
    try self.init(images, classes: classes, difficult: classes.map { _ in [] }, name: name)
  }

  /// A table with a column for the path and one for the label, as ``ImageList/init(table:)`` takes them: a label holds several
  /// classes with bars or semicolons between them, or an image has several rows. An empty label: no class.
  public init(table file: String) throws(DataError) {
    let rows = try LabelRows(file)
    var (places, paths, classes) = ([String: Int](), [String](), [Set<String>]())
    for (path, labels) in rows.rows {
      let place = places[path] ?? paths.count
      if place == paths.count {
        places[path] = place
        paths.append(path)
        classes.append([])
      }
      classes[place].formUnion(labels)
    }
    try self.init(
      ImageList(paths: paths, besides: file), classes: classes, difficult: classes.map { _ in [] }, name: file)
  }
}

/// Path and labels of each row of a table.
private struct LabelRows {
  private(set) var rows: [(path: String, labels: [String])] = []

  init(_ file: String) throws(DataError) {
    let text = try ListText.read(file)
    // The separator is the first of these that the first line has; labels may be separated by the others.
    let first = text.prefix { $0 != 0x0a && $0 != 0x0d }
    var reader = CSVReader(text)
    let given = reader.skipSeparatorLine()
    reader.separator = given ?? ",\t;|".utf8.first { first.contains($0) } ?? UInt8(ascii: ",")
    var fields: [[UInt8]] = []
    func next() throws(DataError) -> Bool {
      do { return try reader.next(&fields) } catch {
        throw DataError(.unusable, "\(file), line \(reader.line): \(error.reason)")
      }
    }
    guard try next() else {
      throw DataError(.unusable, "\(file): empty; a line that names the columns is needed, as path,label")
    }
    let names = fields.map { String(decoding: $0, as: UTF8.self).lowercased() }
    guard let path = names.firstIndex(where: ImageList.pathColumns.contains),
      let label = names.firstIndex(where: { ImageList.labelColumns.contains($0) || $0 == "labels" || $0 == "classes" })
    else {
      throw DataError(
        .unusable, "\(file): its columns are \(names.prefix(8).joined(separator: ", ")); path and label are needed")
    }
    while try next() {
      guard fields.count > max(path, label) else {
        throw DataError(.unusable, "\(file), line \(reader.line): \(fields.count) columns; \(names.count) are needed")
      }
      let labels = fields[label].split { $0 == UInt8(ascii: "|") || $0 == UInt8(ascii: ";") }.map {
        String(decoding: $0, as: UTF8.self).filter { $0 != " " }
      }
      rows.append((String(decoding: fields[path], as: UTF8.self), labels.filter { !$0.isEmpty }))
    }
    guard !rows.isEmpty else { throw DataError(.unusable, "\(file): no rows") }
  }
}
