import Foundation
import SwAVData
import SwAVInspection
import SwAVTestSupport
import Testing

@testable import SwAVTraining

/// A run small enough for a test: 12 pictures, 3 steps an epoch, a ResNet-18 of 8 channels, a queue of two batches.
struct TinyRun {
  let folder: TemporaryFolder
  var configuration: PretrainConfiguration

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", classes: 2, perClass: 6)
    var given = PretrainSettings()
    let values = [
      ("crops", "2x32+2x16"), ("base-width", "8"), ("hidden", "16"), ("dim", "8"), ("prototypes", "6"), ("batch", "4"),
      ("epochs", "3"), ("queue", "8"), ("queue-start-epoch", "1"), ("checkpoint-steps", "2"), ("freeze-epochs", "0.5"),
      ("seed", "5"),
    ]
    for (name, value) in values { try given.set(name, to: value) }
    configuration = try PretrainConfiguration.planned(
      for: DataFacts(images: 12, shortSide: 40), given: given
    ).configuration
  }

  func pretraining(_ output: String, validates: Bool = false, resume: Pretraining.Resume = .auto) throws -> Pretraining {
    let images = try ImageFolder(folder.path + "/images")
    return Pretraining(
      images: images, validation: validates ? images : nil, configuration: configuration, output: folder.path + "/" + output,
      resume: resume)
  }

  func file(_ output: String, _ name: String = "weights.safetensors") throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.path + "/\(output)/\(name)"))
  }

  func copy(_ output: String, to other: String) throws {
    try FileManager.default.copyItem(atPath: folder.path + "/" + output, toPath: folder.path + "/" + other)
  }

  /// The rows of metrics.jsonl.
  func rows(_ output: String) throws -> [[String: Any]] {
    try String(decoding: file(output, "metrics.jsonl"), as: UTF8.self).split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  func log(_ output: String) throws -> String { String(decoding: try file(output, "log.txt"), as: UTF8.self) }

  /// Files of the run that are not hidden.
  func names(_ output: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path + "/" + output).filter { !$0.hasPrefix(".") }.sorted()
  }

  /// Runs until `steps` steps are done in this process, then asks to stop.
  func interrupt(_ output: String, after steps: Int) throws -> PretrainingResult {
    let control = RunControl()
    var done = 0
    return try pretraining(output).run(control: control) { event in
      if case .step = event { done += 1 }
      if done == steps { control.cancel() }
    }
  }
}
