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
    settings = Setting.configurationSettings.filter { $0.scope == .training && !$0.isPath }.compactMap { setting in
      state.configuration[setting.name].map { Fact(name: setting.name, value: $0) }
    }
    let history = try? RunHistory(at: path)
    figures = history.map(RunFacts.figures) ?? []
    machine = history?.environment.map(RunFacts.machine) ?? []
  }

  /// Of the last step and the last evaluation.
  private static func figures(of run: RunHistory) -> [Fact] {
    func facts(_ values: [(String, Double?)]) -> [Fact] {
      values.compactMap { name, value in value.map { Fact(name: name, value: String(format: "%.4g", $0)) } }
    }
    let step = run.steps.last
    return facts([
      ("loss", step?.loss), ("loss of predictions that say nothing, ln K", step?.lnK),
      ("kNN accuracy (20 neighbours), percent", run.evaluations.last?.knn20),
      ("best kNN accuracy of the run, percent", run.evaluations.map(\.knn20).max()),
    ])
  }

  private static func machine(of found: RunEnvironment) -> [Fact] {
    [
      Fact(name: "processor", value: "\(found.engine.cpu), \(found.processorCount) cores, \(found.engine.isa)"),
      Fact(name: "threads", value: "\(found.engine.threads)"),
      Fact(name: "memory", value: String(format: "%.1f GiB", found.memoryGib)),
      Fact(name: "system", value: found.system),
      Fact(name: "begun", value: found.startedAt),
      Fact(name: "version", value: found.version),
    ]
  }
}
