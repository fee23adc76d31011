import Foundation
import SwAVData
import SwAVEngine

/// What the run was carried out on; for people, and for whoever has to repeat it.
struct Environment: Codable {
  var version: String
  var engine: Runtime.Info
  var workers: Int
  var system: String
  var host: String
  var processorCount: Int
  var memoryGib: Double
  var startedAt: String
  var command: [String]
  var images: DataIdentity

  init(images: DataIdentity, workers: Int) throws(EngineError) {
    let process = ProcessInfo.processInfo
    version = Runtime.versionText
    engine = try Runtime.info()
    self.workers = workers
    system = process.operatingSystemVersionString
    host = process.hostName
    processorCount = process.activeProcessorCount
    memoryGib = Double(process.physicalMemory) / 1_073_741_824
    startedAt = timestamp()
    command = CommandLine.arguments
    self.images = images
  }

  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    // Encoding a structure of strings and finite numbers cannot fail.
    return ((try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}") + "\n"
  }
}

/// "2026-01-31T12:00:00Z".
func timestamp() -> String { Date().formatted(.iso8601) }
