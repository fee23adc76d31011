import Foundation
public import SwAVData
public import SwAVEngine

/// What the run was carried out on; for people, and for whoever has to repeat it.
public struct RunEnvironment: Codable, Sendable {
  public var version: String
  public var engine: Runtime.Info
  public var workers: Int
  public var system: String
  public var host: String
  public var processorCount: Int
  public var memoryGib: Double
  public var startedAt: String
  public var command: [String]
  public var images: DataIdentity
  /// Where the images and those of the validation are, as absolute paths; nil where nobody said.
  public var imagePaths: [String]?
  public var validationPaths: [String]?

  init(_ pretraining: Pretraining, images: DataIdentity) throws(EngineError) {
    let process = ProcessInfo.processInfo
    version = Runtime.versionText
    engine = try Runtime.info()
    workers = pretraining.configuration.readers
    system = process.operatingSystemVersionString
    host = process.hostName
    processorCount = process.activeProcessorCount
    memoryGib = Double(process.physicalMemory) / 1_073_741_824
    startedAt = timestamp()
    command = CommandLine.arguments
    self.images = images
    imagePaths = pretraining.imagePaths.map { $0.map(absolute) }
    validationPaths = pretraining.validationPaths.map { $0.map(absolute) }
  }

  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    // Encoding a structure of strings and finite numbers cannot fail.
    return ((try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}") + "\n"
  }
}

private func absolute(_ path: String) -> String {
  path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
}

/// "2026-01-31T12:00:00Z".
func timestamp() -> String { Date().formatted(.iso8601) }
