public import SwAVAugmentation
import SwAVEngine
public import SwAVModel

extension Benchmark {
  /// One convolution of one resolution: the medians over steps of its three products.
  public struct Layer: Codable, Sendable {
    public var times: LayerTimes
    /// Operations a second (1e9) by the direct method's count: two for each multiplication. Zero without the product.
    public var forwardGflops: Double
    public var backwardDataGflops: Double
    public var backwardWeightsGflops: Double

    init(_ times: LayerTimes) {
      func rate(_ seconds: Double) -> Double { seconds > 0 ? 2e-9 * Double(times.multiplications) / seconds : 0 }
      self.times = times
      forwardGflops = rate(times.forward)
      backwardDataGflops = rate(times.backwardData)
      backwardWeightsGflops = rate(times.backwardWeights)
    }
  }

  public struct Layers: Codable, Sendable {
    public var command = "layers"
    public var arch: String
    public var crops: String
    public var batch: Int
    public var threads: Int
    public var precision: TrainingPrecision
    public var isa: String
    /// Operations a second (1e9) that the cores can do at most, measured in the same run.
    public var peakGflops: Double
    public var layers: [Layer]
  }

  /// The convolutions of training steps on random pixels.
  public static func layers(
    arch: Architecture, crops: [CropGroup], batch: Int, steps: Int, precision: TrainingPrecision = .float32
  ) throws -> Layers {
    var runs: [[LayerTimes]] = []
    _ = try run(steps, arch: arch, crops: crops, batch: batch, prototypes: 100, optimizer: .sgd, precision: precision) {
      runs.append(try $2.layerTimes())
    }
    let peak = try Runtime.measurePeak()
    let layers = runs[0].indices.map { index in
      var layer = runs[0][index]
      layer.forward = median(runs.map { $0[index].forward })
      layer.backwardData = median(runs.map { $0[index].backwardData })
      layer.backwardWeights = median(runs.map { $0[index].backwardWeights })
      return Layer(layer)
    }
    let info = try Runtime.info()
    return Layers(
      arch: arch.rawValue, crops: CropGroup.describe(crops), batch: batch, threads: info.threads, precision: precision,
      isa: info.isa, peakGflops: peak, layers: layers)
  }
}
