import SwAV

/// What `trainer help` explains beside the commands.
enum HelpTopic: String, CaseIterable {
  case settings
  case presets
  case exitCodes = "exit-codes"

  var text: String {
    switch self {
    case .settings: SettingsReference.text
    case .presets: presets
    case .exitCodes: exitCodes
    }
  }

  private var presets: String {
    let lines = Preset.all.map { HelpColumns.row($0.name, $0.summary) }.joined(separator: "\n")
    return """
      Presets: where unset values of 'trainer pretrain' come from.

      \(lines)

      'trainer pretrain DIR --preset NAME --print-config' shows what one says, for
      the images in DIR; flags and files beat it. docs/settings.md has the values.
      """
  }

  private var exitCodes: String {
    let lines = [(0, "done")] + Failure.Code.allCases.map { (Int($0.rawValue), $0.meaning) }
    return """
      Exit codes.

      \(lines.map { HelpColumns.row("\($0.0)", $0.1) }.joined(separator: "\n"))
        128 + n                 stopped by signal n, after a checkpoint where there is
                                a run: 130 for Ctrl-C, 143 for kill

      Whatever is wrong is one line on standard error, "error: ..."; with --json an
      object with the keys error and exit_code on standard output as well.
      """
  }
}
