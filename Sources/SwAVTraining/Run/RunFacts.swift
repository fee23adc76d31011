import Foundation

/// What a run's folder tells of how its weights were made: for people who get the weights without the folder.
///
/// Names of files, of the machine and of its folders stay out.
public struct RunFacts: Sendable, Equatable {
  public struct Fact: Sendable, Equatable {
    public var name: String
    public var value: String
  }

  /// Images learned from.
  public var images: Int
  public var step: Int
  public var totalSteps: Int?
  public var epochs: Int
  /// Of training, in all processes.
  public var seconds: Double
  /// All that decided about the weights, by name.
  public var settings: [Fact]
  /// What was measured last: the loss, and accuracies where there was a validation set.
  public var figures: [Fact]
  /// What it was carried out on.
  public var machine: [Fact]

  /// Throws where the folder is not that of a run with a checkpoint.
  public init(ofRunAt path: String) throws(PretrainingError) {
    let files = RunFolder(path: path)
    let state = try files.checkpointState()
    images = state.data.count
    (step, totalSteps, epochs, seconds) = (state.step, state.totalSteps, state.position.epoch, state.seconds)
    settings = Setting.configurationSettings.filter { $0.scope == .training }.compactMap { setting in
      state.configuration[setting.name].map { Fact(name: setting.name, value: $0) }
    }
    figures = RunFacts.figures(in: files.metrics)
    machine = RunFacts.machine(in: files.environment)
  }

  /// Of the last step and the last evaluation.
  private static func figures(in path: String) -> [Fact] {
    let text = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    var (loss, accuracies) = ([Fact](), [Fact]())
    for line in text.split(separator: "\n").reversed() where loss.isEmpty || accuracies.isEmpty {
      guard let row = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { continue }
      func facts(_ names: [(String, String)]) -> [Fact] {
        names.compactMap { key, name in
          (row[key] as? Double).map { Fact(name: name, value: String(format: "%.4g", $0)) }
        }
      }
      switch row["type"] as? String {
      case "step" where loss.isEmpty: loss = facts([("loss", "loss"), ("ln_k", "loss of predictions that say nothing, ln K")])
      case "evaluation" where accuracies.isEmpty:
        accuracies = facts([
          ("knn20", "kNN accuracy (20 neighbours), percent"), ("best_knn20", "best kNN accuracy of the run, percent"),
          ("raw_knn20", "the same on thumbnails of raw pixels, percent"),
        ])
      default: break
      }
    }
    return loss + accuracies
  }

  private static func machine(in path: String) -> [Fact] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let data = FileManager.default.contents(atPath: path),
      let found = try? decoder.decode(RunEnvironment.self, from: data)
    else { return [] }
    return [
      Fact(name: "processor", value: "\(found.engine.cpu), \(found.processorCount) cores, \(found.engine.isa)"),
      Fact(name: "threads", value: "\(found.engine.threads)"),
      Fact(name: "memory", value: String(format: "%.1f GiB", found.memoryGib)),
      Fact(name: "system", value: found.system),
      Fact(name: "begun", value: found.startedAt),
      Fact(name: "version", value: found.version),
    ]
  }
}
