/// The folder of one run and its files, by name.
struct RunFolder: Sendable {
  let path: String

  /// - Parameter path: slashes at its end do not show in the names of its files.
  init(path: String) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  var configuration: String { path + "/config.yaml" }
  var metrics: String { path + "/metrics.jsonl" }
  var log: String { path + "/log.txt" }
  var environment: String { path + "/environment.json" }
  /// TensorBoard takes any file with "tfevents" in its name.
  var events: String { path + "/events.out.tfevents.swav" }
  var checkpoint: String { path + "/checkpoint" }
  var weights: String { path + "/weights.safetensors" }
  /// Of the epoch with the best kNN accuracy.
  var bestWeights: String { path + "/weights-best.safetensors" }
  /// The linear layer that learns beside the training.
  var probe: String { path + "/probe" }
  /// A step that failed as a value was not finite.
  var failedStep: String { path + "/failed-step" }
  var lock: String { path + "/.lock" }

  /// The weights after so many epochs, where they are kept.
  func weights(afterEpoch epoch: Int) -> String {
    let number = String(epoch)
    return path + "/weights-epoch-" + String(repeating: "0", count: max(0, 4 - number.count)) + number + ".safetensors"
  }

  /// Whether the folder holds anything of somebody's. Hidden files, empty ones, and those that the output of this process goes to,
  /// as a log that the shell made, are nobody's.
  var isUsed: Bool {
    folderContents(path).contains { name in
      guard !name.hasPrefix("."), let status = FileStatus(path + "/" + name) else { return !name.hasPrefix(".") }
      return !status.isEmptyFile && !status.isOutputOfThisProcess
    }
  }

  var hasCheckpoint: Bool { fileExists(checkpoint) }
  var isRun: Bool { hasCheckpoint || fileExists(configuration) }
}
