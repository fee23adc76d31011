/// Watches a run: figures of each step in, diagnoses out, each disease once.
struct HealthMonitor: Sendable {
  let configuration: PretrainConfiguration
  /// Those that are looked for, the weightiest first.
  private var rules: [HealthRule]
  private var figures: [HealthFigures] = []
  private let longest: Int

  init(_ configuration: PretrainConfiguration, rules: [HealthRule] = HealthRule.all) {
    (self.configuration, self.rules) = (configuration, rules)
    longest = rules.map(\.steps).max() ?? 0
  }

  /// Takes a step's figures; gives the diagnoses that they complete.
  mutating func observe(_ step: HealthFigures) -> [Diagnosis] {
    figures.append(step)
    if figures.count > 2 * longest { figures.removeFirst(figures.count - longest) }
    var found: [Diagnosis] = []
    var told: Set<String> = []
    for rule in rules where figures.count >= rule.steps && !told.contains(rule.name) {
      let window = HealthWindow(steps: figures.suffix(rule.steps), configuration: configuration)
      guard let (evidence, remedies) = rule.judge(window) else { continue }
      found.append(Diagnosis(rule.name, evidence: evidence, remedies: remedies, steps: rule.steps))
      told.formUnion(rule.covers.union([rule.name]))
    }
    rules.removeAll { told.contains($0.name) }
    return found
  }
}
