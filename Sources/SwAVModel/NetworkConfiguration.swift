import CSwAV
import SwAVEngine

/// A ResNet v1.5 by its usual name: depth and width.
public enum Architecture: String, Codable, Sendable, CaseIterable {
  case resnet18, resnet34, resnet50, resnet50w2, resnet50w4, resnet50w5

  public var depth: Int {
    switch self {
    case .resnet18: 18
    case .resnet34: 34
    case .resnet50, .resnet50w2, .resnet50w4, .resnet50w5: 50
    }
  }

  /// Multiplier of every channel count.
  public var width: Int {
    switch self {
    case .resnet18, .resnet34, .resnet50: 1
    case .resnet50w2: 2
    case .resnet50w4: 4
    case .resnet50w5: 5
    }
  }

  /// Hidden width of the projection head unless told otherwise: 2048 from ResNet-50 on, 512 below.
  public var defaultHidden: Int { depth >= 50 ? 2048 : 512 }

  public init?(depth: Int, width: Int) {
    guard let found = Architecture.allCases.first(where: { $0.depth == depth && $0.width == width }) else { return nil }
    self = found
  }
}

/// How the pixels enter the network.
public enum Stem: String, Codable, Sendable, CaseIterable {
  /// 7x7 convolution of stride 2, then 3x3 max-pool of stride 2.
  case imagenet
  /// 3x3 convolution of stride 1, no pooling: for images of 32 to 64 pixels.
  case small
}

/// What a network is made of.
public struct NetworkConfiguration: Codable, Sendable, Equatable {
  public var architecture: Architecture
  public var stem: Stem
  /// Channels of the stem before the width multiplier; 64 is the published one.
  public var baseWidth: Int
  /// Of the input images.
  public var channels: Int
  /// Width of the projection head's hidden layer; 0: one linear layer.
  public var hidden: Int
  /// D, length of an embedding; 0: no head and no prototypes.
  public var dim: Int
  /// K of each set of prototypes, 0 to 8 sets.
  public var prototypes: [Int]
  /// No batch-norm between the two layers of the projection head, as in the published ResNet-50 w5.
  public var plainHead: Bool

  /// ResNet-50, ImageNet stem, 3 channels, hidden 2048, dim 128, 3000 prototypes, as the engine states it.
  public static var published: NetworkConfiguration {
    // The engine's default is one of the six architectures; the fallback is never taken.
    NetworkConfiguration(swav_network_config_default())
      ?? NetworkConfiguration(architecture: .resnet50, hidden: 2048, dim: 128, prototypes: [3000])
  }

  public init(
    architecture: Architecture, stem: Stem = .imagenet, baseWidth: Int = 64, channels: Int = 3, hidden: Int? = nil,
    dim: Int = 128, prototypes: [Int], plainHead: Bool = false
  ) {
    self.architecture = architecture
    self.stem = stem
    self.baseWidth = baseWidth
    self.channels = channels
    self.hidden = hidden ?? architecture.defaultHidden
    self.dim = dim
    self.prototypes = prototypes
    self.plainHead = plainHead
  }

  init?(_ config: swav_network_config) {
    let (depth, width, baseWidth) = (Int(config.depth), Int(config.width), Int(config.base_width))
    // A width without a published name is the same network of a larger base width.
    let named = Architecture(depth: depth, width: width)
    guard let architecture = named ?? Architecture(depth: depth, width: 1) else { return nil }
    self.init(
      architecture: architecture, stem: config.stem == SWAV_STEM_SMALL ? .small : .imagenet,
      baseWidth: named == nil ? width * baseWidth : baseWidth, channels: Int(config.channels), hidden: Int(config.hidden),
      dim: Int(config.dim),
      prototypes: values(config.prototypes, count: Int(config.head_count), as: Int32.self).map(Int.init),
      plainHead: config.plain_head)
  }

  var engine: swav_network_config {
    var config = swav_network_config_default()
    config.depth = Int32(architecture.depth)
    config.width = Int32(architecture.width)
    config.base_width = Int32(clamping: baseWidth)
    config.stem = stem == .small ? SWAV_STEM_SMALL : SWAV_STEM_IMAGENET
    config.channels = Int32(clamping: channels)
    config.hidden = Int32(clamping: hidden)
    config.dim = Int32(clamping: dim)
    config.head_count = Int32(clamping: prototypes.count)
    fill(&config.prototypes, with: prototypes.map { Int32(clamping: $0) })
    config.plain_head = plainHead
    return config
  }
}

extension NetworkConfiguration {
  /// Multiplications of the convolutions for one image of so many pixels a side, by the direct method; the head, which is small
  /// beside them, is left out.
  public func multiplications(side: Int) -> Double {
    let stemChannels = baseWidth * architecture.width
    var side = stem == .imagenet ? halved(side) : side
    let kernel = stem == .imagenet ? 49 : 9
    var sum = Double(side * side * kernel * channels * stemChannels)
    if stem == .imagenet { side = halved(side) }
    var input = stemChannels
    for (stage, blocks) in architecture.blocks.enumerated() {
      let planes = stemChannels << stage
      let output = architecture.isBottleneck ? 4 * planes : planes
      for block in 0..<blocks {
        let isStrided = stage > 0 && block == 0
        let out = isStrided ? halved(side) : side
        let (before, after) = (Double(side * side), Double(out * out))
        sum +=
          architecture.isBottleneck
          ? before * Double(input * planes) + after * Double(9 * planes * planes + planes * output)
          : after * Double(9 * (input * planes + planes * planes))
        if isStrided || input != output { sum += after * Double(input * output) }
        (side, input) = (out, output)
      }
    }
    return sum
  }

  private func halved(_ side: Int) -> Int { (side + 1) / 2 }
}

extension Architecture {
  /// Residual blocks of each stage.
  fileprivate var blocks: [Int] { depth == 18 ? [2, 2, 2, 2] : [3, 4, 6, 3] }
  /// Whether a block has three convolutions, the last of which widens four times.
  package var isBottleneck: Bool { depth >= 50 }
  /// The layer whose output is pooled.
  package var lastConvolution: String { "layer4.\(blocks[3] - 1).conv\(isBottleneck ? 3 : 2)" }
}
