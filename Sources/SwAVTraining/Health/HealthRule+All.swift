import SwAVEngine

extension HealthRule {
  /// Every disease that is known, the weightiest first.
  static let all: [HealthRule] = [
    noUnitNorm, noRate, noGradient, largeSteps, onePoint, fewDimensions, uniformCodes, nothingToPredict, earlyQueue,
    fewPrototypes, deadPrototypes, alikePrototypes, highLoss,
  ]

  /// Nothing is learned where the steps have no length.
  static let noRate = HealthRule(name: "no learning rate", steps: 50, covers: ["no gradient"]) { window in
    guard window.all({ $0.rate <= 1e-9 }) else { return nil }
    return (
      "the rate has been \(scientific(window.latest.rate)) for \(window.count) steps, so nothing is learned",
      [Remedy("base-lr", number(PretrainConfiguration().baseLR)), Remedy("warmup-epochs", "0")]
    )
  }

  /// Float32 sums of anything that learns are orders of magnitude above this.
  static let noGradient = HealthRule(name: "no gradient", steps: 50) { window in
    guard window.all({ $0.gradientNorm <= 1e-9 }) else { return nil }
    return (
      "the gradient's norm has been at most \(scientific(window.steps.map(\.gradientNorm).max() ?? 0)) for \(window.count) steps, "
        + "so nothing is learned",
      [smallerEpsilon(window.configuration)]
    )
  }

  /// Mean cosine of the embeddings of different images from which on they are said to be one point.
  private static let onePointSimilarity = 0.99

  /// All embeddings at one point: there is nothing left in them that tells images apart.
  static let onePoint = HealthRule(
    name: "collapse to one point", steps: 100,
    covers: ["uniform codes", "few prototypes", "dead prototypes", "high loss", "few dimensions", "nothing to predict"]
  ) {
    window in
    guard window.all({ $0.similarity >= onePointSimilarity }) else { return nil }
    return (
      "for \(window.count) steps embeddings of different images have had a mean cosine of \(decimals(window.mean(\.similarity), 3)), "
        + "with \(window.latest.prototypesUsed) of \(window.configuration.prototypes.first ?? 0) prototypes in use: the network tells "
        + "no image from another. Are the images themselves different, and not all of one colour?",
      [smallerEpsilon(window.configuration), lowerRate(window.configuration)] + easierViews(window.configuration)
    )
  }

  /// All embeddings on a line or close to it: images are told apart by one number.
  static let fewDimensions = HealthRule(name: "few dimensions", steps: 100, covers: ["few prototypes"]) { window in
    guard window.allLooks({ $0.health.embeddingRank < 2 }), let look = window.looks.last else { return nil }
    return (
      "the embeddings have had an effective rank below 2 for \(window.count) steps, now \(decimals(look.health.embeddingRank, 2)) "
        + "of \(window.configuration.dim)",
      [lowerRate(window.configuration), smallerEpsilon(window.configuration)] + easierViews(window.configuration)
    )
  }

  /// Uniform codes carry no gradient, so such a run does not recover by itself. The loss is at least
  /// the entropy of the codes, so there is no need to look at it. Embeddings at one point have such codes too, and another cause.
  static let uniformCodes = HealthRule(
    name: "uniform codes", steps: 50, covers: ["few prototypes", "dead prototypes", "nothing to predict"]
  ) { window in
    guard window.all({ $0.codeEntropy >= 0.985 && $0.similarity < onePointSimilarity }) else { return nil }
    return (
      "for \(window.count) steps the codes have been uniform (entropy \(decimals(window.latest.codeEntropy, 3)) of ln K, score "
        + "spread \(decimals(window.latest.scoreSpread, 4)), loss \(decimals(window.latest.loss, 3)) and ln K = "
        + "\(decimals(window.lnK, 3))); uniform codes carry no gradient",
      collapseRemedies(window.configuration)
    )
  }

  /// Under a relative epsilon the codes keep their shape however little the scores spread, so their entropy says nothing there.
  /// What says it: codes that tell images apart, and predictions that do not, with a loss that stays at ln K. Views that share nothing look
  /// like this, and so do images that are all alike.
  static let nothingToPredict = HealthRule(name: "nothing to predict", steps: 120) { window in
    let (first, second) = window.halves
    let isAtStart = (0.985...1.015).contains(second.mean(\.loss) / window.lnK) && second.mean(\.predictionEntropy) >= 0.985
    let hasFallen = first.mean(\.loss) - second.mean(\.loss) > 0.01 * window.lnK
    guard window.isPastWarmup, isAtStart, !hasFallen, window.all({ $0.codeEntropy < 0.985 && $0.rate > 0 }) else { return nil }
    return (
      "for \(window.count) steps the loss has been ln K (mean \(decimals(second.mean(\.loss) / window.lnK, 3)) ln K): one view has "
        + "said nothing about the codes of another (entropy of the predictions \(decimals(window.latest.predictionEntropy, 3)) of "
        + "ln K, of the codes \(decimals(window.latest.codeEntropy, 3))). Do two views of an image share anything, and are the images "
        + "themselves different?",
      easierViews(window.configuration)
        + [lowerRate(window.configuration), smallerEpsilon(window.configuration)]
    )
  }

  /// The queue holds embeddings of networks of some steps ago; before anything is learned these have nothing to do with the
  /// present one, and batch and queue fall apart into different prototypes.
  static let earlyQueue = HealthRule(name: "queue too early", steps: 20) { window in
    guard window.all({ $0.queueUsed && $0.loss >= 0.97 * window.lnK }) else { return nil }
    let start = window.configuration.queueStartEpoch
    return (
      "the queue of \(window.configuration.queue) has been in use for \(window.count) steps while the loss is still "
        + "\(decimals(window.mean(\.loss) / window.lnK, 2)) ln K: it holds embeddings of a network that has learned nothing",
      [Remedy("queue-start-epoch", "\(start + max(1, start))", reason: "once the loss has left ln K"), Remedy("queue", "0")]
    )
  }

  /// A cosine is at most 1, and its deviation too: scores beyond that are none.
  static let noUnitNorm = HealthRule(
    name: "no unit norm", steps: 3, covers: ["high loss", "steps too large", "collapse to one point"]
  ) { window in
    guard window.all({ $0.scoreSpread > 1 || abs($0.similarity) > 1.001 }) else { return nil }
    return (
      "scores spread by \(decimals(window.latest.scoreSpread, 2)) and embeddings have a mean product of "
        + "\(decimals(window.latest.similarity, 2)): those of unit norm stay within 1. Prototypes or embeddings are not normalised",
      []
    )
  }

  /// Steps that are long against the weights forget what was learned before; healthy ones are a few thousandths of them. The weights
  /// grow by such steps, so that these are soon short against them: what counts is that two looks one after the other see them.
  static let largeSteps = HealthRule(
    name: "steps too large", steps: 20, covers: ["high loss", "few prototypes", "dead prototypes", "nothing to predict"]
  ) { window in
    guard window.allLooks({ $0.medianUpdate > 0.03 }), let look = window.looks.last else { return nil }
    let factor = max(3, look.medianUpdate / 0.003)
    return (
      "a step changes the weights of the median layer by \(decimals(100 * look.medianUpdate, 0)) % of their norm "
        + "(\(look.largestUpdateOf): \(decimals(100 * look.largestUpdate, 0)) %); some thousandths are healthy",
      [
        Remedy("base-lr", number(window.configuration.baseLR / factor)),
        Remedy("warmup-epochs", plain(window.configuration.warmupEpochs + 1)),
      ]
    )
  }

  /// Balanced codes name many prototypes; one or two of many are not balanced, or all alike.
  static let fewPrototypes = HealthRule(name: "few prototypes", steps: 100) { window in
    let configuration = window.configuration
    let possible = min(configuration.prototypes.first ?? 0, configuration.batch * configuration.assign.count)
    let few = max(1, possible / 20)
    guard possible >= 4, window.all({ $0.prototypesUsed <= few }) else { return nil }
    return (
      "for \(window.count) steps the codes of a batch have named \(window.steps.map(\.prototypesUsed).max() ?? 0) of \(possible) "
        + "prototypes at most",
      collapseRemedies(configuration)
    )
  }

  /// The share of the prototypes that gets no image over many steps.
  static let deadPrototypes = HealthRule(name: "dead prototypes", steps: 100) { window in
    guard window.allLooks({ $0.health.window >= 16 && 2 * $0.health.deadPrototypes > $0.health.prototypes }),
      let health = window.looks.last?.health
    else { return nil }
    return (
      "\(health.deadPrototypes) of \(health.prototypes) prototypes were the largest of no code in \(health.window) steps "
        + "(perplexity \(decimals(health.perplexity, 1)))",
      [Remedy("prototypes", "\(max(2, health.prototypes / 2))", reason: "those that images are there for")]
        + collapseRemedies(window.configuration)
    )
  }

  static let alikePrototypes = HealthRule(name: "prototypes alike", steps: 100) { window in
    guard window.allLooks({ 2 * $0.health.duplicatePrototypes > $0.health.prototypes }), let health = window.looks.last?.health
    else { return nil }
    return (
      "\(health.duplicatePrototypes) of \(health.prototypes) prototypes have had a cosine of 0.95 or more to another for "
        + "\(window.count) steps",
      [Remedy("prototypes", "\(max(2, health.prototypes / 2))")] + collapseRemedies(window.configuration)
    )
  }

  /// Predictions that are sure and wrong: the loss stays above that of an untrained network, ln K + 1 / (2 D temperature^2):
  /// of random unit vectors the mean of ln sum exp(cosine / temperature) is that much above ln K.
  static let highLoss = HealthRule(name: "high loss", steps: 100) { window in
    let configuration = window.configuration
    let untrained = window.lnK + 1 / (2 * Double(configuration.dim) * configuration.temperature * configuration.temperature)
    guard window.all({ $0.loss > 1.05 * untrained }) else { return nil }
    return (
      "for \(window.count) steps the loss has been \(decimals(window.mean(\.loss) / window.lnK, 2)) ln K on average, above that of an "
        + "untrained network (\(decimals(untrained / window.lnK, 2)) ln K)",
      [lowerRate(configuration), Remedy("warmup-epochs", plain(configuration.warmupEpochs + 1))]
    )
  }
}
