import ArgumentParser
import SwAV

/// A command whose flags include settings, which the table of the settings defines and ``CommandLineReader`` reads.
protocol SettingsCommand: ParsableCommand {
  static var settings: [Setting] { get }
  /// What the flags said; set before the command runs.
  var given: GivenSettings { get set }
}

/// Settings from flags. Nothing that the argument parser reads.
struct GivenSettings: Decodable {
  var flags = PretrainSettings()
  /// What to say when the images are missing.
  var missingImages = "<images> is missing"

  init() {}
  init(from decoder: any Decoder) {}
}

/// Names and texts in two columns, in lines of 80.
enum HelpColumns {
  private static let (nameWidth, width) = (26, 80)

  /// "  --crops <groups>        Views of an image, as 2x224+6x96."
  static func rows(_ settings: [Setting]) -> String {
    settings.map { row("--\($0.name) <\($0.valueName)>", $0.help) }.joined(separator: "\n")
  }

  static func row(_ name: String, _ text: String) -> String {
    let margin = String(repeating: " ", count: nameWidth)
    let lines = wrapped(text, to: width - nameWidth).map { margin + $0 }
    let title = "  " + name
    guard title.count < nameWidth - 1, let first = lines.first else { return ([title] + lines).joined(separator: "\n") }
    return ([title + first.dropFirst(title.count)] + lines.dropFirst()).joined(separator: "\n")
  }

  /// Words of a text in lines of so many columns at most.
  private static func wrapped(_ text: String, to width: Int) -> [String] {
    text.split(separator: " ").reduce(into: []) { lines, word in
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
  }
}
