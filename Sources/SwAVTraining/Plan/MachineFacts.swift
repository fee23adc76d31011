import SwAVEngine

/// What a plan needs to know of the machine.
public struct MachineFacts: Codable, Sendable, Equatable {
  /// That the process may use at a time.
  public var cores: Int
  /// "avx512", "avx2" or "baseline".
  public var isa: String

  public init(cores: Int, isa: String) { (self.cores, self.isa) = (cores, isa) }

  /// The one that this runs on; `threads` other than 0 counts as its cores.
  public static func here(threads: Int = 0) -> MachineFacts {
    let info = try? Runtime.info()
    return MachineFacts(cores: threads > 0 ? threads : availableCores(), isa: info?.isa ?? "baseline")
  }

  /// Operations a second (1e9) that training reaches with loading beside it, roughly: what is expected before anything is
  /// measured.
  var expectedGflops: Double {
    let core = isa == "avx512" ? 90.0 : isa == "avx2" ? 50 : 8
    return core * Double(cores)
  }
}

extension PretrainConfiguration {
  /// Multiplications and additions of one image in a step: forward and twice as many backward, of all views.
  public var operationsPerImage: Double {
    crops.reduce(0) { $0 + 6 * Double($1.count) * network.multiplications(side: $1.size) }
  }

  /// Images a second that are expected before anything is measured.
  func expectedImagesPerSecond(on machine: MachineFacts) -> Double {
    machine.expectedGflops * 1e9 / max(1, operationsPerImage)
  }
}
