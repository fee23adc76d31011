import SwAVEngine
public import SwAVModel

/// What one step says about the health of a run.
struct HealthFigures: Sendable, Equatable {
  var loss: Double
  /// Mean over codes in units of ln K: 1 is uniform.
  var codeEntropy: Double
  /// The same of the predictions: 1 says nothing.
  var predictionEntropy: Double
  var scoreSpread: Double
  /// Mean cosine of embeddings of different images.
  var similarity: Double
  /// Distinct arg-max prototypes among the codes of the batch, first set.
  var prototypesUsed: Int
  var queueUsed: Bool
  var gradientNorm: Double
  var rate: Double
  /// What is too dear for every step; nil between.
  var look: HealthLook?
}

/// Figures of every so many steps.
public struct HealthLook: Codable, Sendable, Equatable {
  /// Steps done.
  public var step: Int
  public var codeEntropy: Double
  public var predictionEntropy: Double
  public var sinkhornError: Double
  public var queueAge: Int
  public var health: TrainingHealth
  /// What the step added to the weights against the weights: the median over the layers, and the layer where it is largest.
  public var medianUpdate: Double
  public var largestUpdate: Double
  public var largestUpdateOf: String
  /// Of the layers whose parameters learn: the smallest norm of a gradient.
  public var smallestGradient: Double
  public var smallestGradientOf: String
}

extension HealthFigures {
  init(_ report: StepReport, rate: Double, look: HealthLook? = nil) {
    self.init(
      loss: report.loss, codeEntropy: report.codeEntropy, predictionEntropy: report.predictionEntropy,
      scoreSpread: report.scoreSpread, similarity: report.similarity, prototypesUsed: report.prototypesUsed,
      queueUsed: report.queueUsed, gradientNorm: report.gradientNorm, rate: rate, look: look)
  }
}

extension HealthLook {
  /// After step number `step`.
  init(_ trainer: borrowing Trainer, _ report: StepReport, step: Int) throws {
    // Weights alone: scales and shifts of batch-norm begin at 1 and 0.
    let weights = trainer.tensorHealth().filter { $0.name.hasSuffix("weight") && $0.updateNorm > 0 }
    let updates = weights.map { (name: $0.name, ratio: $0.updateNorm / max($0.valueNorm, 1e-12)) }
    let largest = updates.max { $0.ratio < $1.ratio }
    let smallest = weights.min { $0.gradientNorm < $1.gradientNorm }
    self.init(
      step: step, codeEntropy: report.codeEntropy, predictionEntropy: report.predictionEntropy,
      sinkhornError: report.sinkhornError, queueAge: report.queueAge, health: try trainer.health(),
      medianUpdate: median(updates.map(\.ratio)), largestUpdate: largest?.ratio ?? 0, largestUpdateOf: largest?.name ?? "",
      smallestGradient: smallest?.gradientNorm ?? 0, smallestGradientOf: smallest?.name ?? "")
  }

  /// Steps from one to the next.
  static let interval = 10
}

/// The figures of the last steps, the latest last. Never empty.
struct HealthWindow {
  let steps: ArraySlice<HealthFigures>
  let configuration: PretrainConfiguration

  var count: Int { steps.count }
  var latest: HealthFigures { steps[steps.endIndex - 1] }
  var lnK: Double { configuration.lnK }
  /// Whether the rate has not been on its way up.
  var isPastWarmup: Bool { steps[steps.startIndex].rate >= latest.rate }
  var halves: (first: HealthWindow, second: HealthWindow) {
    let middle = steps.startIndex + count / 2
    return (
      HealthWindow(steps: steps[..<middle], configuration: configuration),
      HealthWindow(steps: steps[middle...], configuration: configuration)
    )
  }
  var looks: [HealthLook] { steps.compactMap(\.look) }

  func all(_ holds: (HealthFigures) -> Bool) -> Bool { steps.allSatisfy(holds) }
  /// Of at least two looks.
  func allLooks(_ holds: (HealthLook) -> Bool) -> Bool { looks.count >= 2 && looks.allSatisfy(holds) }
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
