import CSwAV

/// What the engine allows, as `swav.h` states it: settings take their ranges from here, so that a value is refused where it is given.
public enum EngineLimits {
  public static let baseWidth = 1...Int(SWAV_MAX_BASE_WIDTH)
  public static let hidden = 0...Int(SWAV_MAX_HIDDEN)
  public static let dim = 1...Int(SWAV_MAX_DIM)
  /// Sets of prototypes, and prototypes of a set.
  public static let heads = 1...Int(SWAV_MAX_HEADS)
  public static let prototypes = 2...Int(SWAV_MAX_PROTOTYPES)
  public static let assignmentCrops = 1...Int(SWAV_MAX_GROUPS)
  /// Images a step; one alone has no other to be told from.
  public static let batch = 2...Int(SWAV_MAX_BATCH)
  public static let queue = 0...Int(SWAV_MAX_QUEUE)
  /// Of a batch; 0: one a process.
  public static let parts = 0...Int(SWAV_MAX_PARTS)
  public static let iterations = 1...Int(SWAV_MAX_ITERATIONS)
  /// Of temperature and epsilon.
  public static let temperature = SWAV_MIN_TEMPERATURE...SWAV_MAX_TEMPERATURE
}
