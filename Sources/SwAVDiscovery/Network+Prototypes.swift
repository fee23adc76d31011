public import SwAVEngine
public import SwAVEvaluation
public import SwAVModel

extension Network {
  /// The prototypes of the first set, [K][dim]. nil where the network has none.
  public func prototypes() throws(EngineError) -> Features? {
    let info = try info()
    guard let count = info.configuration.prototypes.first else { return nil }
    for index in 0..<info.tensorCount {
      let tensor = try tensor(at: index)
      guard tensor.name.hasPrefix("prototypes."), tensor.shape == [count, info.configuration.dim] else { continue }
      return try Features(dim: info.configuration.dim, values: tensor.values)
    }
    return nil
  }
}
