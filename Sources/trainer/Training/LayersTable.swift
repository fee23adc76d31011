import Foundation
import SwAVBenchmark

/// The table of `trainer bench layers`, 100 columns wide.
enum LayersTable {
  static func text(_ result: Benchmark.Layers) -> String {
    let peak = result.peakGflops
    var lines = [
      "\(result.arch), \(result.crops), batch \(result.batch), \(result.threads) threads, \(result.isa), \(result.precision.rawValue). The cores do at most "
        + String(format: "%.0f GFLOP/s of float32.", peak),
      "GFLOP/s by the direct method's count, and as a share of that: winograd does a quarter of the multiplications.",
      "",
      row("layer", "map", "weights", "algorithm", ["forward", "backward-data", "-weights"], "ms"),
    ]
    for layer in result.layers {
      let t = layer.times
      let rates = [layer.forwardGflops, layer.backwardDataGflops, layer.backwardWeightsGflops].map { rate in
        rate == 0 ? "-" : String(format: "%.0f %3.0f %%", rate, 100 * rate / peak)
      }
      lines.append(
        row(
          t.name, "\(t.images)x\(t.height)x\(t.width)", "\(t.filters)x\(t.channels)x\(t.kernel)x\(t.kernel)/\(t.stride)",
          t.algorithm, rates, String(format: "%.1f", 1e3 * (t.forward + t.backwardData + t.backwardWeights))))
    }
    let total = result.layers.reduce(0) { $0 + $1.times.forward + $1.times.backwardData + $1.times.backwardWeights }
    let done = result.layers.reduce(0.0) { sum, layer in
      let products = layer.times.backwardData > 0 ? 3.0 : 2.0
      return sum + 2e-9 * products * Double(layer.times.multiplications)
    }
    lines.append("")
    lines.append(
      String(format: "all convolutions: %.3f s, %.0f GFLOP/s, %.0f %%", total, done / total, 100 * done / total / peak))
    return lines.joined(separator: "\n")
  }

  private static func row(
    _ name: String, _ map: String, _ weights: String, _ algorithm: String, _ rates: [String], _ milliseconds: String
  ) -> String {
    func left(_ text: String, _ width: Int) -> String {
      text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
    }
    func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
    return left(name, 22) + left(map, 12) + left(weights, 16) + left(algorithm, 10)
      + rates.map { right($0, 13) }.joined() + right(milliseconds, 8)
  }
}
