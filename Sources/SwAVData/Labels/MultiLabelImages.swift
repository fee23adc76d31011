import Foundation

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
    var table = try ImageTable(try ListText.read(file), name: file)
    let labels = try table.readLabels()
    var (places, paths, classes) = ([[UInt8]: Int](), PathTable(), [Set<String>]())
    for (row, label) in labels.enumerated() {
      let path = table.paths.withPath(row) { Array($0) }
      let place = places[path] ?? paths.count
      if place == paths.count {
        places[path] = place
        paths.append(path)
        classes.append([])
      }
      let names = label.split { $0 == UInt8(ascii: "|") || $0 == UInt8(ascii: ";") }.map {
        printable($0).trimmingCharacters(in: .whitespaces)
      }
      classes[place].formUnion(names.filter { !$0.isEmpty })
    }
    try self.init(
      ImageList(paths: paths, besides: file), classes: classes, difficult: classes.map { _ in [] }, name: file)
  }
}
