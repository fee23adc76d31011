import CSwAV

/// The engine that is linked: its version, its threads, the instruction set of its kernels.
public enum Runtime {
  /// `major * 10000 + minor * 100 + patch`.
  public static var version: Int { Int(swav_version()) }
}
