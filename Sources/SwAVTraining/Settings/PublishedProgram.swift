/// Flags of the published programs that have nothing to set here. They are taken, so that a published command line runs, and it is
/// said once that they have no effect.
public enum PublishedProgram {
  public struct Flag: Sendable, Equatable {
    public var name: String
    /// Why it has no meaning here.
    public var reason: String
    /// Whether it takes several words.
    public var isList = false
  }

  /// Of the pretraining programs; each takes a value.
  public static let pretraining: [Flag] =
    launching
    + ["sync_bn", "syncbn_process_group_size"].map { Flag(name: $0, reason: "sync-batch-norm says it") } + [
      Flag(name: "use_fp16", reason: "precision bfloat16 is the one of 16 bits")
    ]

  private static let launching: [Flag] =
    ["dist_url", "world_size", "rank", "local_rank"].map { Flag(name: $0, reason: "mpirun or srun says it") }

  /// Of the program that trains a linear layer on frozen features.
  public static let linear: [Flag] =
    launching
    + ["epochs", "batch_size", "lr", "wd", "nesterov", "scheduler_type", "gamma", "final_lr"]
    .map { Flag(name: $0, reason: "the regression is solved by L-BFGS") } + [
      Flag(name: "decay_epochs", reason: "the regression is solved by L-BFGS", isList: true),
      Flag(name: "global_pooling", reason: "features are pooled"),
      Flag(name: "use_bn", reason: "features are standardised"),
      Flag(name: "dump_path", reason: "the result is printed"),
    ]

  /// Of the programs that train a linear layer, or all layers on few labels, where they mean nothing here.
  public static let evaluation: [Flag] =
    launching + [
      Flag(name: "nesterov", reason: "momentum is plain"), Flag(name: "final_lr", reason: "the cosine ends at 0"),
      Flag(name: "scheduler_type", reason: "decay-epochs makes steps"),
      Flag(name: "global_pooling", reason: "grid gives the features without it"),
      Flag(name: "use_bn", reason: "features are taken as they are"), Flag(name: "dump_path", reason: "the result is printed"),
    ]

  /// One that somebody gave.
  public struct Given: Sendable, Equatable {
    public var origin: String
    public var value: String
    public var reason: String

    public init(origin: String, value: String, reason: String) {
      (self.origin, self.value, self.reason) = (origin, value, reason)
    }
  }

  /// One line about those that were given: "--nesterov true (momentum is plain), ...". nil where none was.
  public static func remark(on given: [Given]) -> String? {
    guard !given.isEmpty else { return nil }
    var reasons: [String] = []
    for item in given where !reasons.contains(item.reason) { reasons.append(item.reason) }
    let groups = reasons.map { reason in
      given.filter { $0.reason == reason }.map { "\($0.origin) \($0.value)" }.joined(separator: ", ") + " (\(reason))"
    }
    return "no effect here: " + groups.joined(separator: ", ")
  }
}
