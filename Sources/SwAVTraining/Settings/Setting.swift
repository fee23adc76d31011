import SwAVAugmentation
import SwAVData
import SwAVModel

/// One value of a ``PretrainConfiguration`` as text: its name as a flag and as a key of a file, and how to read and show it.
///
/// The table ``all`` is the only place that knows the names; flags, files, the comparison at a resume and the printed
/// configuration come from it.
public struct Setting: Sendable {
  /// What a setting changes.
  public enum Scope: Sendable {
    /// The weights: it has to stay the same when a run goes on.
    case training
    /// How the run is carried out.
    case running
  }

  /// "base-lr": `--base-lr` as a flag, `base-lr` in a file.
  public let name: String
  /// Spellings of the published program, with underscores.
  public let aliases: [String]
  public let scope: Scope
  /// What a value looks like, for messages: "a number above 0".
  public let allowed: String
  /// The value as text; nil where it is not set.
  public let show: @Sendable (PretrainConfiguration) -> String?
  /// Reads the text; false when it is not allowed.
  let read: @Sendable (inout PretrainConfiguration, String) -> Bool
}

extension Setting {
  private typealias Path<V> = WritableKeyPath<PretrainConfiguration, V> & Sendable

  private static func integer(
    _ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>, _ aliases: String..., scope: Scope = .training
  ) -> Setting {
    Setting(
      name: name, aliases: aliases, scope: scope,
      allowed: range.upperBound == .max
        ? "a whole number from \(range.lowerBound) on" : "a whole number from \(range.lowerBound) to \(range.upperBound)",
      show: { "\($0[keyPath: path])" },
      read: { configuration, text in
        guard let value = Int(text), range.contains(value) else { return false }
        configuration[keyPath: path] = value
        return true
      })
  }

  private static func number(
    _ name: String, _ path: Path<Double>, _ allowed: String, _ aliases: String..., scope: Scope = .training,
    where isAllowed: @escaping @Sendable (Double) -> Bool
  ) -> Setting {
    Setting(
      name: name, aliases: aliases, scope: scope, allowed: allowed, show: { "\($0[keyPath: path])" },
      read: { configuration, text in
        guard let value = Double(text), value.isFinite, isAllowed(value) else { return false }
        configuration[keyPath: path] = value
        return true
      })
  }

  private static func choice<V: RawRepresentable & CaseIterable & Sendable>(
    _ name: String, _ path: Path<V>, _ aliases: String...
  ) -> Setting where V.RawValue == String {
    Setting(
      name: name, aliases: aliases, scope: .training,
      allowed: "one of " + V.allCases.map(\.rawValue).joined(separator: ", "), show: { $0[keyPath: path].rawValue },
      read: { configuration, text in
        guard let value = V(rawValue: text) else { return false }
        configuration[keyPath: path] = value
        return true
      })
  }

  private static func list<V: LosslessStringConvertible & Sendable>(
    _ name: String, _ path: Path<[V]>, _ allowed: String, _ aliases: String...,
    where isAllowed: @escaping @Sendable ([V]) -> Bool
  ) -> Setting {
    Setting(
      name: name, aliases: aliases, scope: .training, allowed: allowed,
      show: { $0[keyPath: path].map(\.description).joined(separator: ",") },
      read: { configuration, text in
        guard let values: [V] = split(text), isAllowed(values) else { return false }
        configuration[keyPath: path] = values
        return true
      })
  }

  /// Area fractions of the groups of crops, one end of them.
  private static func scale(_ name: String, _ path: WritableKeyPath<CropGroup, Double> & Sendable, _ alias: String) -> Setting {
    Setting(
      name: name, aliases: [alias], scope: .training, allowed: "one number above 0 and at most 1 for each group of crops",
      show: { $0.crops.map { "\($0[keyPath: path])" }.joined(separator: ",") },
      read: { configuration, text in
        guard let values: [Double] = split(text), values.count == configuration.crops.count,
          values.allSatisfy({ $0 > 0 && $0 <= 1 })
        else { return false }
        for (index, value) in values.enumerated() { configuration.crops[index][keyPath: path] = value }
        return true
      })
  }

  /// Values separated by commas or spaces.
  private static func split<V: LosslessStringConvertible>(_ text: String) -> [V]? {
    let parts = text.split { $0 == "," || $0 == " " }
    let values = parts.compactMap { V(String($0)) }
    return values.isEmpty || values.count != parts.count ? nil : values
  }
}

extension Setting {
  /// In the order in which they are applied and printed.
  public static let all: [Setting] = networkSettings + viewSettings + objectiveSettings + optimizerSettings + runSettings

  private static let networkSettings: [Setting] = [
    choice("arch", \.arch),
    choice("stem", \.stem),
    integer("base-width", \.baseWidth, 4...512),
    integer("hidden", \.hidden, 0...65536, "hidden_mlp"),
    integer("dim", \.dim, 1...65536, "feat_dim"),
    list("prototypes", \.prototypes, "1 to 8 whole numbers from 2 on, separated by commas", "nmb_prototypes") {
      (1...8).contains($0.count) && $0.allSatisfy { (2...1_000_000).contains($0) }
    },
  ]

  private static let viewSettings: [Setting] = [
    Setting(
      name: "crops", aliases: [], scope: .training, allowed: "groups of COUNTxSIZE joined by +, such as 2x224+6x96",
      show: { CropGroup.describe($0.crops) },
      read: { configuration, text in
        guard let groups = try? CropGroup.parse(text) else { return false }
        configuration.crops = groups
        return true
      }),
    scale("min-scale", \.minScale, "min_scale_crops"),
    scale("max-scale", \.maxScale, "max_scale_crops"),
    list("assign", \.assign, "1 to 8 different crop numbers, separated by commas", "crops_for_assign") {
      (1...8).contains($0.count) && Set($0).count == $0.count && $0.allSatisfy { $0 >= 0 }
    },
    number("flip", \.flip, "a probability from 0 to 1") { (0...1).contains($0) },
    number("jitter", \.jitter, "a probability from 0 to 1") { (0...1).contains($0) },
    number("jitter-strength", \.jitterStrength, "a number from 0 to 2") { (0...2).contains($0) },
    number("grayscale", \.grayscale, "a probability from 0 to 1") { (0...1).contains($0) },
    number("blur", \.blur, "a probability from 0 to 1") { (0...1).contains($0) },
    choice("augmentation-precision", \.augmentationPrecision),
    // Before mean and std, whose number depends on it.
    Setting(
      name: "channels", aliases: [], scope: .training, allowed: "1 or 3", show: { "\($0.channels)" },
      read: { configuration, text in
        guard let value = Int(text), value == 1 || value == 3 else { return false }
        configuration.setChannels(value)
        return true
      }),
    list("mean", \.mean, "one number for each channel, separated by commas") { $0.allSatisfy(\.isFinite) },
    list("std", \.std, "one number above 0 for each channel, separated by commas") {
      $0.allSatisfy { $0 > 0 && $0.isFinite }
    },
  ]

  private static let objectiveSettings: [Setting] = [
    Setting(
      name: "epsilon", aliases: [], scope: .training, allowed: "a number above 0, or relative: and a number above 0",
      show: { $0.epsilon.description },
      read: { configuration, text in
        guard let epsilon = Epsilon(text) else { return false }
        switch epsilon {
        case .fixed(let value), .relative(let value): guard value > 0, value.isFinite else { return false }
        }
        configuration.epsilon = epsilon
        return true
      }),
    integer("sinkhorn-iterations", \.sinkhornIterations, 1...1000, "sinkhorn_iterations"),
    number("temperature", \.temperature, "a number above 0") { $0 > 0 },
    integer("queue", \.queue, 0...100_000_000, "queue_length"),
    integer("queue-start-epoch", \.queueStartEpoch, 0...Int.max, "epoch_queue_starts"),
  ]

  private static let optimizerSettings: [Setting] = [
    integer("batch", \.batch, 2...1_000_000, "batch_size"),
    integer("epochs", \.epochs, 1...1_000_000),
    choice("optimizer", \.optimizer),
    number("trust", \.trust, "a number above 0") { $0 > 0 },
    number("momentum", \.momentum, "a number from 0 to below 1") { $0 >= 0 && $0 < 1 },
    number("weight-decay", \.weightDecay, "a number from 0 on", "wd") { $0 >= 0 },
    number("base-lr", \.baseLR, "a number above 0", "base_lr") { $0 > 0 },
    number("final-lr", \.finalLR, "a number from 0 on", "final_lr") { $0 >= 0 },
    number("start-warmup", \.startWarmup, "a number from 0 on", "start_warmup") { $0 >= 0 },
    integer("warmup-epochs", \.warmupEpochs, 0...1_000_000, "warmup_epochs"),
    number("freeze-epochs", \.freezeEpochs, "a number from 0 on") { $0 >= 0 && $0 < 1e9 },
    Setting(
      name: "freeze-steps", aliases: ["freeze_prototypes_niters"], scope: .training, allowed: "a whole number from 0 on",
      show: { $0.freezeSteps.map(String.init) },
      read: { configuration, text in
        guard let value = Int(text), value >= 0 else { return false }
        configuration.freezeSteps = value
        return true
      }),
    Setting(
      name: "seed", aliases: [], scope: .training, allowed: "a whole number from 0 on", show: { "\($0.seed)" },
      read: { configuration, text in
        guard let value = UInt64(text) else { return false }
        configuration.seed = value
        return true
      }),
    // It changes how sums are rounded, and so the weights.
    Setting(
      name: "winograd", aliases: [], scope: .training, allowed: "on or off", show: { $0.usesWinograd ? "on" : "off" },
      read: { configuration, text in
        guard text == "on" || text == "off" else { return false }
        configuration.usesWinograd = text == "on"
        return true
      }),
  ]

  private static let runSettings: [Setting] = [
    Setting(
      name: "source-weights", aliases: [], scope: .training,
      allowed: "a number above 0 and at most 1000 for each source, separated by commas",
      show: { $0.sourceWeights.isEmpty ? nil : $0.sourceWeights.map(\.description).joined(separator: ",") },
      read: { configuration, text in
        guard let values: [Double] = split(text), values.allSatisfy({ $0 > 0 && $0 <= ImageMixture.maximumWeight }) else {
          return false
        }
        configuration.sourceWeights = values
        return true
      }),
    number("max-bad", \.maxBad, "a share from 0 to 1", scope: .running) { (0...1).contains($0) },
    number("read-timeout", \.readTimeout, "a number of seconds from 0 on", scope: .running) { $0 >= 0 },
    integer("threads", \.threads, 0...4096, scope: .running),
    integer("workers", \.workers, 0...1024, scope: .running),
    integer("checkpoint-steps", \.checkpointSteps, 0...Int.max, scope: .running),
    number("checkpoint-minutes", \.checkpointMinutes, "a number from 0 on", scope: .running) { $0 >= 0 },
    integer("knn-every", \.knnEvery, 0...1_000_000, scope: .running),
  ]
}
