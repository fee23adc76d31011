public import SwAVTraining

extension PretrainConfiguration {
  /// The demo's settings: the preset of that name. At twice its rate some seeds stay at ln K for half of the run.
  public static func demo(seed: UInt64) -> PretrainConfiguration {
    var configuration = PretrainConfiguration(preset: "demo")
    configuration.seed = seed
    return configuration
  }
}
