import SwAVEngine
import SwAVModel

/// What a plan needs to know of the machine.
public struct MachineFacts: Codable, Sendable, Equatable {
  /// That the process may use at a time.
  public var cores: Int
  /// "avx512", "avx2" or "baseline".
  public var isa: String
  /// How products of bfloat16 are computed: "amx", "avx512_bf16", or "widened": as products of float32.
  public var bfloat16: String
  /// Whether they are faster than products of float32.
  public var fastBFloat16: Bool

  public init(cores: Int, isa: String, bfloat16: String, fastBFloat16: Bool) {
    (self.cores, self.isa, self.bfloat16, self.fastBFloat16) = (cores, isa, bfloat16, fastBFloat16)
  }

  /// The one that this runs on; `threads` other than 0 counts as its cores.
  public static func here(threads: Int = 0) -> MachineFacts {
    let info = try? Runtime.info()
    return MachineFacts(
      cores: threads > 0 ? threads : availableCores(), isa: info?.isa ?? "baseline", bfloat16: info?.bfloat16 ?? "widened",
      fastBFloat16: info?.fastBFloat16 ?? false)
  }

  /// Operations a second (1e9) that training reaches with loading beside it, roughly: what is expected before anything is
  /// measured.
  func expectedGflops(_ precision: TrainingPrecision) -> Double {
    let core = isa == "avx512" ? 90.0 : isa == "avx2" ? 50 : 8
    return core * Double(cores) * (precision == .bfloat16 ? bfloat16Speed : 1)
  }

  /// Training in bfloat16 against float32: measured for widened numbers, for vectors and tiles as docs/kernels-diary.md predicts.
  private var bfloat16Speed: Double {
    switch bfloat16 {
    case "amx": 3
    case "avx512_bf16": 1.5
    default: 0.93
    }
  }
}

extension PretrainConfiguration {
  /// Multiplications and additions of one image in a step: forward and twice as many backward, of all views.
  public var operationsPerImage: Double {
    crops.reduce(0) { $0 + 6 * Double($1.count) * network.multiplications(side: $1.size) }
  }

  /// Images a second that are expected before anything is measured.
  func expectedImagesPerSecond(on machine: MachineFacts) -> Double {
    machine.expectedGflops(precision) * 1e9 / max(1, operationsPerImage)
  }
}
