import Foundation
import Mustache
import SwAVData

/// The templates, which are part of the program.
struct Page: Sendable {
  enum Failure: Error, CustomStringConvertible {
    case template(String)
    var description: String {
      switch self {
      case .template(let name): "the template '\(name)' cannot be used; a defect"
      }
    }
  }

  private let library: MustacheLibrary

  init() throws {
    MustacheContentTypes.register(PageContent(), named: PageContent.name)
    var templates: [String: MustacheTemplate] = [:]
    for (name, bytes) in Page.sources { templates[name] = try MustacheTemplate(string: String(decoding: bytes, as: UTF8.self)) }
    library = MustacheLibrary(templates: templates)
  }

  static let sources: [String: [UInt8]] = [
    "page": PackageResources.page_mustache, "report": PackageResources.report_mustache,
    "compare": PackageResources.compare_mustache, "chart": PackageResources.chart_mustache,
    "clusters": PackageResources.clusters_mustache, "cluster": PackageResources.cluster_mustache,
    "pictures": PackageResources.pictures_mustache, "explore": PackageResources.explore_mustache,
  ]

  /// A whole page: `view` fills the template `name`, which becomes the body.
  ///
  /// Scripts of the page are the ones that the template library holds; the policy lets the browser run no other, fetch nothing, and
  /// send nothing.
  func html(_ name: String, title: String, view: [String: Any], script: String = "", style: String = "") throws -> String {
    guard let body = library.render(view, withTemplate: name) else { throw Failure.template(name) }
    let css = String(decoding: PackageResources.page_css, as: UTF8.self) + style
    let frame: [String: Any] = [
      "title": title, "body": body, "css": css, "script": script, "hasScript": !script.isEmpty,
      "nonce": Page.nonce(body),
    ]
    guard let page = library.render(frame, withTemplate: "page") else { throw Failure.template("page") }
    return page
  }

  /// A page that a server of this program gives, whose answers carry the policy: parts of it are fetched.
  func served(_ name: String, view: [String: Any]) throws -> String {
    var view = view
    view["css"] = [PackageResources.page_css, PackageResources.explore_css].map { String(decoding: $0, as: UTF8.self) }.joined()
    view["script"] = String(decoding: PackageResources.explore_js, as: UTF8.self)
    guard let page = library.render(view, withTemplate: name) else { throw Failure.template(name) }
    return page
  }

  /// The same for the same page, so that reports can be compared; nobody who names a file knows it.
  private static func nonce(_ text: String) -> String {
    var hash = FNV1a()
    hash.combine(text.utf8)
    return hash.hexadecimal
  }
}

/// Bytes as an address that holds them.
func dataAddress(_ type: String, _ bytes: [UInt8]) -> String { "data:\(type);base64," + Data(bytes).base64EncodedString() }

/// JSON that may stand inside a script element. By scalars: a sign may be the second one of a character, as after U+0600.
func scriptJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .sortedKeys
  let text = String(decoding: try encoder.encode(value), as: UTF8.self)
  var safe = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    switch scalar {
    case "<", ">", "&", "\u{2028}", "\u{2029}":
      safe.append(contentsOf: "\\u".unicodeScalars)
      safe.append(contentsOf: String(scalar.value + 0x10000, radix: 16).dropFirst().unicodeScalars)
    default: safe.append(scalar)
    }
  }
  return String(safe)
}
