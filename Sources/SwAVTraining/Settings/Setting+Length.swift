// How long a run is, and what of its rate is decided on the way. Each with a type of its own: the compiler takes its time for long
// lists of them.
extension Setting {
  static let lengthSettings: [Setting] = [budget, steps, epochs].about(.optimizer)

  static let rateSettings: [Setting] = [rateChanges].about(.optimizer)

  private static let budget: Setting = Setting("budget", allowed: Duration.allowed, show: { $0.budget.map(Duration.text) }) {
    configuration, text in
    guard let seconds = Duration.seconds(text) else { return false }
    // What was expected for the same time still is.
    if configuration.budget != seconds { configuration.length = .budget(seconds, nil) }
    return true
  }.says("Time from the start to the weights, as 30m or 8h.", value: "time").common().mistaken(for: "time", "minutes", "hours")
    .with { setting in
      setting.displaces = ["epochs", "steps"]
      setting.standsBeside = true
      setting.scope = .running
    }

  /// After the budget: together they are a run by the clock that expects so many steps.
  private static let steps: Setting = Setting(
    "steps", allowed: "a whole number from 1 on, or a list FROM:STEPS as a run by the clock writes it",
    show: { configuration in
      switch configuration.length {
      case .steps(let steps), .budget(_, .some(let steps)): return steps.description
      default: return nil
      }
    }
  ) { configuration, text in
    guard let steps = StepPlan(text) else { return false }
    if let budget = configuration.budget {
      configuration.length = .budget(budget, steps)
    } else {
      configuration.length = .steps(steps)
    }
    return true
  }.says("Steps of the run.").mistaken(for: "max-steps", "iterations").with { setting in
    setting.displaces = ["epochs", "budget"]
    setting.standsBeside = true
  }

  /// Last of the three: epochs that are given are made, and a budget beside them is what is planned for.
  private static let epochs: Setting = Setting(
    "epochs", allowed: "a whole number from 1 to 1000000", show: { $0.epochs.map { "\($0)" } }
  ) { configuration, text in
    guard let epochs = Int(text), (1...1_000_000).contains(epochs) else { return false }
    configuration.length = .epochs(epochs)
    return true
  }.says("Passes over the images.").common().mistaken(for: "num-epochs").with { setting in
    setting.displaces = ["budget", "steps"]
    setting.standsBeside = true
  }

  private static let rateChanges: Setting = Setting(
    "rate-changes", allowed: "STEP:FACTOR, separated by commas: from that step on the rate times the factor",
    show: { configuration in
      configuration.rateChanges.isEmpty ? nil : configuration.rateChanges.map(\.description).joined(separator: ",")
    }
  ) { configuration, text in
    let changes: [RateChange]? = split(text)
    guard let changes else { return false }
    configuration.rateChanges = changes
    return true
  }.says("From a step on, the rate times a factor, as 1200:0.5.", value: "change").with { $0.isList = true }
}
