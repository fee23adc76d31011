import Foundation

/// `Tests/Fixtures/image/formats`: small files of every format and variant, made by make_image_fixtures.py.
public enum FormatFixtures {
  public static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/image/formats").path

  /// All of them, sorted; not the pictures that are expected of them.
  public static func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasSuffix(".expected.png") }.sorted()
  }

  public static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)))
  }
}
