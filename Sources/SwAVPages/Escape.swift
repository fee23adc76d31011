import Mustache

/// Text that stands for itself in HTML, in an element or in a quoted attribute.
///
/// By scalars: as characters a quote with an accent behind it is no quote, and would end an attribute all the same. What controls
/// the direction of the text around it, and what no reader may see, becomes a replacement character: names of files can hold any of
/// these.
func escaped(_ text: String) -> String {
  var result = ""
  result.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "`": result += "&#96;"
    default: result.unicodeScalars.append(visible(scalar))
    }
  }
  return result
}

/// A text as people should see it where nothing has to be escaped, as in the data of a script.
func visible(_ text: String) -> String {
  var result = String.UnicodeScalarView()
  result.append(contentsOf: text.unicodeScalars.map(visible))
  return String(result)
}

private func visible(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
  switch scalar {
  case "\n", "\r", "\t": " "
  case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{202a}"..."\u{202e}", "\u{2066}"..."\u{2069}": "\u{fffd}"
  default: scalar
  }
}

/// What the templates begin with: `{{%CONTENT_TYPE: PAGE}}`. The library's own escaping goes by characters.
struct PageContent: MustacheContentType {
  static let name = "PAGE"
  func escapeText(_ text: String) -> String { escaped(text) }
}
