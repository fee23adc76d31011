import Foundation

/// The version of the rows that ``jsonRow(_:command:_:)`` writes. It grows when a key is removed or means something else; new
/// keys and new types may come at any time.
package let jsonSchema = 1

/// A row of `--json` or of metrics.jsonl: the keys of `value` beside `type`, which says what kind of row it is, and `schema`.
///
/// Types are "result" for the last row of a command, then with its `command`, "error" in its place when it failed, and names such
/// as "step", "evaluation" or "bad_image" for what comes before.
package func jsonRow(_ type: String, command: String? = nil, _ value: some Encodable) throws -> String {
  try jsonLine(TypedRow(type: type, command: command, value: value))
}

/// The same for keys that are known when the row is made only, such as "knn20"; they are written as they are.
package func jsonRow(_ type: String, command: String? = nil, fields: [String: any Encodable]) throws -> String {
  try jsonRow(type, command: command, fields.mapValues(AnyValue.init))
}

/// One JSON object without line breaks, keys sorted and in snake case. Numbers that are not finite become "nan" or "inf".
package func jsonLine(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

private struct TypedRow<Value: Encodable>: Encodable {
  let type: String
  let command: String?
  let value: Value

  private enum Key: CodingKey { case type, schema, command }

  func encode(to encoder: any Encoder) throws {
    // The value first: its keys and these go into the same object, and these win.
    try value.encode(to: encoder)
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(type, forKey: .type)
    try keys.encode(jsonSchema, forKey: .schema)
    try keys.encodeIfPresent(command, forKey: .command)
  }
}

private struct AnyValue: Encodable {
  let value: any Encodable
  init(_ value: any Encodable) { self.value = value }
  /// As a value of its own, and not its parts: the keys of a dictionary, which may be names of classes, stay as they are only then.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(value)
  }
}
