import SwAVModel

extension PretrainConfiguration {
  /// Resolves every value: what is given counts, then what the preset says, the rest is planned for the data or left at its default.
  ///
  /// `run` is what a run that goes on was made with: the plan is made once, and what it chose then stays. What was given then
  /// has to be given again.
  ///
  /// Throws where a value is not allowed, or where values do not fit together or the data.
  public static func planned(
    for data: DataSummary, given: PretrainSettings = PretrainSettings(), goingOnWith run: PretrainSettings? = nil
  ) throws(PretrainingError) -> PretrainPlan {
    let preset = try given.preset()
    var layers = try PretrainSettings(preset: preset)
    layers.merge(given)
    layers = try layers.joiningCropLists()
    var plan = PretrainPlan(configuration: PretrainConfiguration())
    var reasons: [String: String] = [:]
    if preset.name == Preset.auto {
      reasons = try plan.configuration.planAutomatically(data, layers)
      reasons.merge(plan.configuration.planContinuation(layers)) { $1 }
      if var run {
        run.keep { reasons[$0.name] != nil || $0.name == "hidden" }
        run.merge(layers)
        layers = run
      }
    }
    try layers.apply(to: &plan.configuration)
    if !layers.isGiven("hidden") {
      plan.configuration.hidden = plan.configuration.arch.defaultHidden
      reasons["hidden"] = "2048 from ResNet-50 on, 512 below"
    }
    try plan.configuration.validate(for: data, given: layers)
    plan.decisions = plan.configuration.decisions(given: layers, preset: preset, planned: reasons)
    plan.notes = layers.notes + plan.configuration.remarks(on: data, given: layers)
    return plan
  }

  /// A decision for each setting, in the order of the table.
  private func decisions(given: PretrainSettings, preset: Preset, planned: [String: String]) -> [Decision] {
    Setting.configurationSettings.compactMap { setting in
      guard let value = setting.show(self) else { return nil }
      let (source, reason): (Decision.Source, String) =
        if given.isFromPreset(setting.name) {
          (.preset, "preset \(preset.name), \(preset.summary)")
        } else if given.isGiven(setting.name) {
          (.given, "given as \(given.origin(of: setting.name))")
        } else if let reason = planned[setting.name] {
          (.planned, reason)
        } else {
          (
            .kept,
            setting.scope == .running || setting.objective == nil && setting.section == .data ? "default" : "as published"
          )
        }
      return Decision(setting.name, value: value, source: source, reason: reason)
    }
  }

  private func remarks(on data: DataSummary, given: PretrainSettings) -> [String] {
    // Not planned by itself: a network of three channels takes gray images too, and published weights have three.
    guard data.isGray, channels != 1, !given.isGiven("channels") else { return [] }
    let loss = data.isDeep ? ", and keep their 16 bits, which are reduced to 8 otherwise" : ""
    return ["the images looked at are gray: channels 1 would do\(loss)"]
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
}
