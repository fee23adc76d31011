import ArgumentParser
import Foundation
import SwAV

/// The command that the first words of a command line name, and the flags that it takes.
struct CommandTarget {
  let path: [String]
  let type: any ParsableCommand.Type
  let spec: CommandSpec
  private let settings: [Setting]

  var takesSettings: Bool { type is any SettingsCommand.Type }

  /// "bench step".
  var name: String { path.joined(separator: " ") }

  /// What becomes of the first words.
  enum Found {
    case command(CommandTarget, rest: ArraySlice<String>)
    /// A text to print.
    case help(String)
    /// Nothing to look at: flags of the program itself, or help that the parser gives.
    case parser
  }

  static func find(in arguments: [String], of root: any ParsableCommand.Type) throws -> Found {
    let isJSON = arguments.contains("--json")
    var group = CommandGroup(path: [], type: root)
    var rest = arguments[...]
    if rest.first == "help" { return try group.help(Array(rest.dropFirst()), isJSON: isJSON) }
    while let word = rest.first, !group.commands.isEmpty {
      if word.hasPrefix("-") && group.path.isEmpty {
        let flag = String(word.prefix { $0 != "=" })
        let known = ["--help", "-h", "--help-hidden", "--generate-completion-script", "--experimental-dump-help", "--version"]
        guard known.contains(flag) else {
          throw Failure(code: .usage, message: try CommandTarget(group).unknown(flag), json: isJSON)
        }
        return .parser
      }
      guard !word.hasPrefix("-") else { return .parser }
      guard let next = group.descend(word) else {
        throw Failure(code: .usage, message: group.unknownCommand(word), json: isJSON)
      }
      group = next
      rest.removeFirst()
    }
    return group.commands.isEmpty ? .command(try CommandTarget(group), rest: rest) : .parser
  }

  private init(_ group: CommandGroup) throws {
    (path, type, spec) = (group.path, group.type, try CommandSpec.of(group.type))
    settings = (type as? any SettingsCommand.Type)?.settings ?? []
  }
}

/// A command by its name alone, with those below it. What flags a command takes is asked for the one that is found: the parser
/// takes long to tell it.
private struct CommandGroup {
  let path: [String]
  let type: any ParsableCommand.Type

  var commands: [any ParsableCommand.Type] { type.configuration.subcommands }

  func descend(_ word: String) -> CommandGroup? {
    commands.first { $0._commandName == word || $0.configuration.aliases.contains(word) }
      .map { CommandGroup(path: path + [$0._commandName], type: $0) }
  }

  func help(_ words: [String], isJSON: Bool) throws -> CommandTarget.Found {
    if words == ["settings", "--markdown"] { return .help(SettingsReference.markdown) }
    if let topic = words.first.flatMap(HelpTopic.init) { return .help(topic.text) }
    var group = self
    for word in words where !word.hasPrefix("-") {
      guard let next = group.descend(word) else {
        let topics = path.isEmpty ? HelpTopic.allCases.map(\.rawValue) : []
        throw Failure(code: .usage, message: group.unknownCommand(word, topics: topics), json: isJSON)
      }
      group = next
    }
    return .parser
  }

  func unknownCommand(_ word: String, topics: [String] = []) -> String {
    let names = commands.flatMap { [$0._commandName] + $0.configuration.aliases } + topics
    let nearest = Setting.nearest(to: word, among: names.map { ($0, $0) })
    let place = path.isEmpty ? "" : " of \(path.joined(separator: " "))"
    return "'\(word)' is no command\(place)"
      + (nearest.map { "; did you mean '\($0)'?" } ?? "; there are \(names.joined(separator: ", "))")
  }
}

extension CommandTarget {
  private static func name(_ flag: String) -> String? { flag.hasPrefix("--") ? String(flag.dropFirst(2)) : nil }

  func setting(flag: String) -> Setting? {
    if flag == "-o" { return settings.first { $0.name == "output" } }
    guard let name = CommandTarget.name(flag) else { return nil }
    return settings.first { $0.name == name || $0.spellings.contains(name) }
  }

  /// A flag of the published program that has no meaning here.
  func published(flag: String) -> PublishedProgram.Flag? {
    let isPretraining = settings.contains { $0.name == "output" }
    let flags: [PublishedProgram.Flag] =
      if type == LinearCommand.self || type == EvaluateLinearFeatures.self {
        PublishedProgram.linear
      } else if type == EvaluateLinear.self || type == EvaluateSemi.self {
        PublishedProgram.evaluation
      } else {
        isPretraining ? PublishedProgram.pretraining : []
      }
    return flags.first { $0.name == CommandTarget.name(flag) }
  }

  /// Whether a flag of the published program takes several numbers.
  func isPublishedList(_ flag: String) -> Bool { flag == "--decay_epochs" }

  /// What a flag of the published program is called here, and what its value gets at its end.
  func translation(flag: String) -> [(flag: String, ending: String)]? {
    let common: [String: [(flag: String, ending: String)]] = [
      "--data_path": [("--train", "/train"), ("--val", "/val")], "--pretrained": [("--weights", "")],
    ]
    let training: [String: [(flag: String, ending: String)]] = [
      "--batch_size": [("--batch", "")], "--decay_epochs": [("--decay-epochs", "")], "--lr": [("--rate", "")],
      "--wd": [("--decay", "")],
    ]
    if type == LinearCommand.self || type == EvaluateLinearFeatures.self { return common[flag] }
    if type == EvaluateLinear.self { return common[flag] ?? training[flag] }
    guard type == EvaluateSemi.self else { return nil }
    let own = flag == "--labels_perc" ? "--labels" : flag == "--lr_last_layer" ? "--head-rate" : nil
    return common[flag] ?? training[flag] ?? own.map { [(flag: $0, ending: "")] }
  }

  /// What a flag needs, for messages.
  func values(of flag: String) -> String? {
    setting(flag: flag)?.allowed ?? spec.argument(flag: flag).map { "<\($0.valueName ?? "value")>" }
  }

  /// "--lr is no flag of pretrain; did you mean '--base-lr'?"
  func unknown(_ flag: String) -> String {
    let name = String(flag.drop { $0 == "-" })
    let own = (spec.arguments ?? []).flatMap { $0.names ?? [] }.filter { $0.kind == "long" }.map { ($0.name, $0.name) }
    let nearest = Setting.nearest(to: name, among: own + Setting.spellings(of: settings))
    let help = path.isEmpty ? "trainer --help" : "trainer help \(self.name)"
    let hint = nearest.map { "did you mean '--\($0)'?" } ?? "'\(help)' shows those that are"
    return "\(flag) is no flag of \(path.isEmpty ? "trainer" : self.name); \(hint)"
  }
}
