import Foundation

/// The image sets that some tests use: in the folder that SWAV_TEST_DATA names, else in ../shared/data beside the package.
public enum TestData {
  public static let folder: String = {
    if let named = ProcessInfo.processInfo.environment["SWAV_TEST_DATA"] { return named }
    // Tests/SwAVTestSupport/TestData.swift, two folders below the package.
    return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/data").path
  }()

  /// Whether the set is there; tests of it are skipped otherwise.
  public static func has(_ set: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(set)/\(set).tar") }

  /// Unpacks a set into a temporary folder; the images are in its sub-folder of the set's name.
  public static func unpack(_ set: String) throws -> TemporaryFolder {
    let target = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["tar", "-xf", "\(folder)/\(set)/\(set).tar", "-C", target.path]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CocoaError(.fileReadCorruptFile) }
    return target
  }

  /// The rows of a set's manifest, by the names of its columns. Fields may be quoted; a quoted field holds no line break.
  public static func manifest(of set: String) throws -> [[String: String]] {
    let text = try String(contentsOfFile: "\(folder)/\(set)/manifest.csv", encoding: .utf8)
    let rows = text.split(whereSeparator: \.isNewline).map { fields(of: $0) }
    guard let titles = rows.first else { return [] }
    return rows.dropFirst().map { Dictionary(zip(titles, $0), uniquingKeysWith: { a, _ in a }) }
  }

  private static func fields(of line: Substring) -> [String] {
    var (fields, quoted) = ([""], false)
    for character in line {
      switch character {
      case "\"": quoted.toggle()
      case "," where !quoted: fields.append("")
      default: fields[fields.count - 1].append(character)
      }
    }
    return fields
  }
}
