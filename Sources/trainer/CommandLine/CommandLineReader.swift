import ArgumentParser
import Foundation
import SwAV

/// The words of a command line before the argument parser sees them.
///
/// Takes out the flags of settings, for which the table of settings is the authority; puts the home folder in the place of `~`;
/// refuses empty values, which the parser would fill with the next word; suggests what an unknown word was meant to be. Throws
/// ``Failure`` with one line.
struct CommandLineReader {
  /// What is left for the parser. Options are written as one word, `--name=value`: a value may begin with a hyphen then.
  private(set) var words: [String]
  /// The settings among the flags.
  private var given = PretrainSettings()
  /// Flags of a published program without meaning here, of a command that takes no settings.
  private var ignored: [PublishedProgram.Given] = []

  private let target: CommandTarget
  private let isJSON: Bool
  private var rest: ArraySlice<String>
  private var positionals = 0
  /// Preferred names of the options that were given.
  private var seen: Set<String> = []
  /// The last flag that took several words, and the last of these.
  private var lastList: (flag: String, word: String)?

  init(_ target: CommandTarget, _ arguments: ArraySlice<String>) throws {
    (self.target, words, rest) = (target, target.path, arguments)
    isJSON = arguments.contains("--json")
    while let word = rest.popFirst() {
      if word == "--" {
        words += ["--"] + rest.map(expandingHome)
        positionals += rest.count
        break
      }
      if CommandLineReader.isFlag(word) { try readFlag(word) } else { try readPositional(word) }
    }
    try requireWhatIsNeeded()
  }

  /// Hyphens and a letter; "-5" and "-" are values.
  private static func isFlag(_ word: String) -> Bool {
    let name = word.drop { $0 == "-" }
    return word.hasPrefix("-") && name.first.map { $0.isLetter } ?? false
  }

  private func failure(_ message: String) -> Failure { Failure(code: .usage, message: message, json: isJSON) }

  private mutating func readPositional(_ word: String) throws {
    guard !word.isEmpty else {
      throw failure("argument \(positionals + 1) of \(target.name) is empty; a variable without a value?")
    }
    positionals += 1
    words.append(expandingHome(word))
  }

  private mutating func readFlag(_ word: String) throws {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let (flag, inline) = (parts[0], parts.count > 1 ? parts[1] : nil)
    if inline?.isEmpty ?? false { throw empty(flag, target.values(of: flag)) }
    if let setting = target.setting(flag: flag) {
      let values = try values(of: flag, inline, isList: setting.isList, setting.allowed)
      try read(setting, values.joined(separator: ","), flag)
    } else if let published = target.published(flag: flag) {
      let values = try values(of: flag, inline, isList: published.isList, "a value")
      let value = values.joined(separator: " ")
      if target.takesSettings {
        try given.set(published.name, to: value, origin: flag)
      } else {
        ignored.append(.init(origin: flag, value: value, reason: published.reason))
      }
    } else if let names = target.translation(flag: flag) {
      let value = try values(of: flag, inline, isList: target.isPublishedList(flag), "a value").joined(separator: ",")
      for name in names { try take(name.flag, value + name.ending) }
    } else if let argument = target.spec.argument(flag: flag) {
      guard argument.kind == .option else { return words.append(word) }
      try take(flag, values(of: flag, inline, isList: false, "<\(argument.valueName ?? "value")>")[0])
    } else {
      throw failure(target.unknown(flag))
    }
  }

  /// An option of the parser.
  private mutating func take(_ flag: String, _ value: String) throws {
    let name = target.spec.argument(flag: flag)?.preferredName?.flag ?? flag
    seen.insert(name)
    words.append("\(name)=\(expandingHome(value))")
  }

  private mutating func read(_ setting: Setting, _ text: String, _ flag: String) throws {
    let name = flag.hasPrefix("--") ? String(flag.dropFirst(2)) : setting.name
    var single = PretrainSettings()
    try Failure.reporting(json: isJSON) {
      if setting.standsBeside { return try given.set(name, to: text, origin: flag) }
      try single.set(name, to: text, origin: flag)
    }
    given.merge(single)
  }

  /// The value behind `=`, or the words that follow: for a list the numbers among them, so that no folder is taken for one.
  private mutating func values(of flag: String, _ inline: String?, isList: Bool, _ allowed: String) throws -> [String] {
    if let inline { return [inline] }
    guard let first = rest.first, first != "--", !CommandLineReader.isFlag(first) else {
      throw failure("\(flag) has no value; \(allowed) is needed")
    }
    guard !first.isEmpty else { throw empty(flag, allowed) }
    rest.removeFirst()
    var values = [first]
    while isList, let word = rest.first, PretrainSettings.isListOfNumbers(word) {
      values.append(word)
      rest.removeFirst()
    }
    if isList { lastList = (flag, values[values.count - 1]) }
    return values
  }

  private func empty(_ flag: String, _ allowed: String?) -> Failure {
    failure("\(flag) is given an empty value\(allowed.map { "; \($0) is needed" } ?? ""). A variable without a value?")
  }

  private func requireWhatIsNeeded() throws {
    guard !words.contains(where: ["--help", "-h", "--version", "--help-hidden"].contains) else { return }
    for argument in target.spec.arguments ?? [] where !argument.isOptional {
      if argument.kind == .option, let name = argument.preferredName?.flag, !seen.contains(name) {
        throw failure("\(argument.text) is missing; 'trainer help \(target.name)' shows the flags")
      }
    }
    let needed = (target.spec.arguments ?? []).filter { $0.kind == .positional && !$0.isOptional }
    if positionals < needed.count { throw failure(missing(needed[positionals].text)) }
  }

  /// For a command that takes settings.
  var settings: GivenSettings {
    var settings = GivenSettings()
    (settings.flags, settings.missingImages) = (given, missing("<images>"))
    return settings
  }

  /// Says once what has no effect, for a command that does not do so itself.
  func tellNotes() throws {
    guard let note = PublishedProgram.remark(on: ignored) else { return }
    print(isJSON ? try jsonRow("note", ["note": note]) : "note: " + note)
  }

  private func missing(_ argument: String) -> String {
    let text = "\(argument) is missing; 'trainer help \(target.name)' shows how to give it"
    guard let lastList, FileManager.default.fileExists(atPath: lastList.word) else { return text }
    return "\(argument) is missing: '\(lastList.word)' went to \(lastList.flag); put it before the flags"
  }
}
