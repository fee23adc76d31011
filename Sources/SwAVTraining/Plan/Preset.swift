import SwAVModel

/// Settings that go together, by name. All presets are the table ``all``: names of settings and their text; what a preset does not
/// name stays at its published value.
public struct Preset: Sendable, Equatable {
  public let name: String
  /// One line.
  public let summary: String
  /// Older name.
  public var alias: String?
  let values: [String: String]

  /// Names and values, in the order of the table of settings.
  public var list: [(name: String, value: String)] {
    Setting.configurationSettings.compactMap { setting in values[setting.name].map { (setting.name, $0) } }
  }

  /// The preset of a name; nil where there is none.
  public static func named(_ name: String) -> Preset? { all.first { $0.name == name || $0.alias == name } }
}

extension Preset {
  public static let all: [Preset] = [
    Preset(name: auto, summary: "planned for the images (default)", alias: "small", values: [:]),
    Preset(
      name: "cifar10", summary: "32 x 32 pixels: narrow ResNet-18, 2x48+4x24",
      values: smallSet.with([
        "crops": "2x48+4x24", "prototypes": "64", "batch": "64", "epochs": "50", "warmup-epochs": "1",
        "mean": "0.4914,0.4822,0.4465", "std": "0.247,0.2435,0.2616",
      ])),
    Preset(
      name: "stl10", summary: "96 x 96 pixels, 100,000 unlabelled: narrow ResNet-18, 2x64+4x32",
      values: smallSet.with(["crops": "2x64+4x32", "prototypes": "100", "batch": "128", "epochs": "50"])),
    Preset(
      name: "imagenette", summary: "9,469 photos of ten classes: narrow ResNet-18, 2x64+4x32",
      values: smallSet.with(["crops": "2x64+4x32", "prototypes": "100", "batch": "64", "epochs": "200"])),
    Preset(
      name: "imagenet100", summary: "126,689 photos of a hundred classes: ResNet-18, 2x96+4x48",
      values: smallSet.with([
        "base-width": "64", "crops": "2x96+4x48", "min-scale": "0.3,0.1", "max-scale": "1.0,0.3", "prototypes": "1000",
        "queue": "1024", "queue-start-epoch": "5", "batch": "256", "epochs": "100", "warmup-epochs": "2",
      ])),
    Preset(
      name: "imagenet-4096", summary: "the published recipe for 4096 images a step, 800 epochs",
      values: published.with([
        "queue": "0", "freeze-steps": "313", "batch": "4096", "epochs": "800", "base-lr": "4.8", "final-lr": "0.0048",
        "start-warmup": "0.3", "warmup-epochs": "10",
      ])),
    Preset(
      name: "imagenet-256", summary: "the published recipe for 256 images a step, 200 epochs",
      values: published.with(published256).with(["freeze-steps": "5005"])),
    Preset(
      name: "small-domain", summary: "some hundred to thousand pictures of one kind of thing, 2x48+4x24",
      values: smallSet.with(["crops": "2x48+4x24", "prototypes": "64", "batch": "64", "epochs": "400"])),
    Preset(
      name: "demo", summary: "the demonstration's, about three minutes of training",
      values: smallSet.with([
        "base-width": "16", "base-lr": "0.002", "final-lr": "2e-06", "warmup-epochs": "1", "crops": "2x48+4x24",
        "jitter-strength": "0.8", "grayscale": "0.2", "prototypes": "64",
        "batch": "64", "epochs": "40", "knn-every": "5", "checkpoint-minutes": "1",
      ])),
    Preset(
      name: "published", summary: "imagenet-256 for a set of any size: frozen for an epoch, seed 0",
      values: published.with(published256).with(["freeze-epochs": "1", "seed": "0"])),
  ]

  /// The name of the preset that plans for the images.
  static let auto = "auto"

  /// What lets small networks learn from some thousand images in minutes. The epsilon
  /// follows the spread of the scores: a fixed one turns the codes uniform before anything is learned. Views cover more of an image,
  /// so that two of them share something from the start, keep most of their colour, and are not blurred: on 24 pixels that erases
  /// what is to be seen.
  static let smallSet = [
    "arch": "resnet18", "stem": "imagenet", "base-width": "32", "min-scale": "0.4,0.15", "max-scale": "1.0,0.4",
    "jitter-strength": "0.4", "grayscale": "0.1", "blur": "0", "epsilon": "relative:0.25", "optimizer": "adamw",
    "base-lr": "0.001", "final-lr": "1e-06", "warmup-epochs": "3", "freeze-epochs": "1",
  ]

  /// What the published recipes share, said in full: they stay the published ones whatever becomes of a default.
  private static let published = [
    "arch": "resnet50", "stem": "imagenet", "base-width": "64", "hidden": "2048", "dim": "128", "prototypes": "3000",
    "crops": "2x224+6x96", "min-scale": "0.14,0.05", "max-scale": "1.0,0.14", "flip": "0.5", "jitter": "0.8",
    "jitter-strength": "0.8", "grayscale": "0.2", "blur": "0.5", "channels": "3", "mean": "0.485,0.456,0.406",
    "std": "0.228,0.224,0.225", "assign": "0,1", "epsilon": "0.05", "sinkhorn-iterations": "3", "temperature": "0.1",
    "optimizer": "larc", "trust": "0.001", "momentum": "0.9", "weight-decay": "1e-06", "seed": "31", "recalibrate": "off",
  ]

  private static let published256 = [
    "queue": "3840", "queue-start-epoch": "15", "batch": "256", "epochs": "200", "base-lr": "0.6", "final-lr": "0.0006",
    "start-warmup": "0", "warmup-epochs": "0",
  ]
}

extension [String: String] {
  fileprivate func with(_ others: [String: String]) -> [String: String] { merging(others) { $1 } }
}

extension PretrainConfiguration {
  /// The values of a preset over the defaults, for no images in particular. Of no preset: the defaults.
  public init(preset name: String) {
    self.init()
    guard let preset = Preset.named(name) else { return }
    hidden = preset.values["arch"].flatMap(Architecture.init)?.defaultHidden ?? hidden
    // The table holds allowed values; a test reads each.
    try? PretrainSettings(preset: preset).apply(to: &self)
    var reasons: [String: Planner.Reason] = [:]
    if let given = try? PretrainSettings(preset: preset) { complete(given, &reasons) }
  }
}
