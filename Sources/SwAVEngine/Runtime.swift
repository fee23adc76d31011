import CSwAV

/// The engine that is linked: its version, its threads, the instruction set of its kernels.
public enum Runtime {
  /// `major * 10000 + minor * 100 + patch` of the engine.
  public static var version: Int { Int(swav_version()) }

  /// The version as people write it: "0.1.0".
  public static var versionText: String { "\(version / 10000).\(version / 100 % 100).\(version % 100)" }

  /// What the engine found out about this machine.
  public struct Info: Codable, Sendable, Equatable {
    /// Size of the team that computes for the calling thread.
    public var threads: Int
    /// What decided about ``threads``: "the cores of this machine", "OMP_NUM_THREADS", "set by the program", ...
    public var threadsFrom: String
    /// That the process can use at a time: by affinity and the CPU quota of its container.
    public var cores: Int
    /// Instruction set of the kernels in use: "avx512", "avx2" or "baseline".
    public var isa: String
    /// Model name of the processor as the operating system gives it.
    public var cpu: String
    /// Compiler of the engine and its version.
    public var build: String
    /// Extensions of the processor that matter here, separated by spaces.
    public var features: String
    /// Those of them that the environment variable `SWAV_MAX_ISA` leaves.
    public var used: String
    /// How products of bfloat16 are computed: "amx", "avx512_bf16", or "widened": as products of float32.
    public var bfloat16: String
    /// Whether they are faster than products of float32.
    public var fastBFloat16: Bool

    /// Both for people, and why an automatic precision is what it is: "products of bfloat16 are faster than float32 here, in tiles
    /// (AMX)".
    public var bfloat16Remark: String { Runtime.remark(bfloat16: bfloat16, isFast: fastBFloat16) }
  }

  /// ``Info/bfloat16Remark`` of any machine.
  package static func remark(bfloat16 body: String, isFast: Bool) -> String {
    let how = ["amx": "in tiles (AMX)", "avx512_bf16": "in vectors (AVX512-BF16)"][body] ?? "as products of float32"
    return "products of bfloat16 are \(isFast ? "faster" : "no faster") than float32 here, \(how)"
  }

  /// Reads the state of the engine. The environment variable `SWAV_MAX_ISA` caps the extensions in use: amx, avx512_bf16, avx512,
  /// avx2, baseline.
  public static func info() throws(EngineError) -> Info {
    var info = swav_runtime_info()
    try check(swav_runtime(&info))
    return Info(
      threads: Int(info.threads), threadsFrom: text(info.threads_from), cores: Int(info.cores), isa: text(info.isa),
      cpu: text(info.cpu), build: text(info.build),
      features: text(info.features), used: text(info.used), bfloat16: text(info.bfloat16),
      fastBFloat16: info.fast_bfloat16)
  }

  /// Bytes of memory that this process may still take: by the machine, its container and the limits on address space, less a
  /// sixteenth; what plans have reserved counts as taken. `Int.max`: nothing limits.
  public static func memoryRoom() throws(EngineError) -> Int {
    var bytes: Int64 = 0
    try check(swav_memory_room(&bytes))
    return Int(bytes)
  }

  /// Float32 operations a second (1e9), at most, of the team with the kernels in use: measured now, in about a tenth of a
  /// second.
  public static func measurePeak() throws(EngineError) -> Double {
    var gflops = 0.0
    try check(swav_measure_peak(&gflops))
    return gflops
  }

  /// Sets the number of threads that compute for this process. 0, the default, means `OMP_NUM_THREADS` where it is set, else as
  /// many as the process can run at a time: its cores, or the CPU quota of its container. The result of no computation depends
  /// on it.
  public static func setThreads(_ threads: Int) throws(EngineError) {
    try check(swav_set_threads(Int32(clamping: threads)))
  }

  /// Calls `body`, which computes with a number of threads of its own, whatever the process has; 0: as the process. Other
  /// threads of the program are not touched, and neither is what `body` starts on them.
  public static func withThreads<R>(_ threads: Int, _ body: () throws -> R) throws -> R {
    var previous: Int32 = 0
    try check(swav_set_caller_threads(Int32(clamping: threads), &previous))
    defer { swav_set_caller_threads(previous, nil) }
    return try body()
  }
}
