import SwAVModel

/// What one step says about the health of a run.
struct HealthFigures: Sendable, Equatable {
  var loss: Double
  /// Mean over codes in units of ln K: 1 is uniform.
  var codeEntropy: Double
  var scoreSpread: Double
  /// Mean cosine of embeddings of different images.
  var similarity: Double
  /// Distinct arg-max prototypes among the codes of the batch, first set.
  var prototypesUsed: Int
  var gradientNorm: Double
  var rate: Double
}

extension HealthFigures {
  init(_ report: StepReport, rate: Double) {
    self.init(
      loss: report.loss, codeEntropy: report.codeEntropy, scoreSpread: report.scoreSpread, similarity: report.similarity,
      prototypesUsed: report.prototypesUsed, gradientNorm: report.gradientNorm, rate: rate)
  }
}

/// The figures of the last steps, the latest last. Never empty.
struct HealthWindow {
  let steps: ArraySlice<HealthFigures>
  let configuration: PretrainConfiguration

  var count: Int { steps.count }
  var latest: HealthFigures { steps[steps.endIndex - 1] }
  var lnK: Double { configuration.lnK }

  func all(_ holds: (HealthFigures) -> Bool) -> Bool { steps.allSatisfy(holds) }
  func mean(_ figure: (HealthFigures) -> Double) -> Double { steps.reduce(0) { $0 + figure($1) } / Double(count) }
}

/// What is known of one disease: how it looks in the figures of some steps, and what helps.
struct HealthRule: Sendable {
  /// The name of the diagnosis.
  var name: String
  /// Steps that the figures are needed of.
  var steps: Int
  /// Diseases that show as this one too and are not told beside it.
  var covers: Set<String> = []
  /// Evidence and remedies where the window shows the disease. Pure.
  var judge: @Sendable (HealthWindow) -> (evidence: String, remedies: [Remedy])?
}
