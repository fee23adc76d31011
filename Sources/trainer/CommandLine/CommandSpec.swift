import ArgumentParser
import Foundation

/// What the argument parser knows of a command: its flags and arguments, as it tells them to its own tools.
struct CommandSpec: Decodable {
  struct Argument: Decodable {
    enum Kind: String, Decodable { case positional, option, flag }
    struct Name: Decodable {
      var kind: String
      var name: String
      /// "--output" or "-o".
      var flag: String { kind == "long" ? "--" + name : "-" + name }
    }

    var kind: Kind
    var isOptional: Bool
    var names: [Name]?
    var preferredName: Name?
    var valueName: String?

    /// "--weights <run>".
    var text: String {
      let value = "<\(valueName ?? "value")>"
      return kind == .positional ? value : "\(preferredName?.flag ?? "") \(value)"
    }
  }

  var arguments: [Argument]?

  private struct Tool: Decodable { var command: CommandSpec }

  static func of(_ command: any ParsableCommand.Type) throws -> CommandSpec {
    var spec = try JSONDecoder().decode(Tool.self, from: Data(command._dumpHelp().utf8)).command
    // The program's own flags, which the parser takes after every command and tells with the program alone, or not at all.
    spec.arguments =
      (spec.arguments ?? [])
      + ["version", "help-hidden"].map { name in
        Argument(kind: .flag, isOptional: true, names: [Argument.Name(kind: "long", name: name)])
      }
    return spec
  }

  /// The option or flag that is written so: "--output", "-o".
  func argument(flag: String) -> Argument? {
    arguments?.first { $0.names?.contains { $0.flag == flag } ?? false }
  }
}
