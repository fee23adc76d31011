import CSwAV
public import SwAVEngine

/// What tells a healthy run from a sick one and is too dear for every step; of the last one unless said otherwise. Prototypes are
/// those of the first set.
public struct TrainingHealth: Codable, Sendable, Equatable {
  /// K.
  public var prototypes: Int
  /// Steps that usage was counted over so far: as many as give each prototype 8 codes where all are used alike, at least 16.
  public var window: Int
  /// Of the mean code over the window: 1, one prototype takes all, to K.
  public var perplexity: Double
  /// Largest entry of no code of the window.
  public var deadPrototypes: Int
  /// With a cosine of 0.95 or more to one before them.
  public var duplicatePrototypes: Int
  /// RankMe (Garrido et al., 2023) of the embeddings of all crops: 1 to min(rows, D).
  public var embeddingRank: Double
  /// Standard deviation of a coordinate of the embeddings times the root of D, mean and least: 1 is spread alike in all
  /// directions, 0 collapse.
  public var embeddingDeviation: Double
  public var leastDeviation: Double

  package init(
    prototypes: Int, window: Int, perplexity: Double, deadPrototypes: Int, duplicatePrototypes: Int, embeddingRank: Double,
    embeddingDeviation: Double, leastDeviation: Double
  ) {
    (self.prototypes, self.window, self.perplexity) = (prototypes, window, perplexity)
    (self.deadPrototypes, self.duplicatePrototypes) = (deadPrototypes, duplicatePrototypes)
    (self.embeddingRank, self.embeddingDeviation, self.leastDeviation) = (embeddingRank, embeddingDeviation, leastDeviation)
  }
}

/// One parameter in the last step.
public struct TensorHealth: Codable, Sendable, Equatable {
  public var name: String
  /// Its norm now, that of its gradient, and that of what the step added to it; 0 where it was frozen.
  public var valueNorm: Double
  public var gradientNorm: Double
  public var updateNorm: Double
}

extension Trainer {
  /// Some milliseconds. Throws `.argument` before the first step.
  public func health() throws(EngineError) -> TrainingHealth {
    var health = swav_health()
    try check(swav_trainer_health(handle, &health))
    return TrainingHealth(
      prototypes: Int(health.prototypes), window: Int(health.window), perplexity: health.perplexity,
      deadPrototypes: Int(health.dead_prototypes), duplicatePrototypes: Int(health.duplicate_prototypes),
      embeddingRank: health.embedding_rank, embeddingDeviation: health.embedding_deviation,
      leastDeviation: health.least_deviation)
  }

  /// All parameters, in the order of the tensors.
  public func tensorHealth() -> [TensorHealth] {
    var (list, tensor) = ([TensorHealth](), swav_tensor_health())
    while swav_trainer_tensor_health(handle, Int32(list.count), &tensor) == SWAV_OK {
      list.append(
        TensorHealth(
          name: String(cString: tensor.name), valueNorm: tensor.value_norm, gradientNorm: tensor.gradient_norm,
          updateNorm: tensor.update_norm))
    }
    return list
  }
}
