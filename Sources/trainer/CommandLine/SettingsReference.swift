import SwAV

/// Every setting, as text for a terminal and as the page docs/settings.md.
enum SettingsReference {
  static var text: String {
    let sections = Setting.Section.allCases.map { section in
      section.rawValue.uppercased() + "\n" + HelpColumns.rows(Setting.section(section))
    }
    return """
      Settings: flags of 'trainer pretrain', and keys of the YAML file of --config.
      A flag beats the file, the file a preset. Names may be written as the
      published program spells them. docs/settings.md has ranges and defaults.

      \(sections.joined(separator: "\n\n"))
      """
  }

  static var markdown: String {
    """
    # Settings

    Flags of `trainer pretrain`, and keys of the YAML file of `--config`. A flag beats the file, the file beats a preset (`--preset`),
    whatever the spelling: `--nmb_crops 2 4 --size_crops 96 48` takes the place of `crops` in a file, `--freeze-epochs` that of
    `freeze-steps`. A lone value that begins with `~` is a path in the home folder. Settings marked *same* have to stay the same when a
    run goes on. This page is made from the table of the settings: `SWAV_RENEW_SNAPSHOTS=1 swift test --filter HelpTests`.

    \(Setting.Section.allCases.map(table).joined(separator: "\n"))
    ## Presets

    \(presets)
    """
  }

  private static func table(_ section: Setting.Section) -> String {
    let rows = Setting.section(section).map { setting in
      let other = setting.spellings.map { "`\($0)`" }.joined(separator: ", ")
      let cells = [
        "`\(setting.name)`", setting.help, setting.allowed, defaultText(setting), other,
        setting.scope == .training ? "same" : "",
      ]
      return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
    return """
      ## \(section.rawValue.prefix(1).uppercased())\(section.rawValue.dropFirst())

      | name | meaning | value | default | also spelled | at a resume |
      |---|---|---|---|---|---|
      \(rows.joined(separator: "\n"))

      """
  }

  /// What the automatic plan chooses is planned; the rest is the default of the configuration.
  private static func defaultText(_ setting: Setting) -> String {
    if setting.scope == .command { return setting.name == "preset" ? Preset.all[0].name : "" }
    if let text = told[setting.name] { return text }
    if planned.contains(setting.name) { return "planned" }
    return setting.show(PretrainConfiguration()) ?? ""
  }

  /// Defaults that follow from other settings.
  private static let told = [
    "budget": "30m, where neither epochs nor steps are given", "steps": "what fits into the budget", "epochs": "",
    "input-size": "the largest crop",
  ]

  private static let planned: Set<String> = {
    let plan = try? PretrainConfiguration.planned(for: DataFacts(images: 4000, shortSide: 224))
    return Set((plan?.decisions ?? []).filter { $0.source == .planned }.map(\.name))
  }()

  private static var presets: String {
    Preset.all.map { preset in
      let values = preset.list.map { "`\($0.name): \($0.value)`" }.joined(separator: ", ")
      return "- **\(preset.name)**: \(preset.summary)\(values.isEmpty ? "" : ". \(values)")"
    }.joined(separator: "\n")
  }
}
