import Foundation
import FoundationXML

/// A folder as Pascal VOC's: JPEGImages, Annotations with a file of XML an image, and ImageSets/Main with lists of their names.
enum PascalFolder {
  static func isOne(_ folder: String) -> Bool {
    ["JPEGImages", "Annotations"].allSatisfy { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder) && isFolder.boolValue
    }
  }

  /// Names of the images, without ending: those of a list, or all that have an annotation where there are no lists.
  static func names(in folder: String, part: String) throws(DataError) -> [String] {
    let lists = "\(folder)/ImageSets/Main"
    if FileManager.default.fileExists(atPath: lists) {
      let text = String(decoding: try ListText.read("\(lists)/\(part).txt"), as: UTF8.self)
      // A list of one class has a 1 or -1 behind each name.
      return text.split(whereSeparator: \.isNewline).compactMap { $0.split(separator: " ").first.map(String.init) }
    }
    let found = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/Annotations")) ?? []
    return found.filter { $0.lowercased().hasSuffix(".xml") }.map { String($0.dropLast(4)) }.sorted()
  }
}

extension MultiLabelImages {
  /// The images of a folder of Pascal VOC's form that ImageSets/Main/PART.txt lists ("trainval", "test"); all with an annotation
  /// where there is no ImageSets/Main. A class of which an image has difficult objects only does not count for it. Throws `.missing`
  /// where there is no such list among others.
  public init(pascal folder: String, part: String) throws(DataError) {
    let names = try PascalFolder.names(in: folder, part: part)
    guard !names.isEmpty else { throw DataError(.unusable, "\(folder): no annotations in \(folder)/Annotations") }
    var (classes, difficult) = ([Set<String>](), [Set<String>]())
    for name in names {
      let found = try PascalAnnotation(path: "\(folder)/Annotations/\(name).xml")
      classes.append(Set(found.objects.filter { !$0.isDifficult }.map(\.name)))
      difficult.append(Set(found.objects.filter(\.isDifficult).map(\.name)))
    }
    let paths = names.map { "\(folder)/JPEGImages/\($0).jpg" }
    try self.init(ImageList(paths: paths), classes: classes, difficult: difficult, name: folder)
  }
}

/// The objects of one annotation.
struct PascalAnnotation {
  struct Object: Equatable {
    var name = ""
    var isDifficult = false
  }

  let objects: [Object]

  init(path: String) throws(DataError) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw DataError(.missing, "\(path): not there, or it cannot be read")
    }
    try self.init(data, path: path)
  }

  init(_ data: Data, path: String) throws(DataError) {
    let parser = XMLParser(data: data)
    let reader = Reader()
    parser.delegate = reader
    parser.shouldResolveExternalEntities = false
    guard parser.parse(), reader.isWhole, reader.objects.allSatisfy({ !$0.name.isEmpty }) else {
      throw DataError(.unusable, "\(path), line \(parser.lineNumber): no annotation of Pascal's form")
    }
    objects = reader.objects
  }

  /// Takes names and "difficult" of the objects, and not those of their parts.
  private final class Reader: NSObject, XMLParserDelegate {
    var objects: [Object] = []
    /// The annotation was opened and closed: the parser lets a file pass that ends before.
    var isWhole = false
    private var path: [String] = []
    private var text = ""

    func parser(
      _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      path.append(element)
      text = ""
      if path == ["annotation", "object"] { objects.append(Object()) }
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(_ parser: XMLParser, didEndElement element: String, namespaceURI: String?, qualifiedName: String?) {
      let value = text.trimmingCharacters(in: .whitespacesAndNewlines)
      if path == ["annotation", "object", "name"], !objects.isEmpty { objects[objects.count - 1].name = value }
      if path == ["annotation", "object", "difficult"], !objects.isEmpty {
        objects[objects.count - 1].isDifficult = value == "1"
      }
      isWhole = path == ["annotation"]
      path.removeLast()
      text = ""
    }
  }
}
