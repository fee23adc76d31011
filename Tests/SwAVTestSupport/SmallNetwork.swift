public import SwAVModel

/// A ResNet-18 of 8 channels for pictures of 32 pixels, with features of 64 numbers, 8 in an embedding and 5 prototypes.
public func smallNetwork(seed: UInt64 = 3) throws -> Network {
  let network = try Network(
    NetworkConfiguration(architecture: .resnet18, stem: .small, baseWidth: 8, hidden: 16, dim: 8, prototypes: [5]), seed: seed)
  try network.describeInput(InputDescription(size: 32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]))
  return network
}
