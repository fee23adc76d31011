import SwAVAugmentation

/// One value that a run can be given, said once: its names, what it means, what is allowed, how its text is read and shown.
///
/// The flags of the command, the keys of a settings file, the printed configuration, the comparison at a resume and the
/// page docs/settings.md come from the table ``all``. The default of a value is that of ``PretrainConfiguration``.
public struct Setting: Sendable {
  /// What a setting is of.
  public enum Scope: String, Sendable {
    /// The training itself: it has to stay the same when a run goes on.
    case training
    /// How the run is carried out: it may change when a run goes on.
    case running
    /// Where things are and what is to be done; not part of the configuration.
    case command
  }

  /// What a setting is about, in the order of docs/settings.md.
  public enum Section: String, Sendable, CaseIterable {
    case run, network, views, objective, optimizer, weights, data, execution
  }

  /// "base-lr": `--base-lr` as a flag, `base-lr` in a file.
  public let name: String
  public var section = Section.run
  public var scope = Scope.training
  /// Other spellings that are taken as flags and in files: those of the published program have underscores.
  public var spellings: [String] = []
  /// What people try in its place; for suggestions.
  public var mistaken: [String] = []
  /// What a person has to know who uses a published spelling.
  public var publishedNote: String?
  /// Stands for a value in help: "n".
  public var valueName = "n"
  /// One line.
  public var help = ""
  /// What a value looks like, for messages: "a number above 0".
  public let allowed: String
  /// Whether a flag takes several words, each of them a number.
  public var isList = false
  /// Whether the value is a path, in which `~` is the home folder.
  public var isPath = false
  /// Whether the short help shows it.
  public var isCommon = false
  /// Whether the default is not the published method's, though it is of the training.
  public var hasOwnDefault = false
  /// Settings that say the same in another way: one that is given later takes their place.
  public var displaces: [String] = []
  /// Whether those stay where they are given beside it, on one command line or in one file.
  public var standsBeside = false
  /// The value as text; nil where it is not set.
  public internal(set) var show: @Sendable (PretrainConfiguration) -> String?
  /// Reads the text; false when it is not allowed.
  let read: @Sendable (inout PretrainConfiguration, String) -> Bool

  /// Whether its default is what the published method does.
  var isPublished: Bool { scope == .training && section != .data && !hasOwnDefault }

  init(
    _ name: String, allowed: String, show: @escaping @Sendable (PretrainConfiguration) -> String?,
    read: @escaping @Sendable (inout PretrainConfiguration, String) -> Bool
  ) {
    (self.name, self.allowed, self.show, self.read) = (name, allowed, show, read)
  }
}

extension Setting {
  /// Every setting, in the order in which they are applied and printed.
  public static let all = commandSettings + configurationSettings

  /// Those that are part of a ``PretrainConfiguration``.
  public static let configurationSettings =
    initialSettings + networkSettings + viewSettings + objectiveSettings + optimizerSettings + weightsSettings + dataSettings
    + executionSettings

  /// All of a section, by name where names are given.
  public static func section(_ section: Section) -> [Setting] { all.filter { $0.section == section } }

  private static let index: [String: Setting] = {
    var index: [String: Setting] = [:]
    for setting in all {
      for spelling in [setting.name] + setting.spellings { index[hyphenated(spelling)] = setting }
    }
    return index
  }()

  /// The setting of a name, written with hyphens or underscores or as the published program spells it.
  public static func named(_ name: String) -> Setting? { index[hyphenated(name)] }

  private static func hyphenated(_ name: String) -> String { String(name.map { $0 == "_" ? "-" : $0 }) }

  /// What somebody who wrote `name` may have meant, best first: `candidates` are names and what they lead to.
  package static func nearest(to name: String, among candidates: [(name: String, meant: String)]) -> String? {
    let wanted = hyphenated(name)
    let ranked = candidates.map { candidate -> (distance: Int, meant: String) in
      let known = hyphenated(candidate.name)
      let isBeginning = wanted.count >= 3 && (known.hasPrefix(wanted) || wanted.hasPrefix(known) && known.count >= 3)
      return (isBeginning ? min(1, editDistance(wanted, known)) : editDistance(wanted, known), candidate.meant)
    }
    guard let best = ranked.min(by: { ($0.distance, $0.meant) < ($1.distance, $1.meant) }) else { return nil }
    return best.distance <= max(2, wanted.count / 3) && best.distance < wanted.count ? best.meant : nil
  }

  /// Spellings of the settings, and what people try in their place, with the names that are meant.
  package static func spellings(of settings: [Setting] = all) -> [(name: String, meant: String)] {
    settings.flatMap { setting in
      ([setting.name] + setting.spellings + setting.mistaken).map { ($0, setting.name) }
    }
  }

  /// Levenshtein's: insertions, deletions and replacements that turn one into the other.
  static func editDistance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let replaced = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, min(row[j], row[j + 1]) + 1)
      }
    }
    return row[b.count]
  }
}
