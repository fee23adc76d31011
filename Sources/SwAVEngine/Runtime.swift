import CSwAV

/// The engine that is linked: its version, its threads, the instruction set of its kernels.
public enum Runtime {
  /// `major * 10000 + minor * 100 + patch` of the engine.
  public static var version: Int { Int(swav_version()) }

  /// The version as people write it: "0.1.0".
  public static var versionText: String { "\(version / 10000).\(version / 100 % 100).\(version % 100)" }

  /// What the engine found out about this machine.
  public struct Info: Codable, Sendable, Equatable {
    /// Size of the team that computes.
    public var threads: Int
    /// Instruction set of the kernels in use: "avx512", "avx2" or "baseline".
    public var isa: String
    /// Model name of the processor as the operating system gives it.
    public var cpu: String
    /// Compiler of the engine and its version.
    public var build: String
    /// Extensions of the processor that matter here, separated by spaces.
    public var features: String
  }

  /// Reads the state of the engine. The environment variable `SWAV_MAX_ISA` caps the instruction set.
  public static func info() throws(EngineError) -> Info {
    var info = swav_runtime_info()
    try check(swav_runtime(&info))
    return Info(
      threads: Int(info.threads), isa: text(info.isa), cpu: text(info.cpu), build: text(info.build),
      features: text(info.features))
  }

  /// Float32 operations a second (1e9), at most, of the team with the kernels in use: measured now, in about a tenth of a
  /// second.
  public static func measurePeak() throws(EngineError) -> Double {
    var gflops = 0.0
    try check(swav_measure_peak(&gflops))
    return gflops
  }

  /// Sets the number of threads that compute; 0 means one for each core that this process may use. The result of no
  /// computation depends on it.
  public static func setThreads(_ threads: Int) throws(EngineError) {
    try check(swav_set_threads(Int32(clamping: threads)))
  }
}
