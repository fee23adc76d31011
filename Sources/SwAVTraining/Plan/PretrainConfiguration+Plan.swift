import SwAVEngine
public import SwAVInspection
import SwAVModel

extension PretrainConfiguration {
  /// Resolves every value: what is given counts, then what the preset says, the rest is planned for the data, the machine and the
  /// time, or left at its default.
  ///
  /// - Parameters:
  ///   - run: what a run that goes on was made with: the plan is made once, and what it chose then stays. What was given then has
  ///     to be given again.
  ///   - ranks: how many processes train together.
  ///   - measure: images a second of a configuration, really run; nil where it does not fit into the memory. Asked a few times,
  ///     and only where the time decides something. Without it rates are expectations from the operations and the machine.
  ///
  /// Throws where a value is not allowed, or where values do not fit together or the data.
  public static func planned(
    for facts: DataFacts, given: PretrainSettings = PretrainSettings(), goingOnWith run: PretrainSettings? = nil,
    on machine: MachineFacts = .here(), ranks: Int = 1,
    measuring measure: ((PretrainConfiguration) throws(PretrainingError) -> SpeedEstimate?)? = nil
  ) throws(PretrainingError) -> PretrainPlan {
    let preset = try given.preset()
    var layers = try PretrainSettings(preset: preset)
    layers.merge(given)
    layers = try layers.joiningCropLists()
    let automatic = layers.decidePrecision(on: machine, goingOnWith: run)
    try layers.requireImages(facts, ranks: ranks)
    var (configuration, reasons) = (PretrainConfiguration(), [String: Planner.Reason]())
    // A run that goes on is as fast as it is: nothing of it depends on that any more.
    let measure = run == nil ? measure : nil
    var speed: PlannedSpeed?
    if preset.name == Preset.auto {
      let budget = try layers.budget()
      let choice = try Planner(facts: facts, machine: machine, given: layers, budget: budget).choose(
        budget == nil ? nil : measure)
      (configuration, reasons, speed) = (choice.configuration, choice.reasons, choice.speed)
      reasons.merge(configuration.planContinuation(layers)) { $1 }
      try layers.apply(to: &configuration, only: ["sum-parts"])
      if let reason = configuration.fitBatch(to: ranks, layers) { reasons["batch"] = reason }
    }
    layers = try layers.over(run) { reasons[$0] != nil }
    try layers.apply(to: &configuration)
    configuration.complete(layers, &reasons)
    var found: PlannedSpeed
    if let speed { found = speed } else { found = try configuration.expectedSpeed(machine, measure) }
    if case .budget(let seconds, nil) = configuration.length {
      configuration.length = .budget(seconds, configuration.steps(in: seconds, at: found))
      reasons["steps"] = Planner.Reason(
        text: "what fits into the time; planned anew while the run goes on", evidence: found.text)
    }
    try configuration.validate(for: facts, given: layers, ranks: ranks)
    if let automatic {
      reasons["precision"] = automatic
      layers.keep { $0.name != "precision" }
    }
    var plan = PretrainPlan(configuration: configuration, speed: found)
    plan.decisions = configuration.decisions(given: layers, preset: preset, planned: reasons)
    plan.notes = layers.notes + configuration.remarks(on: facts, given: layers)
    if let budget = try layers.budget(), let remark = configuration.remark(on: budget, for: facts, at: found) {
      plan.notes.append(remark)
    }
    return plan
  }

  /// What follows from other values, for any preset.
  mutating func complete(_ given: PretrainSettings, _ reasons: inout [String: Planner.Reason]) {
    if !given.isGiven("hidden") {
      hidden = arch.defaultHidden
      reasons["hidden"] = Planner.Reason(text: "2048 from ResNet-50 on, 512 below")
    }
  }

  /// Each part takes as many images.
  private mutating func fitBatch(to ranks: Int, _ given: PretrainSettings) -> Planner.Reason? {
    let parts = parts(of: ranks)
    guard batch % parts != 0, !given.isGiven("batch") else { return nil }
    batch = (batch / parts + 1) * parts
    return Planner.Reason(text: "a multiple of the \(parts) \(parts == ranks ? "processes" : "parts")")
  }

  private func expectedSpeed(
    _ machine: MachineFacts, _ measure: ((PretrainConfiguration) throws(PretrainingError) -> SpeedEstimate?)?
  ) throws(PretrainingError) -> PlannedSpeed {
    let expected = expectedImagesPerSecond(on: machine)
    guard budget != nil, let measure, let found = try measure(self) else { return PlannedSpeed(imagesPerSecond: expected) }
    return PlannedSpeed(imagesPerSecond: found.imagesPerSecond, measured: found, ratio: found.imagesPerSecond / expected)
  }

  /// A decision for each setting, in the order of the table.
  private func decisions(given: PretrainSettings, preset: Preset, planned: [String: Planner.Reason]) -> [Decision] {
    Setting.configurationSettings.compactMap { setting in
      guard let value = setting.show(self) else { return nil }
      func decision(_ source: Decision.Source, _ reason: String, _ evidence: String = "") -> Decision {
        Decision(setting.name, value: value, source: source, reason: reason, evidence: evidence)
      }
      if given.isFromPreset(setting.name) { return decision(.preset, "preset \(preset.name), \(preset.summary)") }
      if given.isGiven(setting.name) { return decision(.given, "given as \(given.origin(of: setting.name))") }
      if let reason = planned[setting.name] { return decision(.planned, reason.text, reason.evidence) }
      return decision(.kept, setting.isPublished ? "as published" : "default")
    }
  }

  /// Epochs count, and a budget beside them is what they are planned for.
  private func remark(on budget: Double, for facts: DataFacts, at speed: PlannedSpeed) -> String? {
    guard let epochs else { return nil }
    let seconds = Double(epochs) * Double(facts.draws) / speed.imagesPerSecond
    guard seconds > budget else { return nil }
    return
      "epochs \(epochs) takes about \(Duration.text(min(1e12, seconds.rounded(.up)))), more than budget \(Duration.text(budget)); the "
      + "epochs count"
  }

  private func remarks(on facts: DataFacts, given: PretrainSettings) -> [String] {
    var remarks: [String] = []
    let looked = facts.headers - facts.broken
    // Not planned by itself: a network of three channels takes gray images too, and published weights have three.
    if facts.isGray, channels != 1, !given.isGiven("channels") {
      let loss = facts.deep > 0 ? ", and keep their 16 bits, which are reduced to 8 otherwise" : ""
      remarks.append("the images looked at are gray: channels 1 would do\(loss)")
    }
    if looked > 1, facts.duplicates > looked / 2 {
      remarks.append(
        "of \(looked) images looked at \(facts.duplicates) are copies of another: there is little to tell apart; check-data lists them"
      )
    }
    // A box of an aspect up to 4:3 with the smallest area of a large view does not fit then: it is always the one in the middle.
    if let least = crops.first?.minScale, facts.elongation.median > 4 / (3 * Double(least)) {
      remarks.append(
        "the images are \(plain((10 * facts.elongation.median).rounded() / 10)) times as long as wide: large views are always the "
          + "middle of them; cut them into pieces, or give a smaller min-scale and max-scale")
    }
    return remarks
  }
}

extension PretrainSettings {
  /// The preset that is named; the automatic one where none is.
  func preset() throws(PretrainingError) -> Preset {
    guard let name = text(of: "preset") else { return Preset.all[0] }
    guard let preset = Preset.named(name) else {
      throw .setting(
        origin: origin(of: "preset"), value: name, allowed: "one of \(Preset.all.map(\.name).joined(separator: ", ")) is needed"
      )
    }
    return preset
  }

  /// Seconds to plan for: those that are given; else the default, unless the length is given.
  fileprivate func budget() throws(PretrainingError) -> Double? {
    var configuration = PretrainConfiguration()
    try apply(to: &configuration, only: ["budget"])
    return configuration.budget ?? (isGiven("epochs") || isGiven("steps") ? nil : Planner.defaultBudget)
  }

  /// Puts what it stands for in the place of "auto", and says why; nil where that was not asked for. A run stays in the precision
  /// that it began in.
  fileprivate mutating func decidePrecision(
    on machine: MachineFacts, goingOnWith run: PretrainSettings?
  ) -> Planner.Reason? {
    guard text(of: "precision") == Setting.automatic else { return nil }
    let began = run.map { $0.text(of: "precision") ?? PretrainConfiguration().precision.rawValue }
    replace("precision", by: began ?? TrainingPrecision.automatic(machine.fastBFloat16).rawValue)
    return Planner.Reason(
      text: began.map { "the run began in \($0)" }
        ?? "auto: \(Runtime.remark(bfloat16: machine.bfloat16, isFast: machine.fastBFloat16))")
  }

  /// Before anything is measured: that there are images for the batch.
  fileprivate func requireImages(_ facts: DataFacts, ranks: Int) throws(PretrainingError) {
    var configuration = PretrainConfiguration()
    try apply(to: &configuration, only: ["sum-parts"])
    let parts = configuration.parts(of: ranks)
    configuration.batch = parts * ((max(2, min(configuration.batch, facts.draws)) + parts - 1) / parts)
    try apply(to: &configuration, only: ["batch"])
    try configuration.validateBatch(for: facts, given: self, ranks: ranks)
  }

  /// These over what a run that goes on was made with, as far as it was planned then; its length stays in any case, and its steps
  /// where a time is given, for which they are planned anew on the way.
  fileprivate func over(
    _ run: PretrainSettings?, where isPlanned: (String) -> Bool
  ) throws(PretrainingError) -> PretrainSettings {
    guard var run else { return self }
    run.keep { isPlanned($0.name) || ["hidden", "recalibrate", "budget", "steps", "epochs"].contains($0.name) }
    let steps = run.isGiven("budget") && isGiven("budget") && !isGiven("steps") ? run.text(of: "steps") : nil
    let origin = run.origin(of: "steps")
    run.merge(self)
    if let steps { try run.set("steps", to: steps, origin: origin) }
    return run
  }
}
