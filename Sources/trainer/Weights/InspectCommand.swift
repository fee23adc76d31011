import ArgumentParser
import Foundation
import SwAV

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a file of weights holds, and loads as.",
    discussion: """
      Whatever --weights takes: safetensors, X.safetensors.index.json with its
      parts beside it, a PyTorch checkpoint (nothing in it is executed), a
      checkpoint, the folder of a run or of an export. Mean, deviation, smallest and
      largest are of the values that are finite.
      """)

  @Argument(help: ArgumentHelp("The file, or a run.", valueName: "file"))
  var file: String
  @OptionGroup var choice: PrefixOptions
  @OptionGroup var out: OutputOptions

  private struct Result: Encodable {
    var file: String
    var format: String
    var tensors: Int
    var numbers: Int
    var nonFinite: Int
    var metadata: [String: String]
    /// What the file loads as, or why it does not.
    var loadsAs: LoadReport?
    var refusal: String?
  }

  func run() throws {
    try Failure.reporting(json: out.json) {
      let file = try WeightsFile(at: self.file).path
      let weights = try TensorFile(file)
      var result = Result(
        file: file, format: weights.format, tensors: weights.tensorCount, numbers: 0, nonFinite: 0, metadata: weights.metadata)
      do {
        result.loadsAs = try choice.explained { options in try weights.recognized(options).report }
      } catch {
        result.refusal = (error as? ValidationError)?.message ?? "\(error)"
      }
      if !out.json { for line in heading(result) { print(line) } }
      var rows: [[String]] = []
      for index in 0..<weights.tensorCount {
        let tensor = try weights.tensor(at: index)
        result.numbers += tensor.count
        result.nonFinite += tensor.values?.nonFinite ?? 0
        if out.json {
          print(try jsonRow("tensor", tensor))
        } else {
          rows.append(InspectCommand.row(tensor))
        }
      }
      if out.json { return print(try jsonRow("result", command: "inspect", result)) }
      for line in InspectCommand.table(rows) { print(line) }
      print("\(result.tensors) tensors, \(result.numbers) numbers, \(result.nonFinite) of them not finite")
    }
  }

  private func heading(_ result: Result) -> [String] {
    var lines = ["\(result.file): \(result.format)"]
    for (key, value) in result.metadata.sorted(by: { $0.key < $1.key }) {
      let text = value.replacing("\n", with: " ")
      lines.append("metadata \(key): " + (text.count > 160 ? text.prefix(157) + "..." : text))
    }
    lines.append("loads as: " + (result.loadsAs?.summary ?? "nothing: \(result.refusal ?? "")"))
    return lines + [""]
  }

  private static let titles = ["name", "shape", "type", "mean", "std", "smallest", "largest", "non-finite"]

  private static func row(_ tensor: TensorFile.Tensor) -> [String] {
    let numbers = tensor.values.map { values in
      [values.mean, values.std, values.smallest, values.largest].map { String(format: "%.4g", $0) } + ["\(values.nonFinite)"]
    }
    return [tensor.name, "[\(tensor.shape.map(String.init).joined(separator: ", "))]", tensor.dtype]
      + (numbers ?? Array(repeating: "-", count: 5))
  }

  /// Columns as wide as their longest text; numbers stand at the right.
  private static func table(_ rows: [[String]]) -> [String] {
    let all = [titles] + rows
    let widths = titles.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      zip(row, widths).enumerated().map { column, cell in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return column < 3 ? cell.0 + space : space + cell.0
      }.joined(separator: "  ")
    }
  }
}

/// Which encoder of a file is meant.
struct PrefixOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Of a file with two encoders: teacher, encoder_q.", valueName: "keys"))
  var prefix: String?

  /// Carries out `body` with the choice; where it is open, and the file asks for one, the error names the flag.
  func explained<Value>(_ body: (LoadOptions) throws -> Value) throws -> Value {
    do {
      return try body(LoadOptions(prefix: prefix))
    } catch let error as EngineError where error.code == .argument && prefix == nil {
      throw ValidationError("\(error) (--prefix)")
    }
  }
}
