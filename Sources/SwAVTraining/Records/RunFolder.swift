import Foundation
import SwAVData
import SwAVEngine

/// The folder of one run and its files, by name.
struct RunFolder: Sendable {
  let path: String

  var configuration: String { path + "/config.yaml" }
  var metrics: String { path + "/metrics.jsonl" }
  var log: String { path + "/log.txt" }
  var environment: String { path + "/environment.json" }
  /// TensorBoard takes any file with "tfevents" in its name.
  var events: String { path + "/events.out.tfevents.swav" }
  var checkpoint: String { path + "/checkpoint" }
  var weights: String { path + "/weights.safetensors" }

  /// Whether the folder is there and holds anything.
  var isUsed: Bool { !folderContents(path).isEmpty }
  var hasCheckpoint: Bool { fileExists(checkpoint) }
  var isRun: Bool { hasCheckpoint || fileExists(configuration) }
}

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
