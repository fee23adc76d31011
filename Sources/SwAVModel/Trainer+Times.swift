import CSwAV
public import SwAVEngine

/// Where the last step spent its time, in seconds.
public struct StepTimes: Codable, Sendable, Equatable {
  public var step: Double
  /// Crops to the layout of the first convolution.
  public var data: Double
  /// Convolutions, with the batch-norm sums that run in them.
  public var convolutionForward: Double
  /// Towards the data.
  public var convolutionBackward: Double
  /// Towards the weights.
  public var convolutionGradients: Double
  /// What runs outside of convolutions: residual sums, pooling.
  public var normalization: Double
  /// Projection head and prototypes.
  public var head: Double
  /// Codes and loss.
  public var objective: Double
  public var update: Double
  /// The rest of the step.
  public var other: Double {
    step - data - convolutionForward - convolutionBackward - convolutionGradients - normalization - head - objective - update
  }
}

/// One convolution of one resolution, and its seconds in the last step.
public struct LayerTimes: Codable, Sendable, Equatable {
  /// As in the state dict, without ".weight".
  public var name: String
  /// "direct" or "winograd".
  public var algorithm: String
  public var images: Int
  public var height: Int
  public var width: Int
  public var channels: Int
  public var filters: Int
  public var kernel: Int
  public var stride: Int
  /// Of one product by the direct method; a layer has three products.
  public var multiplications: Int
  public var forward: Double
  /// Zero for the first convolution, which has none.
  public var backwardData: Double
  public var backwardWeights: Double
}

extension Trainer {
  public func stepTimes() throws(EngineError) -> StepTimes {
    var times = swav_step_times()
    try check(swav_trainer_step_times(handle, &times))
    return StepTimes(
      step: times.step, data: times.data, convolutionForward: times.convolution_forward,
      convolutionBackward: times.convolution_backward, convolutionGradients: times.convolution_gradients,
      normalization: times.normalization, head: times.head, objective: times.objective, update: times.update)
  }

  /// All convolutions of the first resolution, then of the next.
  public func layerTimes() throws(EngineError) -> [LayerTimes] {
    var (layers, times) = ([LayerTimes](), swav_layer_times())
    while swav_trainer_layer_times(handle, Int32(layers.count), &times) == SWAV_OK {
      layers.append(
        LayerTimes(
          name: String(cString: times.name), algorithm: String(cString: times.algorithm), images: Int(times.images),
          height: Int(times.height), width: Int(times.width), channels: Int(times.channels), filters: Int(times.filters),
          kernel: Int(times.kernel), stride: Int(times.stride), multiplications: Int(times.multiplications),
          forward: times.forward, backwardData: times.backward_data, backwardWeights: times.backward_weights))
    }
    return layers
  }
}
